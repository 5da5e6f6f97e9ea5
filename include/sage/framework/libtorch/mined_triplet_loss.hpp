#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/mined_triplet.hpp>

#include <ATen/core/Tensor.h>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// Triplet margin loss of triplets found in the batch, see sage::mined_triplet_loss; differentiable by the
/// embeddings.
///
/// Options:   a sage::mined_triplet_loss, whose type says which triplets are taken: batch_hard, batch_all,
///            semi_hard.
/// Shapes:    embeddings (…, D); labels (…) of any integer type; weights (…) or undefined for none; the value
///            ().
/// Cost:      the gradient here, only if the embeddings require grad; backward scales it.
/// CUDA:      not yet.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::mined_triplet_loss(x, labels,
///            sage::mined_triplet_loss<sage::semi_hard>{}).backward();
template <class Mining = batch_hard, class Distance = normalized_euclidean, class Hinge = hinge::clamp>
at::Tensor mined_triplet_loss(at::Tensor const& embeddings, at::Tensor const& labels,
                              sage::mined_triplet_loss<Mining, Distance, Hinge> const& options = {},
                              at::Tensor const& weights = {}) {
  detail::operands<1> const x{options.name, {"embeddings"}, {embeddings}, weights};
  return detail::reduced_with_labels<detail::runs::on_host>(options, x, labels);
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
