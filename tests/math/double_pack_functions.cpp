#include "catch.hpp"
#include "reference/batch.hpp"
#include "reference/real.hpp"

#include <sage/exec/isa.hpp>
#include <sage/math/functions.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#if SAGE_SIMD

// Errors against 113 bits. The bounds are those that the functions' documentation states.

using reference::real;
using sage::exec::isa;

namespace {

double const inf = std::numeric_limits<double>::infinity(),
             not_a_number = std::numeric_limits<double>::quiet_NaN(),
             largest = std::numeric_limits<double>::max(),
             denormal = std::numeric_limits<double>::denorm_min();

template <class F>
void at_every_width(F const& f) {
  for (isa const level : {isa::baseline, isa::avx2, isa::avx512})
    if (sage::exec::has_isa(level)) {
      CAPTURE(static_cast<int>(level));
      sage::exec::dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
        f(sage::pack<double, decltype(bytes)::value / 8>(0.0));
      });
    }
}

/// |computed − exact| in units of the last place of a double at `exact`.
double ulps(double computed, real exact) {
  int exponent = 0;
  static_cast<void>(std::frexp(static_cast<double>(exact), &exponent));
  double const unit = std::ldexp(1.0, std::max(exponent - 53, -1074));
  return std::abs(static_cast<double>((real(computed) - exact) / real(unit)));
}
double relative_units(double computed, real exact) {
  return std::abs(static_cast<double>((real(computed) - exact) / exact)) * 0x1p53;
}

/// e^x − 1 and log(1 + x), by their series where the differences would cancel.
real exact_expm1(real x) {
  if (reference::magnitude(x) > real(1) / 1024) return reference::exp(x) - 1;
  real s = 0, term = 1;
  for (int k = 1; k < 16; ++k) s += term *= x / k;
  return s;
}
real exact_log1p(real x) {
  if (reference::magnitude(x) > real(1) / 1024) return reference::log(1 + x);
  real s = 0, power = -1;
  for (int k = 1; k < 16; ++k) s += (power *= -x) / k;
  return s;
}

/// Keeps the largest error; NaN is infinitely wrong.
void see(double& worst, double error) { worst = std::max(worst, error == error ? error : inf); }

constexpr int samples = 20000;

/// Numbers of either sign and all sizes from 2^−60 to 2^10.
double sized(reference::random& r, int i) {
  double const size = std::exp2(70 * r.uniform() - 60);
  return i % 2 == 0 ? size : -size;
}

}  // namespace

TEST_CASE("exp, expm1, log and log1p of packs of double err by no more than documented") {
  double worst_exp = 0, worst_expm1 = 0, worst_log = 0, worst_log1p = 0;
  reference::random r(3);
  for (int i = 0; i < samples; ++i) {
    double const x = i % 4 == 0 ? 1440 * r.uniform() - 730 : std::clamp(sized(r, i), -745.0, 709.0);
    double const positive = std::exp2(i % 4 == 0 ? 2090 * r.uniform() - 1070 : 4 * r.uniform() - 2);
    double const above = std::max(i % 4 == 0   ? positive - 1
                                  : i % 4 == 1 ? 3 * r.uniform() - 1
                                               : sized(r, i),
                                  -1 + 0x1p-52);
    real const of_exp = reference::exp(x), of_expm1 = exact_expm1(x), of_log = reference::log(positive),
               of_log1p = exact_log1p(above);
    at_every_width([&](auto const& v) SAGE_INLINE_LAMBDA {
      using V = std::remove_cvref_t<decltype(v)>;
      if (x < 709) see(worst_exp, ulps(sage::math::exp(V(x)).v[0], of_exp));
      if (x < 709) see(worst_expm1, ulps(sage::math::expm1(V(x)).v[0], of_expm1));
      see(worst_log, ulps(sage::math::log(V(positive)).v[0], of_log));
      see(worst_log1p, ulps(sage::math::log1p(V(above)).v[0], of_log1p));
    });
  }
  CAPTURE(worst_exp, worst_expm1, worst_log, worst_log1p);
  CHECK((worst_exp > 0.5 && worst_exp <= 0.92));
  CHECK((worst_expm1 > 0.5 && worst_expm1 <= 1.4));
  CHECK((worst_log > 0.5 && worst_log <= 0.8));
  CHECK((worst_log1p > 0.5 && worst_log1p <= 0.8));
}

