#pragma once

#include "reference/batch.hpp"
#include "reference/tape.hpp"
#include "reference/tolerances.hpp"

#include <sage/formula/skewed_jensen_shannon.hpp>
#include <sage/loss/consistency.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

/// The errors of the Jensen-Shannon consistency loss in float and double against its definition in 113 bits: what the
/// default test asserts for a few cases, and jensen_shannon_table.cpp tabulates for all.
namespace jensen_shannon_errors {

using namespace reference;

/// log(m/p) = log1p((m − p)/p): the textbook's sum cancels in 113 bits, too, where one class has nearly all
/// probability, and the logarithm must be known to more than the rounding of m/p.
template <class R>
R log_ratio(R const& p, R const& m, R const& difference) {
  R const x = difference / p;
  if (x > R(real(1) / 16) || R(real(-1) / 16) > x) return log(m) - log(p);
  R const s = x / (R(2) + x), s2 = s * s;  // 2 artanh s, 2^−10 a term
  R sum = 0;
  for (int k = 12; k >= 0; --k) sum = sum * s2 + R(real(1) / (2 * k + 1));
  return R(2) * s * sum;
}

/// β Σ p log(p/m) + (1−β) Σ q log(q/m) of p = softmax(z/T), q = softmax(z′/T); m − p = (1−β)(q − p),
/// m − q = β (p − q). R is real or taped.
template <class R>
R definition(std::vector<R> const& z, std::vector<R> const& other, real temperature, real beta) {
  auto const softmax = [&](std::vector<R> const& logits) {
    R max = logits[0];
    for (R const& x : logits)
      if (x > max) max = x;
    std::vector<R> p;
    R sum = 0;
    for (R const& x : logits) {
      p.push_back(exp((x - max) / temperature));
      sum = sum + p.back();
    }
    for (R& x : p) x = x / sum;
    return p;
  };
  auto const p = softmax(z), q = softmax(other);
  R total = 0;
  for (std::size_t k = 0; k < p.size(); ++k) {
    R const m = beta * p[k] + (1 - beta) * q[k], d = q[k] - p[k];
    if (p[k] > R(0)) total = total - beta * p[k] * log_ratio(p[k], m, (1 - beta) * d);
    if (q[k] > R(0)) total = total - (1 - beta) * q[k] * log_ratio(q[k], m, R(0) - beta * d);
  }
  return total;
}

/// Value and both gradients of one row in 113 bits.
struct exact {
  real value;
  row gradient[2];

  exact(std::vector<double> const& z, std::vector<double> const& other, double temperature, double beta) {
    auto& record = tape::current();
    record.clear();
    std::vector<taped> x[2];
    for (double const v : z) x[0].push_back(record.variable(v));
    for (double const v : other) x[1].push_back(record.variable(v));
    taped const l = definition(x[0], x[1], real(temperature), real(beta));
    auto const g = record.gradient(l);
    value = l.value;
    auto const middle = g.begin() + static_cast<std::ptrdiff_t>(z.size());
    gradient[0].assign(g.begin(), middle);
    gradient[1].assign(middle, middle + static_cast<std::ptrdiff_t>(other.size()));
    record.clear();
  }
};

/// The largest errors of many cases.
struct errors {
  double value = 0, gradient = 0;
  int cases = 0;
  int saturated = 0;   // gradients that are the rounding of nearly equal numbers, see tolerances.hpp
  int underflows = 0;  // values that classes may dominate whose probability is not a normal number
  bool negative = false, non_finite = false;

