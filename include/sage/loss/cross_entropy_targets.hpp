#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/target_cross_entropy.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/marked_arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/tensor/class_weights.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>

/// The forms of cross_entropy_loss: which row program fits the arguments of a call.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Cross entropy's options with the form of its targets as a type.
template <class Targets>
struct cross_entropy_options;

template <>
struct cross_entropy_options<weighted_labels> {
  double label_smoothing;
  index_t ignore_index;
  sage::reduction reduction;

  static constexpr char const* name = "cross_entropy_loss";
  static constexpr char const* input_names[2] = {"logits", "class_weights"};
  static constexpr char const* gradient_names[1] = {"d_logits"};
  static constexpr bool has_labels = true;
  static constexpr int column_inputs = 1, share_input = 1;  // the mean divides by the weights of the labels
  static constexpr index_t smallest_length = 1;

  target_cross_entropy_formula<weighted_labels> formula() const noexcept { return {{}, label_smoothing}; }
  void validate() const {}  // done for cross_entropy_loss
};

template <class Targets>
struct cross_entropy_options {
  double label_smoothing;
  sage::reduction reduction;

  static constexpr char const* name = "cross_entropy_loss";
  static constexpr char const* input_names[3] = {"logits", "probabilities", "class_weights"};
  static constexpr char const* gradient_names[2] = {"d_logits", "d_probabilities"};
  static constexpr bool has_labels = false;
  static constexpr int column_inputs = Targets::inputs - 2;
  static constexpr index_t smallest_length = 1;

  target_cross_entropy_formula<Targets> formula() const noexcept { return {{}, label_smoothing}; }
  void validate() const {}
};

/// Does the argument in the place of the labels hold a number for every class?
template <class T>
constexpr bool holds_probabilities() noexcept {
  using bare = std::remove_cvref_t<T>;
  if constexpr (runtime_typed_tensor<bare>) {
    return false;
  } else if constexpr (lazy_tensor<bare>) {
    return !std::is_integral_v<typename tensor_traits<bare>::element_type>;
  } else if constexpr (tensor<T>) {
    return !std::is_integral_v<element_of<T>>;
  } else {
    return false;
  }
}

/// Calls f(options, executor, arguments…) with the options and the order of arguments of the form that the call has.
template <member Member, class Loss, class F, class... Args>
auto with_targets(Loss const& loss, F const& f, Args&... args) {
  loss.validate();
  constexpr std::size_t at = target_position(Member);
  return split_executor(
      [&](auto const& executor, auto&... rest) {
        auto const call = [&]<class Tensors, class Weights>(Tensors const& tensors, Weights const& class_weights) {
          auto const run = [&](auto const& options, auto const& arguments) {
            return std::apply([&](auto&... a) { return f(options, executor, a...); }, arguments);
          };
          constexpr bool has_targets = (std::tuple_size_v<Tensors>) > at;
          static_assert(has_targets, "sage: cross_entropy_loss takes logits, then labels or probabilities");
          if constexpr (!has_targets) {
            return;
          } else if constexpr (holds_probabilities<std::tuple_element_t<at, Tensors>>()) {
            using form = std::conditional_t<is_none<Weights>, probabilities, weighted_probabilities>;
            return run(cross_entropy_options<form>{loss.label_smoothing, loss.reduction},
                       with_given<at + 1>(with_target_gradient<Member>(tensors), class_weights));
          } else if constexpr (is_none<Weights>) {
            return run(loss, tensors);
          } else {
            return run(
                cross_entropy_options<weighted_labels>{loss.label_smoothing, loss.ignore_index, loss.reduction},
                with_given<at>(tensors, class_weights));
          }
        };
        return marks<class_weights_t>::split(call, std::tie(rest...));
      },
      args...);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
