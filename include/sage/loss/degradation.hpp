#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/degradation_checks.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Check of the degraded copy: its distribution shall say nothing.   l = D(p⁻, uniform); operand z⁻.
template <class Divergence = jensen_shannon>
struct toward_uniform {
  Divergence divergence{};

  static constexpr char const* input_names[1] = {"degraded logits"};
  static constexpr char const* gradient_names[1] = {"d_degraded_logits"};
  uniform_formula<Divergence> formula(double temperature) const noexcept {
    return {{divergence, temperature}};
  }
  constexpr option_defect defect() const noexcept { return detail::defect_of(divergence); }
};

/// Check of the degraded copy: its distribution shall differ from the image's.   l = max(0, m − D(p, p⁻));
/// operands z, z⁻. JS never exceeds ln 2 = 0.693: a greater margin is always active.
template <class Divergence = jensen_shannon>
struct repel {
  double margin = 0.1;
  Divergence divergence{};

  static constexpr char const* input_names[2] = {"logits", "degraded logits"};
  static constexpr char const* gradient_names[2] = {"d_logits", "d_degraded_logits"};
  repel_formula<Divergence> formula(double temperature) const noexcept {
    repel_formula<Divergence> f;
    f.divergence = divergence;
    f.temperature = temperature;
    f.margin = margin;
    return f;
  }
  constexpr option_defect defect() const noexcept {
    return detail::first_of({detail::unless_non_negative("margin", margin), detail::defect_of(divergence)});
  }
};

/// Check of the degraded copy: it shall differ more from the image than the preserved copy does.
///   l = max(0, D(p, p⁺) − D(p, p⁻) + m); operands z, z⁺, z⁻.
template <class Divergence = jensen_shannon>
struct rank {
  double margin = 0.1;
  Divergence divergence{};

  static constexpr char const* input_names[3] = {"logits", "preserved logits", "degraded logits"};
  static constexpr char const* gradient_names[3] = {"d_logits", "d_preserved_logits", "d_degraded_logits"};
  rank_formula<Divergence> formula(double temperature) const noexcept {
    return {{divergence, temperature}, margin};
  }
  constexpr option_defect defect() const noexcept {
    return detail::first_of({detail::unless_non_negative("margin", margin), detail::defect_of(divergence)});
  }
};

/// No check of the degraded copy's logits.
struct no_check {};

/// Degradation check: what the logits of the salience-degraded copy x⁻ are held to. The paper's public text does not
/// fix it, so the check is a type: toward_uniform, repel, rank, or the user's own.
///
/// Members:   as many logits as the check has operands, (z⁻), (z, z⁻) or (z, z⁺, z⁻), then their gradients; see
///            consistency_loss, whose precision, edges and costs hold here too.
/// Divergences: those of consistency_loss but squared_error, which is of logits.
/// Shapes:    logits (…, K), K ≥ 1; per-sample values (…).
/// Units:     nats.
/// Options:   a temperature T of logits times s is the temperature T/s here; a factor T² is a weight of the loss.
/// Source:    ours: JS(p⁻, uniform) is the divergence that Lin, IEEE Trans. Inf. Theory 1991 defines, repel and rank are
///            its hinges. No other library has them; toward_uniform<kullback_leibler> is log K − H(p⁻), the confidence
///            penalty of Pereyra et al., arXiv 1701.06548, but for its sign and constant.
/// Precision: as consistency_loss, for each divergence; a hinge's relative to its margin.
/// Edge:      where a hinge is exactly 0 the gradient passes. `active` counts the samples with l > 0 for repel and
///            rank, all samples for toward_uniform.
/// Errors:    shape_error, argument_error (temperature ≤ 0 or beyond 1e±18, margin < 0 or infinite), before any write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   degradation_loss<sage::repel<>>{.check = {.margin = 0.2}}(z, z_minus)
template <class Check = toward_uniform<>>
struct degradation_loss {
  static_assert(!std::is_same_v<Check, no_check>, "sage: degradation_loss<no_check> has nothing to compute");

  double temperature = 1;
  sage::reduction reduction = sage::reduction::mean;
  Check check{};

  static constexpr char const* name = "degradation_loss";
  static constexpr auto& input_names = Check::input_names;
  static constexpr auto& gradient_names = Check::gradient_names;
  static constexpr bool has_labels = false;
  static constexpr index_t smallest_length = 1;

  auto formula() const noexcept { return check.formula(temperature); }
  void validate() const {
    detail::require_no_defect(
        name, {detail::unless_temperature("temperature", temperature), detail::defect_of(check)});
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