TEST_CASE("The functions of restricted range err by no more than documented on packs of double") {
  double worst_exp = 0, worst_scaled = 0, worst_ratio = 0, worst_gap = 0, worst_log = 0, worst_log1p = 0;
  double worst_defect = 0, worst_deficit = 0;
  reference::random r(4);
  for (int i = 1; i < samples; ++i) {
    double const u = static_cast<double>(i) / samples,
                 x = i % 2 == 0 ? -700 * r.uniform() : -std::exp2(-50 * r.uniform());
    double const small = i % 2 == 0 ? u / 4 : std::exp2(-60 * r.uniform() - 2), far = 1000 * u * u * u;
    double const fraction = i % 2 == 0 ? u : std::exp2(-40 * r.uniform());
    real deficit = 0;
    for (int k = 80; k > 0; --k) deficit = deficit * real(small) + real(1) / (k * (2 * k - 1));
    real defect = real(small) - exact_log1p(small);
    if (small < 0x1p-9) {
      defect = 0;
      real power = small;
      for (int k = 2; k < 16; ++k) defect += (power *= real(small)) / (k % 2 == 0 ? k : -k);
    }
    real const of_exp = reference::exp(x), of_scaled = reference::exp(real(x) * real(0.37)),
               gap = -exact_expm1(x), of_log = reference::log(far), of_log1p = exact_log1p(fraction),
               of_near = exact_log1p(small);
    at_every_width([&](auto const& v) SAGE_INLINE_LAMBDA {
      using V = std::remove_cvref_t<decltype(v)>;
      using namespace sage::math;
      see(worst_exp, relative_units(exp_of_product(V(x), exponent_factor_of<V>(1)).v[0], of_exp));
      see(worst_scaled, relative_units(exp_of_product(V(x), exponent_factor_of<V>(0.37)).v[0], of_scaled) -
                            std::abs(x * 0.37));
      auto const d = decay_of(V(x));
      see(worst_ratio, relative_units(d.ratio.v[0], of_exp));
      see(worst_gap, relative_units(d.gap.v[0], gap));
      see(worst_log1p, relative_units(log1p_of_fraction(V(fraction)).v[0], of_log1p));
      auto const near = log_or_log1p(V(0.0) < V(1.0), V(small)),
                 other = log_or_log1p(V(1.0) < V(0.0), V(far));
      see(worst_log, relative_units(near.log.v[0], of_near));
      if (std::abs(far - 1) > 0.3) see(worst_log, relative_units(other.log.v[0], of_log));
      see(worst_defect, relative_units(near.defect.v[0], defect));
      see(worst_deficit, relative_units(entropy_deficit(V(small)).v[0], deficit));
    });
  }
  CAPTURE(worst_exp, worst_scaled, worst_ratio, worst_gap, worst_log, worst_log1p, worst_defect,
          worst_deficit);
  CHECK((worst_exp > 0 && worst_exp <= 2));
  CHECK(worst_scaled <= 2);
  CHECK((worst_ratio > 0 && worst_ratio <= 2));
  CHECK((worst_gap > 0 && worst_gap <= 2));
  CHECK((worst_log > 0 && worst_log <= 2));
  CHECK((worst_log1p > 0 && worst_log1p <= 2.6));
  CHECK((worst_defect > 0 && worst_defect <= 3));
  CHECK((worst_deficit > 0 && worst_deficit <= 2));
}

TEST_CASE("Packs of double have the C library's values at the ends of their range, and where it has none") {
  at_every_width([&](auto const& v) SAGE_INLINE_LAMBDA {
    using V = std::remove_cvref_t<decltype(v)>;
    auto const exp = [](double x) SAGE_INLINE_LAMBDA { return sage::math::exp(V(x)).v[0]; };
    auto const expm1 = [](double x) SAGE_INLINE_LAMBDA { return sage::math::expm1(V(x)).v[0]; };
    auto const log = [](double x) SAGE_INLINE_LAMBDA { return sage::math::log(V(x)).v[0]; };
    auto const log1p = [](double x) SAGE_INLINE_LAMBDA { return sage::math::log1p(V(x)).v[0]; };
    CHECK((exp(0) == 1 && exp(-0.0) == 1 && exp(-inf) == 0 && exp(inf) == inf && exp(-largest) == 0 &&
           exp(largest) == inf));
    CHECK((exp(709.8) == inf && exp(709.7) < inf && exp(-745.2) == 0 && exp(-745) == denormal));
    CHECK((expm1(0) == 0 && expm1(-inf) == -1 && expm1(inf) == inf && expm1(denormal) == denormal &&
           expm1(-largest) == -1 && expm1(709.7) < inf));
    CHECK((log(1) == 0 && log(0) == -inf && log(-0.0) == -inf && log(inf) == inf && log(largest) < inf));
    CHECK((std::isnan(log(-1)) && std::isnan(log(-denormal)) && std::isnan(log(-inf))));
    CHECK(log(denormal) == std::log(denormal));
    CHECK((log1p(0) == 0 && log1p(-1) == -inf && log1p(inf) == inf && log1p(denormal) == denormal));
    CHECK((std::isnan(log1p(-1.5)) && std::isnan(log1p(-inf))));
    CHECK((std::isnan(exp(not_a_number)) && std::isnan(expm1(not_a_number)) &&
           std::isnan(log(not_a_number)) && std::isnan(log1p(not_a_number))));
    auto const of_product = [](double x, double c) SAGE_INLINE_LAMBDA {
      return sage::math::exp_of_product(V(x), sage::math::exponent_factor_of<V>(c)).v[0];
    };
    CHECK((of_product(0, 1) == 1 && of_product(-0.0, 3) == 1 && of_product(-inf, 1) == 0 &&
           of_product(-710, 1) == 0 && of_product(-1e-3, 1e6) == 0 && of_product(-708, 1) > 0));
    CHECK(std::isnan(of_product(not_a_number, 1)));
    auto const decay = [](double x, double ratio, double gap) SAGE_INLINE_LAMBDA {
      auto const d = sage::math::decay_of(V(x));
      return d.ratio.v[0] == ratio && d.gap.v[0] == gap;
    };
    CHECK((decay(0, 1, 0) && decay(-0.0, 1, 0) && decay(-710, 0, 1) && decay(-inf, 0, 1) &&
           decay(not_a_number, 0, 1)));
  });
}

#endif
