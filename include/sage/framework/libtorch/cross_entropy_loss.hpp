#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/cross_entropy.hpp>

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// Cross entropy with integer labels, see sage::cross_entropy_loss; differentiable by the logits.
///
/// Shapes:    logits (…, K), the classes last (torch's functional::cross_entropy has them second); labels (…)
///            of any integer type; weights (…) of the samples, or undefined for none; the value ().
/// Cost:      one pass here, with the gradient only if the logits require grad; backward scales it.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::cross_entropy_loss(z, labels, {.label_smoothing = 0.1}).backward();
inline at::Tensor cross_entropy_loss(at::Tensor const& logits, at::Tensor const& labels,
                                     sage::cross_entropy_loss const& options = {},
                                     at::Tensor const& weights = {}) {
  detail::operands<1> const x{options.name, {"logits"}, {logits}, weights};
  at::Tensor const y = detail::int64_labels(labels, options.name);
  return detail::reduced(options, x, view<std::int64_t const>(y));
}

/// Its unreduced values, (…).
inline at::Tensor cross_entropy_loss_per_sample(at::Tensor const& logits, at::Tensor const& labels,
                                                sage::cross_entropy_loss const& options = {},
                                                at::Tensor const& weights = {}) {
  detail::operands<1> const x{options.name, {"logits"}, {logits}, weights};
  at::Tensor const y = detail::int64_labels(labels, options.name);
  return detail::unreduced(options, x, view<std::int64_t const>(y));
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
