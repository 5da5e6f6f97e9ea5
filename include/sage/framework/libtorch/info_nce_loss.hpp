#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/info_nce.hpp>

#include <ATen/core/Tensor.h>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// InfoNCE with the negatives of the batch, see sage::info_nce_loss; differentiable by anchor and positive.
///
/// Shapes:    anchor, positive (…, D); weights (…) or undefined for none; the value ().
/// Cost:      the gradients here, only for tensors that require grad; backward scales them. Never an N × N
///            matrix.
/// CUDA:      not yet.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::info_nce_loss(a, p, sage::info_nce_loss<>{.temperature = 0.07}).backward();
template <class Distance = cosine>
at::Tensor info_nce_loss(at::Tensor const& anchor, at::Tensor const& positive,
                         sage::info_nce_loss<Distance> const& options = {}, at::Tensor const& weights = {}) {
  return detail::reduced<detail::runs::on_host>(
      options, detail::operands<2>{options.name, {"anchor", "positive"}, {anchor, positive}, weights});
}

/// With K negatives, (…, K, D) of each anchor's own or (K, D) that all anchors share; differentiable by them too.
template <class Distance = cosine>
at::Tensor info_nce_loss(at::Tensor const& anchor, at::Tensor const& positive, at::Tensor const& negatives,
                         sage::info_nce_loss<Distance> const& options, at::Tensor const& weights = {}) {
  return detail::reduced<detail::runs::on_host>(
      options,
      detail::operands<3>{
          options.name, {"anchor", "positive", "negatives"}, {anchor, positive, negatives}, weights});
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
