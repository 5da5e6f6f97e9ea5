#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/consistency.hpp>

#include <ATen/core/Tensor.h>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

inline operands<2> consistency_operands(at::Tensor const& logits, at::Tensor const& other_logits,
                                        at::Tensor const& weights) {
  return {"consistency_loss", {"logits", "other logits"}, {logits, other_logits}, weights};
}

}  // namespace detail

/// Consistency of two rows of logits, see sage::consistency_loss; differentiable with respect to both. Detach
/// one of them to stop the gradient on its side.
///
/// Options:   a sage::consistency_loss; `{.temperature = 2}` for the Jensen-Shannon divergence.
/// Shapes:    logits (…, K); weights (…) or undefined for none; the value ().
/// Cost:      one pass here, with gradients only for tensors that require grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::consistency_loss(z, z_plus).backward();
template <class Divergence = jensen_shannon>
at::Tensor consistency_loss(at::Tensor const& logits, at::Tensor const& other_logits,
                            sage::consistency_loss<Divergence> const& options = {},
                            at::Tensor const& weights = {}) {
  return detail::reduced(options, detail::consistency_operands(logits, other_logits, weights));
}

/// Its unreduced values, (…).
template <class Divergence = jensen_shannon>
at::Tensor consistency_loss_per_sample(at::Tensor const& logits, at::Tensor const& other_logits,
                                       sage::consistency_loss<Divergence> const& options = {},
                                       at::Tensor const& weights = {}) {
  return detail::unreduced(options, detail::consistency_operands(logits, other_logits, weights));
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
