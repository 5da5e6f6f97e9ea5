#pragma once

#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/tensor/class_weights.hpp>

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Operands with weights of the classes beside those of the samples.
template <std::size_t N>
class class_weighted_operands : public operands<N> {
 public:
  class_weighted_operands(char const* function, typename operands<N>::names const& input_names,
                          typename operands<N>::tensors const& given, at::Tensor const& weights,
                          at::Tensor const& class_weights)
      : operands<N>(function, input_names, given, weights),
        class_weights_(this->constant("class_weights", class_weights)) {}

  template <class E, memory_space Space, class F>
  auto with_weights(F const& f) const {
    auto const w = view_as<E const, Space>(class_weights_, this->function(), "class_weights");
    return operands<N>::template with_weights<E, Space>(
        [&](auto const&... weights) { return f(sage::class_weights(w), weights...); });
  }

 private:
  at::Tensor class_weights_;
};

/// f(operands, labels or nothing) for the form of the targets; make(names, tensors…) makes the operands.
template <class Make, class F>
at::Tensor with_targets(at::Tensor const& logits, at::Tensor const& targets, Make const& make, F const& f) {
  if (targets.defined() && at::isFloatingType(targets.scalar_type()))
    return f(make(std::array<char const*, 2>{"logits", "probabilities"}, logits, targets));
  auto const x = make(std::array<char const*, 1>{"logits"}, logits);
  return f(x, x.labels(targets));
}

template <class F>
at::Tensor with_targets(at::Tensor const& logits, at::Tensor const& targets, at::Tensor const& weights,
                        F const& f) {
  auto const make = [&]<std::size_t N>(std::array<char const*, N> const& names, auto const&... given) {
    return operands<N>{sage::cross_entropy_loss::name, names, {given...}, weights};
  };
  return with_targets(logits, targets, make, f);
}

template <class F>
at::Tensor with_weighted_targets(at::Tensor const& logits, at::Tensor const& targets,
                                 at::Tensor const& weights, at::Tensor const& class_weights, F const& f) {
  if (!class_weights.defined()) return with_targets(logits, targets, weights, f);
  auto const make = [&]<std::size_t N>(std::array<char const*, N> const& names, auto const&... given) {
    return class_weighted_operands<N>{
        sage::cross_entropy_loss::name, names, {given...}, weights, class_weights};
  };
  return with_targets(logits, targets, make, f);
}

}  // namespace detail

// Templates, so that a program compiles only the forms that it calls.

/// Cross entropy with integer labels or with probabilities, see sage::cross_entropy_loss; differentiable by
/// the logits and by the probabilities.
///
/// Shapes:    logits (…, K), the classes last (torch's functional::cross_entropy has them second); labels (…)
///            of any integer type, or probabilities (…, K) of a floating-point type; weights (…) of the
///            samples, or undefined for none; class_weights (K) as last argument; the value ().
/// Cost:      one pass here, with the gradients only of what requires grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   sage::libtorch::cross_entropy_loss(z, labels, {.label_smoothing = 0.1}).backward();
template <class Options = sage::cross_entropy_loss>
at::Tensor cross_entropy_loss(at::Tensor const& logits, at::Tensor const& targets,
                              std::type_identity_t<Options> const& options = {},
                              at::Tensor const& weights = {}) {
  return detail::with_targets(logits, targets, weights, [&](auto const& x, auto const&... labels) {
    return detail::reduced(options, x, labels...);
  });
}
template <class Options = sage::cross_entropy_loss>
at::Tensor cross_entropy_loss(at::Tensor const& logits, at::Tensor const& targets,
                              std::type_identity_t<Options> const& options, at::Tensor const& weights,
                              at::Tensor const& class_weights) {
  return detail::with_weighted_targets(
      logits, targets, weights, class_weights,
      [&](auto const& x, auto const&... labels) { return detail::reduced(options, x, labels...); });
}

/// Its unreduced values, (…).
template <class Options = sage::cross_entropy_loss>
at::Tensor cross_entropy_loss_per_sample(at::Tensor const& logits, at::Tensor const& targets,
                                         std::type_identity_t<Options> const& options = {},
                                         at::Tensor const& weights = {}) {
  return detail::with_targets(logits, targets, weights, [&](auto const& x, auto const&... labels) {
    return detail::unreduced(options, x, labels...);
  });
}
template <class Options = sage::cross_entropy_loss>
at::Tensor cross_entropy_loss_per_sample(at::Tensor const& logits, at::Tensor const& targets,
                                         std::type_identity_t<Options> const& options,
                                         at::Tensor const& weights, at::Tensor const& class_weights) {
  return detail::with_weighted_targets(
      logits, targets, weights, class_weights,
      [&](auto const& x, auto const&... labels) { return detail::unreduced(options, x, labels...); });
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
