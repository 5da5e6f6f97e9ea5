#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/binary_cross_entropy.hpp>
#include <sage/loss/evaluate.hpp>
#include <sage/loss/marked_arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/tensor/class_weights.hpp>

#include <tuple>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The options with the weights that a call has as types.
template <bool Weighted, bool PositiveWeighted>
struct binary_cross_entropy_options {
  double label_smoothing;
  bool mean_over_labels;
  sage::reduction reduction;

  static constexpr char const* name = "binary_cross_entropy_loss";
  static constexpr char const* input_names[4] = {
      "logits", "targets", Weighted ? "element_weights" : "positive_weights", "positive_weights"};
  static constexpr char const* gradient_names[2] = {"d_logits", "d_targets"};
  static constexpr bool has_labels = false;
  static constexpr int column_inputs = PositiveWeighted ? 1 : 0;
  static constexpr index_t smallest_length = 1;

  binary_cross_entropy_formula<Weighted, PositiveWeighted> formula() const noexcept {
    return {label_smoothing, mean_over_labels};
  }
  void validate() const {}  // done for binary_cross_entropy_loss
};

/// Calls f(options, arguments…): the marked weights go behind the targets, and the gradient to the targets
/// may be left out. `Targets` is where the targets stand behind the executor, `Gradients` whether the member
/// has gradients.
template <int Targets, bool Gradients, class Loss, class F, class... Args>
auto with_weights_of(Loss const& loss, F const& f, Args&... args) {
  loss.validate();
  auto const call = [&](auto const& executor, auto const& element_weights, auto const& positive_weights,
                        auto const& tensors) {
    constexpr bool weighted = !is_none<decltype(element_weights)>,
                   positive = !is_none<decltype(positive_weights)>;
    using all = std::remove_cvref_t<decltype(tensors)>;
    static_assert(std::tuple_size_v<all> > Targets,
                  "sage: binary_cross_entropy_loss takes logits, then targets");
    auto const with_weights = [&](auto const& given) {
      constexpr std::size_t at = Targets + 1;
      if constexpr (weighted && positive)
        return with_inserted<at>(given, element_weights, positive_weights);
      else if constexpr (weighted)
        return with_inserted<at>(given, element_weights);
      else if constexpr (positive)
        return with_inserted<at>(given, positive_weights);
      else
        return given;
    };
    auto const run = [&](auto const& given) {
      return std::apply(
          [&](auto&... a) {
            return f(
                binary_cross_entropy_options<weighted, positive>{
                    loss.label_smoothing, loss.over_labels == reduction::mean, loss.reduction},
                executor, a...);
          },
          with_weights(given));
    };
    constexpr std::size_t gradient_at = Targets + 2;
    if constexpr (Gradients && count_without_weights<all>() == gradient_at) {
      return run(with_inserted<gradient_at>(tensors, skip));
    } else {
      return run(tensors);
    }
  };
  return split_executor(
      [&](auto const& executor, auto&... rest) {
        return split_mark<element_weights_t>(
            [&](auto const& element_weights, auto const& others) {
              return split_mark<positive_weights_t>(
                  [&](auto const& positive_weights, auto const& tensors) {
                    return call(executor, element_weights, positive_weights, tensors);
                  },
                  others);
            },
            std::tie(rest...));
      },
      args...);
}

}  // namespace detail

/// Cross entropy of independent yes-or-no labels, one logit each: a single-logit classifier, or several
/// labels that may hold at once.
///
///   l_i = M_k w_ik (P_k y'_ik softplus(−z_ik) + (1 − y'_ik) softplus(z_ik)),   y' = (1 − ε) y + ε/2
///   ∂l/∂z = w ((1 − y') σ(z) − P y' σ(−z)) / K,   ∂l/∂y = (1 − ε) w (P softplus(−z) − softplus(z)) / K
///
/// M is the mean over the K labels of a row, or their sum (then without 1/K).
///
/// Members:   loss(z, y), loss.value_and_grad(z, y, d_z, d_y), where d_y may be left out; loss.per_sample(z,
///            y, out), loss.backward(upstream, z, y, d_z, d_y). element_weights(w), positive_weights(P) and
///            weights(s), of the samples, stand last, in any order.
/// Source:    equals torch.nn.functional.binary_cross_entropy_with_logits(weight, pos_weight, reduction),
///            whose weight is element_weights here. reduction mean and over_labels mean are its mean, sum and
///            sum its sum; its `none` is per_sample of the (N·K, 1) view. (weights(s) divide the mean by Σ s;
///            element_weights do not divide.) Label smoothing is that of Keras. Where PyTorch errs: in float
///            the gradient of a positive with z > 17 is 0, not −σ(−z); a target 1 at z = +∞ gives NaN, not 0;
///            a weight of 0 does not silence NaN.
/// Shapes:    z, y (…, K), K ≥ 1, y of the logits' type; a single logit per sample is (N, 1). w (…, K); P
///            (K); per-sample values (…); d_z, d_y like z. Any strides.
/// Units:     nats.
/// Precision: a few roundings of each label's loss and gradient, at any |z|; ≥ 0 for targets between 0 and 1.
/// Edge:      logits of rank 1, (N), are one sample of N labels, as everywhere: N samples of one logit are (N, 1).
///            z = ±∞ costs 0 if the target agrees fully, else ∞. NaN makes its row NaN. Targets are not
///            checked.
/// Errors:    shape_error, argument_error (ε outside [0, 1], weights < 0, over_labels neither mean nor sum),
///            before any write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   binary_cross_entropy_loss{}.value_and_grad(z, y, d_z, sage::positive_weights(w))
struct binary_cross_entropy_loss {
  double label_smoothing = 0;
  sage::reduction over_labels = sage::reduction::mean;
  sage::reduction reduction = sage::reduction::mean;

  static constexpr char const* name = "binary_cross_entropy_loss";
  void validate() const {
    if (!(label_smoothing >= 0 && label_smoothing <= 1))
      detail::raise<argument_error>(name, ": label_smoothing is ", label_smoothing,
                                    ", expected between 0 and 1");
    if (over_labels != sage::reduction::mean && over_labels != sage::reduction::sum)
      detail::raise<argument_error>(name, ": over_labels is mean_active, expected mean or sum");
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::with_weights_of<1, false>(
        *this, [](auto const& of, auto&... a) { return detail::evaluation(of).value(a...); }, args...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::with_weights_of<1, true>(
        *this, [](auto const& of, auto&... a) { return detail::evaluation(of).value_and_grad(a...); },
        args...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::with_weights_of<1, false>(
        *this, [](auto const& of, auto&... a) { detail::evaluation(of).per_sample(a...); }, args...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::with_weights_of<2, true>(
        *this, [](auto const& of, auto&... a) { detail::evaluation(of).backward(a...); }, args...);
  }
};

SAGE_ABI_END
}  // namespace sage
