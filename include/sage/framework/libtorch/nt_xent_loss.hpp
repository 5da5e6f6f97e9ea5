#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/nt_xent.hpp>

#include <ATen/core/Tensor.h>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// NT-Xent of the pairs that labels make in a batch, see sage::nt_xent_loss; differentiable by the embeddings.
///
/// Shapes:    embeddings (…, D); labels (…) of any integer type; weights (…) or undefined for none; the value
///            ().
/// Cost:      the gradient here, only if the embeddings require grad; backward scales it. Never an N × N
///            matrix.
/// CUDA:      not yet.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::nt_xent_loss(x, labels, sage::nt_xent_loss<>{.temperature = 0.5}).backward();
template <class Distance = cosine>
at::Tensor nt_xent_loss(at::Tensor const& embeddings, at::Tensor const& labels,
                        sage::nt_xent_loss<Distance> const& options = {}, at::Tensor const& weights = {}) {
  detail::operands<1> const x{options.name, {"embeddings"}, {embeddings}, weights};
  return detail::reduced_with_labels<detail::runs::on_host>(options, x, labels);
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
