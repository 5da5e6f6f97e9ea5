#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <cmath>

namespace sage {

/// Which values of a map become 0 and 1.
///
///   none      0 and 1/scale stay what they are: s = scale · m
///   min_max   the smallest and the largest of the map
///   max       zero and the largest of the map
enum class normalize { none, min_max, max };

SAGE_ABI_BEGIN
namespace detail {

/// The smallest and the largest value of a plane.
template <class A>
struct value_range {
  A low, high;

  SAGE_HD void add(A const& x) noexcept {
    if (x < low) low = x;
    if (x > high) high = x;
  }
  /// Nothing to tell salient from not: the values differ by at most `guard` times the largest of them.
  SAGE_HD bool is_constant(A guard) const noexcept {
    A const largest = high > -low ? high : -low;
    return !(high - low > guard * largest);
  }
};

/// s = clamp((m − offset) · factor, 0, 1)^strength, then 1 − s if inverted.
template <class A>
struct map_values {
  sage::normalize normalization;
  A scale, strength, guard;
  bool invert;

  struct normalized {
    A offset, factor;
    bool constant;
  };
  SAGE_HD normalized normalization_of(value_range<A> const& r) const noexcept {
    bool const constant = r.is_constant(guard);
    if (normalization == sage::normalize::min_max)
      return {r.low, constant ? A(0) : A(1) / (r.high - r.low), constant};
    if (normalization == sage::normalize::max) return {A(0), r.high > A(0) ? A(1) / r.high : A(0), constant};
    return {A(0), scale, constant};
  }

  SAGE_HD A prepared(A const& m, normalized const& by) const {
    A s = (m - by.offset) * by.factor;
    s = s > A(0) ? (s < A(1) ? s : A(1)) : A(0);
    using std::pow;
    if (strength != A(1)) s = pow(s, strength);
    return invert ? A(1) - s : s;
  }

  /// Does a map tell anything, whose prepared values have this range?
  SAGE_HD bool tells(normalized const& by, value_range<A> const& of_prepared) const noexcept {
    return !by.constant && of_prepared.high - of_prepared.low > guard;
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
