#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/cam_alignment.hpp>

#include <ATen/core/Tensor.h>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// Alignment of class activation maps with saliency maps, see sage::cam_alignment_loss; differentiable by the
/// features and the class weights.
///
/// Shapes:    features (N, C, H, W), class_weights (K, C), labels (N) of any integer type, maps (N, H, W) or
///            (N, 1, H, W) of any type of numbers, grey bytes with `{.map_scale = 1.0 / 255}`; weights (N) of
///            the samples, or undefined for none; the value ().
/// Cost:      one evaluation here, with the gradients only of what requires grad; backward scales them.
/// CUDA:      not yet.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::cam_alignment_loss(features, head->weight, labels, maps).backward();
template <class Options = sage::cam_alignment_loss>
at::Tensor cam_alignment_loss(at::Tensor const& features, at::Tensor const& class_weights,
                              at::Tensor const& labels, at::Tensor const& maps,
                              std::type_identity_t<Options> const& options = {},
                              at::Tensor const& weights = {}) {
  detail::operands<2> const x{
      options.name, {"features", "class_weights"}, {features, class_weights}, weights};
  return detail::reduced_with_labels<detail::runs::on_host>(options, x, labels,
                                                            x.undifferentiated("maps", maps));
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
