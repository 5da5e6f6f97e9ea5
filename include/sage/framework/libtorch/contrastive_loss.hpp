#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/contrastive.hpp>

#include <ATen/core/Tensor.h>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// Contrastive loss of pairs, see sage::contrastive_loss; differentiable by both rows of a pair.
///
/// Options:   a sage::contrastive_loss; `{.margin = 0.5}` for the Euclidean distance and squared hinges.
/// Shapes:    first, second (…, D); labels (…) of any integer type, 1 for pairs that belong together; weights
///            (…) or undefined for none; the value ().
/// Cost:      one pass here, with gradients only for tensors that require grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::contrastive_loss(u, v, labels, sage::contrastive_loss<>{.margin =
///            0.5}).backward();
template <class Distance = euclidean, class Hinge = hinge::squared>
at::Tensor contrastive_loss(at::Tensor const& first, at::Tensor const& second, at::Tensor const& labels,
                            sage::contrastive_loss<Distance, Hinge> const& options = {},
                            at::Tensor const& weights = {}) {
  detail::operands<2> const x{options.name, {"first", "second"}, {first, second}, weights};
  return detail::reduced_with_labels(options, x, labels);
}

/// Its unreduced values, (…).
template <class Distance = euclidean, class Hinge = hinge::squared>
at::Tensor contrastive_loss_per_sample(at::Tensor const& first, at::Tensor const& second,
                                       at::Tensor const& labels,
                                       sage::contrastive_loss<Distance, Hinge> const& options = {},
                                       at::Tensor const& weights = {}) {
  detail::operands<2> const x{options.name, {"first", "second"}, {first, second}, weights};
  return detail::unreduced(options, x, x.labels(labels));
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
