#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <ATen/core/Tensor.h>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

inline operands<3> triplet_operands(at::Tensor const& anchor, at::Tensor const& positive,
                                    at::Tensor const& negative, at::Tensor const& weights) {
  return {"triplet_margin_loss", {"anchor", "positive", "negative"}, {anchor, positive, negative}, weights};
}

}  // namespace detail

/// Triplet margin loss, see sage::triplet_margin_loss; differentiable by anchor, positive and negative.
///
/// Options:   a sage::triplet_margin_loss; `{.margin = 0.2}` for the Euclidean distance, which is then
///            torch::nn::functional::triplet_margin_loss, in one pass.
/// Shapes:    anchor, positive, negative (…, D); weights (…) or undefined for none; the value ().
/// Cost:      one pass here, with gradients only for tensors that require grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::triplet_margin_loss(a, p, n, {.margin = 0.2}).backward();
template <class Distance = euclidean, class Hinge = hinge::clamp>
at::Tensor triplet_margin_loss(at::Tensor const& anchor, at::Tensor const& positive,
                               at::Tensor const& negative,
                               sage::triplet_margin_loss<Distance, Hinge> const& options = {},
                               at::Tensor const& weights = {}) {
  return detail::reduced(options, detail::triplet_operands(anchor, positive, negative, weights));
}

/// Its unreduced values, (…): what torch calls reduction none.
template <class Distance = euclidean, class Hinge = hinge::clamp>
at::Tensor triplet_margin_loss_per_sample(at::Tensor const& anchor, at::Tensor const& positive,
                                          at::Tensor const& negative,
                                          sage::triplet_margin_loss<Distance, Hinge> const& options = {},
                                          at::Tensor const& weights = {}) {
  return detail::unreduced(options, detail::triplet_operands(anchor, positive, negative, weights));
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
