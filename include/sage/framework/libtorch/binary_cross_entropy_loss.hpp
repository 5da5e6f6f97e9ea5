#pragma once

#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/binary_cross_entropy.hpp>
#include <sage/tensor/class_weights.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>

#include <array>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Operands with weights of elements and of positives beside those of the samples.
class element_weighted_operands : public operands<2> {
 public:
  element_weighted_operands(names const& input_names, tensors const& given, at::Tensor const& weights,
                            at::Tensor const& element_weights, at::Tensor const& positive_weights)
      : operands<2>(sage::binary_cross_entropy_loss::name, input_names, given, weights) {
    at::Tensor const& logits = this->given()[0];
    auto const ones = at::ones({}, logits.options().requires_grad(false));
    element_weights_ = constant("element_weights", element_weights.defined() ? element_weights : ones);
    element_weights_ = element_weights_.expand_as(logits);
    positive_weights_ = constant(
        "positive_weights", positive_weights.defined() ? positive_weights : ones.expand({logits.size(-1)}));
  }

  template <class E, memory_space Space, class F>
  auto with_weights(F const& f) const {
    auto const w = view_as<E const, Space>(element_weights_, function(), "element_weights");
    auto const p = view_as<E const, Space>(positive_weights_, function(), "positive_weights");
    return operands<2>::with_weights<E, Space>([&](auto const&... weights) {
      return f(sage::element_weights(w), sage::positive_weights(p), weights...);
    });
  }

 private:
  at::Tensor element_weights_, positive_weights_;
};

/// f(operands), with the weights that are given.
template <class F>
at::Tensor with_element_weights(at::Tensor const& logits, at::Tensor const& targets,
                                at::Tensor const& weights, at::Tensor const& element_weights,
                                at::Tensor const& positive_weights, F const& f) {
  std::array<char const*, 2> const names{"logits", "targets"};
  std::array<at::Tensor, 2> const given{logits, targets};
  if (!element_weights.defined() && !positive_weights.defined())
    return f(operands<2>{sage::binary_cross_entropy_loss::name, names, given, weights});
  return f(element_weighted_operands{names, given, weights, element_weights, positive_weights});
}

}  // namespace detail

/// Cross entropy of independent yes-or-no labels, see sage::binary_cross_entropy_loss; differentiable by the
/// logits and by the targets.
///
/// Shapes:    logits, targets (…, K); weights (…) of the samples, element_weights of any shape that
///            broadcasts to the logits (torch's weight), positive_weights (K) (torch's pos_weight), or
///            undefined for none; the value ().
/// Cost:      one pass here, with the gradients only of what requires grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::binary_cross_entropy_loss(z, y).backward();
template <class Options = sage::binary_cross_entropy_loss>
at::Tensor binary_cross_entropy_loss(at::Tensor const& logits, at::Tensor const& targets,
                                     std::type_identity_t<Options> const& options = {},
                                     at::Tensor const& weights = {}, at::Tensor const& element_weights = {},
                                     at::Tensor const& positive_weights = {}) {
  return detail::with_element_weights(logits, targets, weights, element_weights, positive_weights,
                                      [&](auto const& x) { return detail::reduced(options, x); });
}

/// Its unreduced values, (…).
template <class Options = sage::binary_cross_entropy_loss>
at::Tensor binary_cross_entropy_loss_per_sample(at::Tensor const& logits, at::Tensor const& targets,
                                                std::type_identity_t<Options> const& options = {},
                                                at::Tensor const& weights = {},
                                                at::Tensor const& element_weights = {},
                                                at::Tensor const& positive_weights = {}) {
  return detail::with_element_weights(logits, targets, weights, element_weights, positive_weights,
                                      [&](auto const& x) { return detail::unreduced(options, x); });
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
