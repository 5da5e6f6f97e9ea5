#pragma once

#include <sage/core/config.hpp>

#include <initializer_list>

namespace sage {

/// What is wrong with an option of a loss, a distance, a divergence or a check: "beta is 2, expected between 0 and 1".
/// Without a name nothing is wrong.
struct option_defect {
  char const* name = nullptr;
  double got = 0;
  char const* expected = "";
};

SAGE_ABI_BEGIN
namespace detail {

// Rows may be computed in float: an option, its square and its reciprocal must be finite there, too. NaN fails every
// comparison.

/// A margin, a weight, an eps that may be 0.
constexpr option_defect unless_non_negative(char const* name, double x) noexcept {
  if (!(x >= 0)) return {name, x, ">= 0"};
  return x <= 1e18 ? option_defect{} : option_defect{name, x, "at most 1e18"};
}

/// A divisor.
constexpr option_defect unless_positive(char const* name, double x) noexcept {
  if (!(x > 0)) return {name, x, "> 0"};
  return x >= 1e-37 && x <= 1e18 ? option_defect{} : option_defect{name, x, "between 1e-37 and 1e18"};
}

/// A temperature or a scale of logits: T² and 1/T² must not vanish either.
constexpr option_defect unless_temperature(char const* name, double x) noexcept {
  if (!(x > 0)) return {name, x, "> 0"};
  return x >= 1e-18 && x <= 1e18 ? option_defect{} : option_defect{name, x, "between 1e-18 and 1e18"};
}

/// A share, such as label smoothing.
constexpr option_defect unless_share(char const* name, double x) noexcept {
  return x >= 0 && x <= 1 ? option_defect{} : option_defect{name, x, "between 0 and 1"};
}

/// The first defect of several.
constexpr option_defect first_of(std::initializer_list<option_defect> defects) noexcept {
  for (option_defect const& d : defects)
    if (d.name != nullptr) return d;
  return {};
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
