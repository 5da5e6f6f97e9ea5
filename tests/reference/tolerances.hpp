#pragma once

#include "reference/real.hpp"

#include <cstddef>
#include <limits>
#include <ostream>

/// How near is near enough: the one place where tolerances stand (after stan-dev/math, test/unit/math/ad_tolerances.hpp).
namespace reference {

template <class T>
struct tolerances {
  static constexpr double epsilon = static_cast<double>(std::numeric_limits<T>::epsilon());

  /// Relative error of a value. Sums of up to 5000 terms in T with partial sums: tens of roundings.
  double value = 64 * epsilon;
  /// ‖computed − reference‖ / ‖reference‖ of a gradient. A coordinate is a difference of quantities of like size.
  double gradient = 64 * epsilon;
  /// What DESIGN section 5 requires of the Jensen-Shannon divergence in float, in units of float's epsilon.
  double jensen_shannon = 1e-5 / 1.1920929e-7 * epsilon;
  /// Its gradient is p (log(p/m) − KL): where a softmax is saturated both are nearly equal, and what is left is
  /// rounding of the order of the value, in units of the value over the temperature.
  double jensen_shannon_cancellation = 8 * epsilon;
};

/// ‖computed − reference‖₂ / ‖reference‖₂. Infinite where the comparison would be vacuous: an empty gradient, a
/// reference that vanishes, anything that is not finite.
class relative_error {
 public:
  void add(real computed, real expected) {
    difference_ += (computed - expected) * (computed - expected);
    norm_ += expected * expected;
  }
  /// `allowed` is taken off the difference: an absolute error that the caller has a reason for.
  double value(real allowed = 0) const {
    if (!(norm_ > 0)) return std::numeric_limits<double>::infinity();
    real const difference = sqrt(difference_);
    auto const r = static_cast<double>((difference < allowed ? 0 : difference - allowed) / sqrt(norm_));
    return r < std::numeric_limits<double>::infinity() ? r : std::numeric_limits<double>::infinity();
  }
  real norm() const { return sqrt(norm_); }
  real difference() const { return sqrt(difference_); }

 private:
  real difference_ = 0, norm_ = 0;
};

/// |computed − expected| / |expected|, infinite where expected is 0 or either is not finite.
inline double relative(real computed, real expected) {
  relative_error e;
  e.add(computed, expected);
  return e.value();
}

}  // namespace reference
