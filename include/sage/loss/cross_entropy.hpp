#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/cross_entropy.hpp>
#include <sage/loss/cross_entropy_targets.hpp>
#include <sage/loss/evaluate.hpp>
#include <sage/tensor/class_weights.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Cross entropy of logits with integer labels, or with a probability for every class.
///
///   l_i = Σ_k τ_k (lse(z_i) − z_ik),   τ_k = w_k ((1 − ε) t_ik + ε/K)
///   t_ik = [k = y_i] or given,   w_k = 1 or given
///   ∂l/∂z_k = S p_k − τ_k,   S = Σ τ;     ∂l/∂t_k = (1 − ε) w_k (lse − z_k)
///
/// Members:   loss(z, y), loss.value_and_grad(z, y, d_z), loss.per_sample(z, y, out), loss.backward(upstream,
///            z, y, d_z). A matrix t of the logits' type in the place of the labels y holds probabilities;
///            they may be differentiated by: loss.value_and_grad(z, t, d_z, d_t), where d_t may be left out.
///            class_weights(w) and weights(s), of the samples, stand last, in any order.
/// Source:    equals torch.nn.CrossEntropyLoss(weight, ignore_index, label_smoothing, reduction), whose classes are
///            dimension 1, here the last one; optax.softmax_cross_entropy(_with_integer_labels),
///            LigerCrossEntropyLoss without its lse_square_scale and softcap. The mean
///            divides by Σ s_i w_{y_i} over the samples that are not ignored, with probabilities by Σ s_i,
///            however much they sum to. Where PyTorch errs: an ignored sample that holds NaN gets a NaN
///            gradient; a probability 0 of a logit −∞ gives NaN, not 0; in float the gradient of a prediction
///            with 1 − p_y < 6e-8 is 0, not p_y − 1.
/// Shapes:    z, t (…, K); labels (…) of any integer type; class weights (K); per-sample values (…); d_z, d_t
///            like z. Any strides. (A tensor typed at run time in the place of y holds labels.)
/// Units:     nats.
/// Precision: p_y − 1 is formed from the other probabilities, before rounding; ≥ 0 if all t are.
/// Edge:      ignored samples have loss 0 and gradient 0, even if they hold NaN; probabilities have no
///            ignored index, a sample weight of 0 does the same. If all samples are ignored the mean is NaN,
///            as in PyTorch, with gradients 0; with sample weights it is 0. A logit −∞ is a class of
///            probability 0: loss ∞ if τ > 0 there,
///            else nothing. A row of nothing but −∞, or with +∞ or NaN, gives NaN for that row only. K = 1
///            gives 0: one logit for yes or no is for binary_cross_entropy_loss. A loss beyond the largest number of
///            the type is ∞, with ε > 0 also one whose Σ_k (lse − z_k) is; its gradient is finite. Probabilities are not
///            checked; one of ±∞ gives ±∞ or NaN.
/// Errors:    shape_error, argument_error (a label outside [0, K), ε outside [0, 1], weights < 0), before any
///            write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   cross_entropy_loss{.label_smoothing = 0.1}.value_and_grad(z, labels, d_z, class_weights(w))
struct cross_entropy_loss {
  double label_smoothing = 0;
  index_t ignore_index = -100;
  sage::reduction reduction = sage::reduction::mean;

  static constexpr char const* name = "cross_entropy_loss";
  static constexpr char const* input_names[1] = {"logits"};
  static constexpr char const* gradient_names[1] = {"d_logits"};
  static constexpr bool has_labels = true;
  static constexpr index_t smallest_length = 1;

  cross_entropy_formula formula() const noexcept { return {label_smoothing}; }
  void validate() const {
    detail::require_no_defect(name, {detail::unless_share("label_smoothing", label_smoothing)});
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::with_targets<detail::member::value>(
        *this, [](auto const& of, auto&... a) { return detail::evaluation(of).value(a...); }, args...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::with_targets<detail::member::value_and_grad>(
        *this, [](auto const& of, auto&... a) { return detail::evaluation(of).value_and_grad(a...); },
        args...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::with_targets<detail::member::per_sample>(
        *this, [](auto const& of, auto&... a) { detail::evaluation(of).per_sample(a...); }, args...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::with_targets<detail::member::backward>(
        *this, [](auto const& of, auto&... a) { detail::evaluation(of).backward(a...); }, args...);
  }
};

SAGE_ABI_END
}  // namespace sage
