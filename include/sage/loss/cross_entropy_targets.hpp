#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/target_cross_entropy.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/marked_arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/tensor/class_weights.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <cstddef>
#include <tuple>
#include <type_traits>

/// The forms of cross_entropy_loss: which row program fits the arguments of a call.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

enum class member { value, value_and_grad, per_sample, backward };

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
  static constexpr int column_inputs = 1;
  static constexpr index_t smallest_length = 1;

  target_cross_entropy_formula<weighted_labels> formula() const noexcept { return {{}, label_smoothing}; }
  void validate() const {}  // done for cross_entropy_loss

  /// The mean divides by the sum of the weights of the labels.
  template <class Problem>
  static typename Problem::accumulator share(Problem const& p, index_t label) {
    return static_cast<typename Problem::accumulator>(p.in[1].row(0)[label * p.in[1].stride]);
  }
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

/// Where the labels or probabilities stand behind the executor.
constexpr std::size_t target_position(member m) noexcept { return m == member::backward ? 2 : 1; }

/// Calls f(options, tuple of arguments) for integer labels.
template <member Member, class Loss, class Weights, class Tuple, class F>
auto with_labels_of(Loss const& loss, Weights const& class_weights, Tuple const& args, F const& f) {
  if constexpr (is_none<Weights>) {
    return f(loss, args);
  } else {
    return f(cross_entropy_options<weighted_labels>{loss.label_smoothing, loss.ignore_index, loss.reduction},
             with_inserted<target_position(Member)>(args, class_weights));
  }
}

/// The same for probabilities, whose gradient may be left out.
template <member Member, class Loss, class Weights, class Tuple, class F>
auto with_probabilities(Loss const& loss, Weights const& class_weights, Tuple const& args, F const& f) {
  constexpr std::size_t gradient_at = target_position(Member) + 2;
  if constexpr ((Member == member::value_and_grad || Member == member::backward) &&
                count_without_weights<Tuple>() == gradient_at) {
    return with_probabilities<Member>(loss, class_weights, with_inserted<gradient_at>(args, skip), f);
  } else if constexpr (is_none<Weights>) {
    return f(cross_entropy_options<probabilities>{loss.label_smoothing, loss.reduction}, args);
  } else {
    return f(cross_entropy_options<weighted_probabilities>{loss.label_smoothing, loss.reduction},
             with_inserted<target_position(Member) + 1>(args, class_weights));
  }
}

/// Calls f(options, arguments…) with the options and the order of arguments of the form that the call has.
template <member Member, class Loss, class F, class... Args>
auto with_targets(Loss const& loss, F const& f, Args&... args) {
  loss.validate();
  return split_executor(
      [&](auto const& executor, auto&... rest) {
        return split_mark<class_weights_t>(
            [&](auto const& class_weights, auto const& tensors) {
              constexpr std::size_t at = target_position(Member);
              using all = std::remove_cvref_t<decltype(tensors)>;
              static_assert(std::tuple_size_v<all> > at,
                            "sage: cross_entropy_loss takes logits, then labels or probabilities");
              auto const call = [&](auto const& options, auto const& arguments) {
                return std::apply([&](auto&... a) { return f(options, executor, a...); }, arguments);
              };
              if constexpr (holds_probabilities<std::tuple_element_t<at, all>>()) {
                return with_probabilities<Member>(loss, class_weights, tensors, call);
              } else {
                return with_labels_of<Member>(loss, class_weights, tensors, call);
              }
            },
            std::tie(rest...));
      },
      args...);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