  bool within(double limit) const { return value <= limit && gradient <= limit && !negative && !non_finite; }
  void add(errors const& e) {
    value = std::max(value, e.value);
    gradient = std::max(gradient, e.gradient);
    cases += e.cases;
    saturated += e.saturated;
    underflows += e.underflows;
    negative = negative || e.negative;
    non_finite = non_finite || e.non_finite;
  }
};

/// The errors of one row in T. A logit's gradient is p (log(p/m) − KL)/T: where p = 1 all but exactly, both terms are
/// nearly equal, and rounding of the order of the value, and the value's own error, over T are taken off its error.
template <class T, class Loss>
errors errors_of(std::vector<double> const& z, std::vector<double> const& other, Loss const& loss,
                 exact const& expected) {
  using limits = std::numeric_limits<T>;
  tolerances<T> const tolerance;
  auto const x = to<T>(z), y = to<T>(other);
  std::vector<T> g[2]{std::vector<T>(z.size()), std::vector<T>(z.size())};
  double const temperature = loss.temperature;
  T const value = loss.value_and_grad(x, y, g[0], g[1]).value;

  errors e;
  e.cases = 1;
  e.negative = !(value >= 0);
  e.non_finite = !std::isfinite(value);
  // A class whose probability p is not a normal number is lost, p |log(p/m)| ≤ p log(1/p): up to 88 smallest normal
  // numbers in float. Where K of these are 1e-5 of the loss or more, only the absolute error says something.
  real const smallest = real(limits::min()) * -log(real(limits::min())) * real(static_cast<double>(z.size()));
  if (expected.value < smallest * 100000) {
    e.underflows = 1;
    bool const small = magnitude(value - expected.value) <= smallest;
    e.value = small ? 0 : std::numeric_limits<double>::infinity();
  } else {
    e.value = relative(value, expected.value);
  }
  // The reference's gradient is a difference of numbers of size p, good to some 2^−113 of them.
  real const resolution = 0x1p-106 / real(temperature);
  for (int k = 0; k < 2; ++k) {
    relative_error of;
    for (std::size_t j = 0; j < z.size(); ++j) {
      of.add(g[k][j], expected.gradient[k][j]);
      e.non_finite = e.non_finite || !std::isfinite(g[k][j]);
    }
    real const cancellation = (tolerance.jensen_shannon_cancellation + e.value) * expected.value;
    real const rounding = (cancellation + smallest) / real(temperature) + resolution;
    if (rounding >= of.norm() / 2) {
      ++e.saturated;
      if (of.difference() > rounding + of.norm()) e.gradient = std::numeric_limits<double>::infinity();
    } else {
      e.gradient = std::max(e.gradient, of.value(rounding));
    }
  }
  return e;
}

/// The bound on both errors: what DESIGN section 5 asks for, at every temperature. An exponent x = (z − max)/T is off by
/// 2^−24 |x| at most, since z − max is rounded; p and q share that error where they are near, so that it is one of
/// their scale: 5e-6 at |x| = 88, where probabilities underflow.
template <class T>
double bound() {
  return tolerances<T>{}.jensen_shannon;
}

/// Errors of rows of `classes` logits, normal with standard deviation 2, against others at a perturbation of
/// 10^decade, every second row with a constant added, which changes no distribution. All are exact in float.
inline void measure(index_t classes, int decade, double temperature, double beta, int rows, errors& in_float,
                    errors& in_double) {
  for (int i = 0; i < rows; ++i) {
    auto const seed = static_cast<std::uint64_t>(1000 * classes + 100 * i + decade + 50);
    auto const z = normal_values(classes, seed, 2);
    auto other = normal_values(classes, seed + 7, std::pow(10, decade));
    double const shift = i % 2 == 1 ? normal_values(1, seed + 11, 3)[0] : 0;
    for (std::size_t j = 0; j < z.size(); ++j) other[j] = static_cast<float>(z[j] + other[j] + shift);
    exact const expected(z, other, temperature, beta);
    auto const add = [&](auto const& loss) {
      in_float.add(errors_of<float>(z, other, loss, expected));
      in_double.add(errors_of<double>(z, other, loss, expected));
    };
    if (beta == 0.5) {
      add(sage::consistency_loss<>{.temperature = temperature});
    } else {
      add(sage::consistency_loss<sage::skewed_jensen_shannon>{.temperature = temperature,
                                                              .divergence = {.beta = beta}});
    }
  }
}

}  // namespace jensen_shannon_errors
