#pragma once
/// Eigen::AutoDiffScalar as the element of every loss, on the scalar schedule: values and derivatives of the losses
/// along with the user's own forward-mode expressions. Tensors of it are Eigen matrices (adapt/eigen.hpp) or any other.
///
/// Example:   std::vector<Eigen::AutoDiffScalar<Eigen::Vector2d>> a, p, n;  …
///            auto r = sage::triplet_margin_loss{}(a, p, n);  r.value.value(), r.value.derivatives()

#include <sage/adapt/eigen.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>

#include <unsupported/Eigen/AutoDiff>

#include <cmath>
#include <limits>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN

/// An AutoDiffScalar whose operators give values where Eigen's give expressions: what formulas are computed in, and
/// the type of a loss's value. It has what Eigen lacks, expm1 and log1p.
template <class Derivatives>
struct autodiff_value : Eigen::AutoDiffScalar<Derivatives> {
  using base = Eigen::AutoDiffScalar<Derivatives>;
  using number = typename base::Scalar;

  autodiff_value() : base(number(0)) {}
  autodiff_value(base const& x) : base(x) {}
  template <class Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
  autodiff_value(Number x) : base(static_cast<number>(x)) {}

  friend autodiff_value operator+(autodiff_value const& x, autodiff_value const& y) {
    return base(eigen(x) + eigen(y));
  }
  friend autodiff_value operator-(autodiff_value const& x, autodiff_value const& y) {
    return base(eigen(x) - eigen(y));
  }
  friend autodiff_value operator-(autodiff_value const& x) { return base(-eigen(x)); }
  friend autodiff_value operator*(autodiff_value const& x, autodiff_value const& y) {
    return base(eigen(x) * eigen(y));
  }
  friend autodiff_value operator/(autodiff_value const& x, autodiff_value const& y) {
    return base(eigen(x) / eigen(y));
  }

  friend bool operator==(autodiff_value const& x, autodiff_value const& y) { return x.value() == y.value(); }
  friend bool operator<(autodiff_value const& x, autodiff_value const& y) { return x.value() < y.value(); }
  friend bool operator>(autodiff_value const& x, autodiff_value const& y) { return x.value() > y.value(); }
  friend bool operator<=(autodiff_value const& x, autodiff_value const& y) { return x.value() <= y.value(); }
  friend bool operator>=(autodiff_value const& x, autodiff_value const& y) { return x.value() >= y.value(); }

  friend autodiff_value exp(autodiff_value const& x) { return base(exp(eigen(x))); }
  friend autodiff_value log(autodiff_value const& x) { return base(log(eigen(x))); }
  friend autodiff_value sqrt(autodiff_value const& x) { return base(sqrt(eigen(x))); }
  friend autodiff_value expm1(autodiff_value const& x) {
    return base(std::expm1(x.value()), std::exp(x.value()) * x.derivatives());
  }
  friend autodiff_value log1p(autodiff_value const& x) {
    return base(std::log1p(x.value()), x.derivatives() / (number(1) + x.value()));
  }

 private:
  static base const& eigen(autodiff_value const& x) { return x; }
};

SAGE_ABI_END

template <class Derivatives>
struct accumulator_for<Eigen::AutoDiffScalar<Derivatives>> {
  using type = autodiff_value<Derivatives>;
};

}  // namespace sage

/// Limits are of the type itself: compared with a number, Eigen's operators and those above would be ambiguous.
template <class Derivatives>
struct std::numeric_limits<sage::autodiff_value<Derivatives>>
    : std::numeric_limits<typename sage::autodiff_value<Derivatives>::number> {
  using value = sage::autodiff_value<Derivatives>;
  using of_number = std::numeric_limits<typename value::number>;
  static value min() noexcept { return of_number::min(); }
  static value max() noexcept { return of_number::max(); }
  static value lowest() noexcept { return of_number::lowest(); }
  static value epsilon() noexcept { return of_number::epsilon(); }
  static value infinity() noexcept { return of_number::infinity(); }
  static value quiet_NaN() noexcept { return of_number::quiet_NaN(); }
};
