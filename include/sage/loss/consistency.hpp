#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/softmax_divergence.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Consistency of two rows of logits: the divergence of their distributions at a temperature.
///
///   l_i = D(softmax(z_i/T), softmax(z⁺_i/T)),    D = Jensen-Shannon by default
///   JS = β KL(p‖m) + (1−β) KL(q‖m),  m = βp + (1−β)q
///   ∂JS/∂z = β/T · p (log(p/m) − KL(p‖m)),   ∂JS/∂z⁺ = (1−β)/T · q (log(q/m) − KL(q‖m))
///
/// Members:   loss(z, z⁺), loss.value_and_grad(z, z⁺, d_z, d_z⁺), loss.per_sample(z, z⁺, out),
///            loss.backward(upstream, z, z⁺, d_z, d_z⁺). sage::skip in place of d_z stops the gradient on that side.
/// Source:    Lin, IEEE Trans. Inf. Theory 1991. Evaluated without the textbook formula's cancellation, see
///            formula/jensen_shannon.hpp; PyTorch has no such function (two kl_div calls lose all digits at z ≈ z⁺).
/// Shapes:    z, z⁺ (…, K), K ≥ 1; per-sample values (…); gradients like their inputs. Any strides.
/// Units:     nats; at β = ½ between 0 and ln 2.
/// Precision: never negative. Largest relative errors of the value and of the norms of the gradients against 113 bits,
///            perturbations of the logits 1e-6 … 1e2 of rows of K normal numbers of deviation 2, β 0.1, 0.5, 0.9:
///
///                  K (T 1e-2 … 1e2)   1  2        3        10       100      1000     10 000   100 000
///              float:   value         0  1.9e-05  2.0e-05  1.4e-05  3.8e-06  4.1e-06  2.7e-06  7.4e-06
///                       gradients     0  4.4e-06  9.5e-06  3.5e-06  2.8e-06  7.2e-07  2.9e-06  1.7e-06
///              double:  value         0  1.4e-14  1.3e-14  1.2e-14  3.8e-15  2.0e-15  2.9e-15  1.4e-14
///                  T (all K)             1e-2     1e-1     1        10       100
///              float:   value            1.1e-05  2.0e-05  6.3e-06  6.0e-06  6.3e-06
///
///            Above 1e-5 only where logits lie more than 16 T below their row's maximum and decide the value. Printed
///            by tests/loss/jensen_shannon_table.cpp, which states what saturated gradients are held to.
/// Edge:      a logit −∞ is a class of probability 0, and so is one that underflows; a row of nothing but −∞, or with
///            +∞ or NaN, gives NaN for that row only; K = 1 and equal rows give 0 with gradient 0. Finite logits up to
///            the largest float are exact in this sense, too, and a constant added to one row costs no digit.
/// Errors:    shape_error, argument_error (temperature ≤ 0, β outside (0, 1)), before any write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   examples/quickstart.cpp
template <class Divergence = jensen_shannon>
struct consistency_loss {
  double temperature = 1;
  sage::reduction reduction = sage::reduction::mean;
  Divergence divergence{};

  static constexpr char const* name = "consistency_loss";
  static constexpr char const* input_names[2] = {"logits", "other logits"};
  static constexpr char const* gradient_names[2] = {"d_logits", "d_other_logits"};
  static constexpr bool has_labels = false;
  static constexpr index_t smallest_length = 1;

  softmax_divergence<Divergence> formula() const noexcept { return {divergence, temperature}; }
  void validate() const {
    if (!(temperature > 0)) detail::raise<argument_error>(name, ": temperature is ", temperature, ", expected > 0");
    if (!divergence.valid()) detail::raise<argument_error>(name, ": the divergence's options are out of range (beta)");
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
