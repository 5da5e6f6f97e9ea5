#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/bernoulli_divergence.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/loss/evaluate.hpp>
#include <sage/loss/reduction.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Consistency of yes-or-no labels, one logit each: the divergence of their distributions at a temperature.
///
///   l_i = f M_k D((p_k, 1 − p_k), (q_k, 1 − q_k)),   p = σ(s z_i/T),  q = σ(s z⁺_i/T),    f = 1, or T²
///
/// M is the mean over the K labels of a row, or their sum. With one label it is consistency_loss of the
/// logits (z, 0).
///
/// Members:   loss(z, z⁺), loss.value_and_grad(z, z⁺, d_z, d_z⁺), loss.per_sample(z, z⁺, out),
///            loss.backward(upstream, z, z⁺, d_z, d_z⁺); sage::skip in place of d_z stops the gradient on
///            that side. weights(w) last; a sample of weight 0 is ignored.
/// Divergences: those of consistency_loss but squared_error, or the user's own.
/// Source:    as consistency_loss; no function of PyTorch. Kullback-Leibler plus the entropy of p is
///            binary_cross_entropy_with_logits(z⁺, σ(z)), whose differences lose all digits at z ≈ z⁺.
/// Shapes:    z, z⁺ (…, K), K ≥ 1; a single logit per sample is (N, 1); per-sample values (…); gradients like
///            their inputs. Any strides.
/// Units:     nats; Jensen-Shannon at β = ½ between 0 and ln 2 for each label.
/// Precision: in float relative error ≤ 1e-5 for perturbations from 1e-6 to 1e2, also where σ is saturated;
///            never negative.
/// Edge:      equal logits, also infinite ones, contribute 0; ±∞ is certainty, and other logits beside it
///            have the divergence of certain distributions; NaN makes its row NaN.
/// Errors:    shape_error, argument_error (temperature or logit_scale ≤ 0 or beyond 1e±18, β out of range,
///            over_labels neither mean nor sum), before any write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   binary_consistency_loss<>{.temperature = 2}.value_and_grad(z, z_plus, d_z, d_z_plus)
template <class Divergence = jensen_shannon>
struct binary_consistency_loss {
  double temperature = 1;
  bool temperature_squared = false;
  double logit_scale = 1;
  sage::reduction over_labels = sage::reduction::mean;
  sage::reduction reduction = sage::reduction::mean;
  Divergence divergence{};

  static constexpr char const* name = "binary_consistency_loss";
  static constexpr char const* input_names[2] = {"logits", "other logits"};
  static constexpr char const* gradient_names[2] = {"d_logits", "d_other_logits"};
  static constexpr bool has_labels = false;
  static constexpr index_t smallest_length = 1;

  bernoulli_divergence<Divergence> formula() const noexcept {
    return {divergence, temperature / logit_scale, temperature_squared ? temperature * temperature : 1.0,
            over_labels == sage::reduction::mean};
  }
  void validate() const {
    detail::require_no_defect(name, {detail::unless_temperature("temperature", temperature),
                                     detail::unless_temperature("logit_scale", logit_scale),
                                     detail::defect_of(divergence)});
    if (over_labels != sage::reduction::mean && over_labels != sage::reduction::sum)
      detail::raise<argument_error>(name, ": over_labels is mean_active, expected mean or sum");
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
