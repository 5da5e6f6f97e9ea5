#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/scaled_divergence.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Consistency of two rows of logits: the divergence of their distributions at a temperature.
///
///   l_i = f D(softmax(s z_i/T), softmax(s z⁺_i/T)),    D = Jensen-Shannon by default,    f = 1, or T²
///   JS = ½ KL(p‖m) + ½ KL(q‖m),  m = ½ (p + q)
///   ∂JS/∂z = 1/(2T) · p (log(p/m) − KL(p‖m)),   ∂JS/∂z⁺ = 1/(2T) · q (log(q/m) − KL(q‖m))
///
/// Members:   loss(z, z⁺), loss.value_and_grad(z, z⁺, d_z, d_z⁺), loss.per_sample(z, z⁺, out),
///            loss.backward(upstream, z, z⁺, d_z, d_z⁺). sage::skip in place of d_z stops the gradient on
///            that side: z is then a fixed teacher. weights(w) last; a sample of weight 0 is ignored,
///            whatever it holds.
/// Divergences: jensen_shannon, skewed_jensen_shannon (β KL(p‖m) + (1−β) KL(q‖m)), kullback_leibler, reverse_kullback_leibler, jeffreys, squared_hellinger,
///            total_variation, soft_cross_entropy, generalized_jensen_shannon (KL at β = 0 and 1),
///            squared_error (of the logits), or a class of the user's like them.
/// Options:   temperature_squared multiplies by T², so that gradients keep their size at any T (Hinton,
///            Vinyals and Dean, 2015); logit_scale s multiplies the logits before T divides them, which T²
///            does not see.
/// Source:    Lin, IEEE Trans. Inf. Theory 1991. Evaluated without the textbook formula's cancellation, see
///            formula/jensen_shannon.hpp; PyTorch has no such function (two kl_div calls lose all digits at z
///            ≈ z⁺). consistency_loss<kullback_leibler> is kl_div(log_softmax(z⁺/T), log_softmax(z/T),
///            log_target=True) with reduction batchmean, which errs: NaN where a class has the probability 0
///            in z, and values below 0. Of log-probabilities as logits the same is LigerKLDIVLoss(log_target=True)
///            with reduction batchmean, and the mean of optax.losses.kl_divergence(log q, p).
/// Shapes:    z, z⁺ (…, K), K ≥ 1; per-sample values (…); gradients like their inputs. Any strides.
/// Units:     nats; between 0 and ln 2.
/// Precision: never negative. Largest relative errors of the value and of the norms of the gradients against 113 bits,
///            perturbations of the logits 1e-6 … 1e2 and constants between rows of K normal numbers of deviation 2,
///            β 0.1, 0.5, 0.9:
///
///                  K (T 1e-2 … 1e2)   1  2        3        10       100      1000     10 000   100 000
///              float:   value         0  2.6e-06  3.1e-06  2.3e-06  3.1e-06  5.5e-07  4.2e-07  6.0e-07
///                       gradients     0  2.7e-06  2.5e-06  1.4e-06  5.1e-07  4.8e-07  3.9e-07  4.3e-07
///              double:  value         0  1.4e-14  1.3e-14  1.2e-14  4.0e-15  3.5e-15  1.0e-15  1.7e-15
///                       gradients     0  1.8e-15  1.8e-15  1.8e-15  9.6e-16  1.9e-15  1.0e-15  1.7e-15
///                  T (all K)             1e-2     1e-1     1        10       100
///              float:   value            3.1e-06  2.7e-06  1.8e-06  1.2e-06  1.2e-06
///
///            That is with AVX2; without fused multiply-add (SSE2) up to 5.2e-6 and 4.0e-6. Printed by
///            tests/loss/jensen_shannon_table.cpp. Not held to relative errors are gradients where one class has
///            all probability but for rounding (a fifth of the cases at K ≤ 10, most of them at T = 1e-2), whose
///            error is some units of the value over T, and values which a class could dominate that underflows.
///            The other divergences: at most 1.6e-6 for the value and 9.1e-7 for the gradients in float, 9e-16 in
///            double (tests/loss/divergences.cpp).
/// Edge:      a logit −∞ is a class of probability 0, and so is one that underflows; a row of nothing but −∞, or
///            with +∞ or NaN, gives NaN for that row only; K = 1 (one logit for yes or no: binary_consistency_loss) and
///            equal rows give 0 with gradient 0; finite
///            logits up to the largest float are exact in this sense, too. N = 0 has the mean NaN. As β → 0 or 1
///            skewed_jensen_shannon → 0, JS/β → KL(p‖q) and JS/(1−β) → KL(q‖p); β = 0 and 1 themselves are for
///            generalized_jensen_shannon.
/// Errors:    shape_error, argument_error (temperature or logit_scale ≤ 0 or beyond 1e±18, β out of range), before any
///            write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   examples/quickstart.cpp
template <class Divergence = jensen_shannon>
struct consistency_loss {
  double temperature = 1;
  bool temperature_squared = false;
  double logit_scale = 1;
  sage::reduction reduction = sage::reduction::mean;
  Divergence divergence{};

  static constexpr char const* name = "consistency_loss";
  static constexpr char const* input_names[2] = {"logits", "other logits"};
  static constexpr char const* gradient_names[2] = {"d_logits", "d_other_logits"};
  static constexpr bool has_labels = false;
  static constexpr index_t smallest_length = 1;

  auto formula() const noexcept {
    double const factor = temperature_squared ? temperature * temperature : 1.0;
    if constexpr (requires { typename Divergence::row_program; }) {
      return typename Divergence::row_program{temperature / logit_scale, factor};
    } else {
      scaled_divergence<Divergence> f;
      f.divergence = divergence;
      f.temperature = temperature / logit_scale;
      f.factor = factor;
      return f;
    }
  }
  void validate() const {
    detail::require_no_defect(
        name, {detail::unless_temperature("temperature", temperature),
               detail::unless_temperature("logit_scale", logit_scale), detail::defect_of(divergence)});
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
