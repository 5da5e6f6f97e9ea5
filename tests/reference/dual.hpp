#pragma once

#include <sage/core/index.hpp>

#include <cmath>
#include <concepts>
#include <limits>

/// A number of forward-mode automatic differentiation, as a user of the library may bring one: value and derivative
/// along one direction. Its functions are found by argument-dependent lookup.
namespace autodiff {

struct dual {
  double value = 0, derivative = 0;

  dual() = default;
  template <class Number>
    requires std::is_arithmetic_v<Number>
  constexpr dual(Number v, double d = 0) : value(static_cast<double>(v)), derivative(d) {}
  explicit operator double() const { return value; }

  friend dual operator+(dual x, dual y) { return {x.value + y.value, x.derivative + y.derivative}; }
  friend dual operator-(dual x, dual y) { return {x.value - y.value, x.derivative - y.derivative}; }
  friend dual operator-(dual x) { return {-x.value, -x.derivative}; }
  friend dual operator*(dual x, dual y) {
    return {x.value * y.value, x.derivative * y.value + x.value * y.derivative};
  }
  friend dual operator/(dual x, dual y) {
    double const q = x.value / y.value;
    return {q, (x.derivative - q * y.derivative) / y.value};
  }
  friend bool operator==(dual x, dual y) { return x.value == y.value; }
  friend auto operator<=>(dual x, dual y) { return x.value <=> y.value; }

  friend dual exp(dual x) { return {std::exp(x.value), std::exp(x.value) * x.derivative}; }
  friend dual expm1(dual x) { return {std::expm1(x.value), std::exp(x.value) * x.derivative}; }
  friend dual log(dual x) { return {std::log(x.value), x.derivative / x.value}; }
  friend dual log1p(dual x) { return {std::log1p(x.value), x.derivative / (1 + x.value)}; }
  friend dual sqrt(dual x) { return {std::sqrt(x.value), x.derivative / (2 * std::sqrt(x.value))}; }
};

}  // namespace autodiff

template <>
struct std::numeric_limits<autodiff::dual> : std::numeric_limits<double> {
  static autodiff::dual infinity() { return std::numeric_limits<double>::infinity(); }
  static autodiff::dual quiet_NaN() { return std::numeric_limits<double>::quiet_NaN(); }
};
