#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/binary_cross_entropy.hpp>
#include <sage/loss/evaluate.hpp>
#include <sage/loss/marked_arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/tensor/class_weights.hpp>

#include <cstddef>
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

/// Calls f(options, executor, arguments…): the marked weights go behind the targets.
template <member Member, class Loss, class F, class... Args>
auto with_weights_of(Loss const& loss, F const& f, Args&... args) {
  loss.validate();
  constexpr std::size_t at = target_position(Member);
  return split_executor(
      [&](auto const& executor, auto&... rest) {
        auto const call = [&]<class Tensors, class Weights, class Positive>(
                              Tensors const& tensors, Weights const& element_weights,
                              Positive const& positive_weights) {
          constexpr bool has_targets = (std::tuple_size_v<Tensors>) > at;
          static_assert(has_targets, "sage: binary_cross_entropy_loss takes logits, then targets");
          if constexpr (has_targets) {
            binary_cross_entropy_options<!is_none<Weights>, !is_none<Positive>> const options{
                loss.label_smoothing, loss.over_labels == reduction::mean, loss.reduction};
            return std::apply(
                [&](auto&... a) { return f(options, executor, a...); },
                with_given<at + 1>(with_target_gradient<Member>(tensors), element_weights, positive_weights));
          }
        };
        return marks<element_weights_t, positive_weights_t>::split(call, std::tie(rest...));
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
///            whose weight is element_weights here; torch.nn.MultiLabelSoftMarginLoss(weight) with the classes' weights
///            as element_weights, one stride 0; the mean of optax.sigmoid_binary_cross_entropy(z, y). reduction
///            mean and over_labels mean are its mean, sum and sum its sum; its `none` is per_sample of the (N·K, 1) view. (weights(s) divide the mean by Σ s;
///            element_weights do not divide.) Label smoothing is that of Keras. Where PyTorch errs: in float
///            the gradient of a positive with z > 17 is 0, not −σ(−z); a target 1 at z = +∞ gives NaN, not 0;
///            a weight of 0 does not silence NaN.
/// Shapes:    z, y (…, K), K ≥ 1, y of the logits' type; a single logit per sample is (N, 1). w (…, K); P
///            (K); per-sample values (…); d_z, d_y like z. Any strides.
/// Units:     nats.
/// Precision: a few roundings of each label's loss and gradient, at any |z|; ≥ 0 for targets between 0 and 1.
/// Edge:      logits of rank 1, (N), are one sample of N labels, as everywhere: N samples of one logit are (N, 1).
///            z = ±∞ costs 0 if the target agrees fully, else ∞, as does a row whose labels sum to more than the
///            largest number of the type. NaN makes its row NaN. Targets are not checked; one of ±∞ gives ±∞ or NaN.
///            Element weights are not checked either.
/// Errors:    shape_error, argument_error (ε outside [0, 1], positive weights or weights of samples < 0, over_labels
///            neither mean nor sum), before any write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   binary_cross_entropy_loss{}.value_and_grad(z, y, d_z, sage::positive_weights(w))
struct binary_cross_entropy_loss {
  double label_smoothing = 0;
  sage::reduction over_labels = sage::reduction::mean;
  sage::reduction reduction = sage::reduction::mean;

  static constexpr char const* name = "binary_cross_entropy_loss";
  void validate() const {
    detail::require_no_defect(name, {detail::unless_share("label_smoothing", label_smoothing)});
    if (over_labels != sage::reduction::mean && over_labels != sage::reduction::sum)
      detail::raise<argument_error>(name, ": over_labels is mean_active, expected mean or sum");
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::with_weights_of<detail::member::value>(
        *this, [](auto const& of, auto&... a) { return detail::evaluation(of).value(a...); }, args...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::with_weights_of<detail::member::value_and_grad>(
        *this, [](auto const& of, auto&... a) { return detail::evaluation(of).value_and_grad(a...); },
        args...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::with_weights_of<detail::member::per_sample>(
        *this, [](auto const& of, auto&... a) { detail::evaluation(of).per_sample(a...); }, args...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::with_weights_of<detail::member::backward>(
        *this, [](auto const& of, auto&... a) { detail::evaluation(of).backward(a...); }, args...);
  }
};

SAGE_ABI_END
}  // namespace sage
