#include "catch.hpp"
#include "math/pack_error.hpp"
#include "reference/batch.hpp"
#include "reference/real.hpp"
#include "reference/tolerances.hpp"

#include <sage/math/functions.hpp>

#include <array>
#include <cmath>
#include <limits>

#if SAGE_SIMD

namespace {

using sage::exec::isa;
constexpr float inf = std::numeric_limits<float>::infinity();
float const not_a_number = std::numeric_limits<float>::quiet_NaN();

// The first of sixteen equal lanes, and the others must equal it.
float one(isa level, int f, float x) {
  float in[16], out[16];
  for (float& v : in) v = x;
  pack_error::apply(level, f, in, out);
  for (float const v : out) CHECK(reference::same_bits(v, out[0]));
  return out[0];
}

template <class F>
void at_every_width(F const& f) {
  for (isa const level : {isa::baseline, isa::avx2, isa::avx512})
    if (sage::exec::has_isa(level)) f(level);
}

}  // namespace

// Every 997th of all 2^32 floats; 997 is prime, so that all exponents and mantissas have their turn.
TEST_CASE("exp, expm1, log and log1p of packs err by no more than documented") {
  for (int f = 0; f < pack_error::function_count; ++f) {
    std::array<pack_error::worst, 4> worst;
    pack_error::sweep(f, 0, std::uint64_t(1) << 32, 997, [&](isa level, double error, float x) {
      worst[static_cast<std::size_t>(level)].see(error, x);
    });
    at_every_width([&](isa level) {
      auto const& w = worst[static_cast<std::size_t>(level)];
      CAPTURE(pack_error::functions[f].name, static_cast<int>(level), w.at);
      CHECK(w.error <= pack_error::functions[f].bound);
      CHECK(w.error > 0.5);  // no float function is exact: less would mean that nothing was measured
    });
  }
}

TEST_CASE("exp, expm1, log and log1p of packs have the special values of the C library") {
  float const denormal = std::numeric_limits<float>::denorm_min(), max = std::numeric_limits<float>::max();
  at_every_width([&](isa level) {
    CAPTURE(static_cast<int>(level));
    auto const exp = [&](float x) { return one(level, 0, x); };
    auto const expm1 = [&](float x) { return one(level, 1, x); };
    auto const log = [&](float x) { return one(level, 2, x); };
    auto const log1p = [&](float x) { return one(level, 3, x); };
    CHECK((exp(0) == 1 && exp(-0.0f) == 1 && exp(-inf) == 0 && exp(inf) == inf && exp(-max) == 0 &&
           exp(max) == inf));
    CHECK((exp(89) == inf && exp(-104) == 0 && exp(-103) == denormal));  // ln 2^−150 = −103.97
    CHECK((expm1(0) == 0 && expm1(-inf) == -1 && expm1(inf) == inf && expm1(denormal) == denormal &&
           expm1(-max) == -1));
    CHECK((log(1) == 0 && log(0) == -inf && log(-0.0f) == -inf && log(inf) == inf));
    CHECK((std::isnan(log(-1)) && std::isnan(log(-denormal)) && std::isnan(log(-inf))));
    CHECK(log(denormal) == -103.27893f);  // −149 ln 2
    CHECK((log1p(0) == 0 && log1p(-1) == -inf && log1p(inf) == inf && log1p(denormal) == denormal));
    CHECK((std::isnan(log1p(-1.5f)) && std::isnan(log1p(-inf))));
    CHECK((std::isnan(exp(not_a_number)) && std::isnan(expm1(not_a_number)) &&
           std::isnan(log(not_a_number)) && std::isnan(log1p(not_a_number))));
  });
}

// The functions of restricted range, which the formulas use. Bounds: the relative errors that their documentation states.
TEST_CASE("the functions of restricted range err by no more than documented") {
  using reference::real;
  constexpr double unit = 0x1p-24;
  auto const for_packs = [](auto const& f) {
    at_every_width([&](isa level) {
      CAPTURE(static_cast<int>(level));
      sage::exec::dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
        f(sage::pack<float, decltype(bytes)::value / 4>(0.0f), level);
      });
    });
  };
  double worst_exp = 0, worst_ratio = 0, worst_gap = 0, worst_log = 0, worst_log1p = 0, worst_defect = 0;
  double worst_deficit = 0, worst_fraction = 0;
  auto const see = [](double& worst, double computed, real exact, double allowance = 0) {
    double const error = std::abs(static_cast<double>((computed - exact) / exact)) - allowance;
    if (!(error <= worst)) worst = error;
  };
  auto const u_minus_log1p = [](real u) {  // by its series where the difference would cancel
    real s = 0, power = u;
    if (u > real(1) / 16) return u - reference::log(1 + u);
    for (int k = 2; k < 40; ++k) s += (power *= u) / (k % 2 == 0 ? k : -k);
    return s;
  };
  for_packs([&](auto const& v, isa level) SAGE_INLINE_LAMBDA {
    using V = std::remove_cvref_t<decltype(v)>;
    for (int i = 1; i <= 2000; ++i) {
      auto const x = -static_cast<float>(i) * 0.0435f;  // to −87
      for (float const c : {1.0f, 0.37f})
        see(worst_exp, sage::math::exp_of_product(V(x), sage::math::exponent_factor_of<V>(c)).v[0],
            reference::exp(real(x) * real(c)), level == isa::baseline ? unit * std::abs(x * c) : 0);
      auto const u = static_cast<float>(i) / 2000;
      auto const decay = sage::math::decay_of(V(x)), slow = sage::math::decay_of(V(-u * u * u));
      see(worst_ratio, decay.ratio.v[0], reference::exp(x));
      see(worst_gap, decay.gap.v[0], 1 - reference::exp(x));
      real series = 0, term = -1;  // where the difference would cancel
      for (int k = 1; k < 40; ++k) series += term *= -real(u * u * u) / k;
      see(worst_ratio, slow.ratio.v[0], 1 - series);
      see(worst_gap, slow.gap.v[0], series);
      for (float const sign : {-1.0f, 1.0f}) {
        float const divisor = 1e-30f + 2 * u * u * u;
        see(worst_fraction, sage::math::fraction(V(sign * u * divisor), V(divisor)).v[0],
            real(sign * u * divisor) / real(divisor));
      }
      see(worst_log1p, sage::math::log1p_of_fraction(V(u)).v[0], reference::log(1 + real(u)));
      see(worst_log1p, sage::math::log1p_of_fraction(V(u * 1e-6f)).v[0],
          u * 1e-6f - u_minus_log1p(u * 1e-6f));
      auto const a = sage::math::log_or_log1p(V(1.0f) < V(0.0f), V(1000 * u * u * u));
      see(worst_log, a.log.v[0], reference::log(real(1000 * u * u * u)), i == 200 ? 1 : 0);  // log 1 = 0
      float const small = u * u * u / 4;
      auto const near = sage::math::log_or_log1p(V(0.0f) < V(1.0f), V(small));
      see(worst_defect, near.defect.v[0], u_minus_log1p(small));
      see(worst_log, near.log.v[0], small - u_minus_log1p(small));
      real deficit = 0;
      for (int k = 60; k > 0; --k) deficit = deficit * small + real(1) / (k * (2 * k - 1));
      see(worst_deficit, sage::math::entropy_deficit(V(small)).v[0], deficit);
    }
  });
  CAPTURE(worst_exp / unit, worst_ratio / unit, worst_gap / unit, worst_log / unit, worst_log1p / unit,
          worst_defect / unit, worst_deficit / unit, worst_fraction / unit);
  CHECK((worst_exp > 0 && worst_exp <= 1.7 * unit));
  CHECK((worst_ratio > 0 && worst_ratio <= 1.3 * unit));
  CHECK((worst_gap > 0 && worst_gap <= 1.4 * unit));
  CHECK((worst_fraction > 0 && worst_fraction <= 2.4 * unit));
  CHECK((worst_log > 0 && worst_log <= 2 * unit));
  CHECK((worst_log1p > 0 && worst_log1p <= 3.1 * unit));
  CHECK((worst_defect > 0 && worst_defect <= 2.2 * unit));
  CHECK((worst_deficit > 0 && worst_deficit <= 2.6 * unit));
}

TEST_CASE("exp_of_product is 0 where softmax underflows, and keeps NaN") {
  at_every_width([&](isa level) {
    sage::exec::dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
      using V = sage::pack<float, decltype(bytes)::value / 4>;
      auto const exp = [](float x, float c) SAGE_INLINE_LAMBDA {
        return sage::math::exp_of_product(V(x), sage::math::exponent_factor_of<V>(c)).v[0];
      };
      CHECK((exp(0, 1) == 1 && exp(-0.0f, 3) == 1 && exp(-inf, 1) == 0 && exp(-89, 1) == 0 &&
             exp(-1e-3f, 1e6f) == 0));
      CHECK(std::isnan(exp(not_a_number, 1)));
    });
  });
}

TEST_CASE("decay_of is 1 and 0 at 0, and 0 and 1 where it underflows and at NaN") {
  auto const both = [](auto const& d, float ratio, float gap) { return d.ratio == ratio && d.gap == gap; };
  at_every_width([&](isa level) {
    sage::exec::dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
      using V = sage::pack<float, decltype(bytes)::value / 4>;
      auto const decay = [](float x) SAGE_INLINE_LAMBDA {
        auto const d = sage::math::decay_of(V(x));
        return sage::math::decay<float>{d.ratio.v[0], d.gap.v[0]};
      };
      CHECK((both(decay(0), 1, 0) && both(decay(-0.0f), 1, 0) && both(decay(-88), 0, 1) &&
             both(decay(-inf), 0, 1) && both(decay(not_a_number), 0, 1)));
    });
  });
  auto const scalar = [](auto x) { return sage::math::decay_of(x); };
  CHECK((both(scalar(0.0f), 1, 0) && both(scalar(-105.0f), 0, 1) && both(scalar(not_a_number), 0, 1)));
  CHECK((scalar(-746.0).ratio == 0 && scalar(-740.0).ratio > 0 && scalar(-746.0).gap == 1));
}

TEST_CASE("A special value in one lane does not touch its neighbours") {
  at_every_width([&](isa level) {
    for (int f = 0; f < pack_error::function_count; ++f) {
      float clean[16], x[16], y[16], z[16];
      for (int l = 0; l < 16; ++l) clean[l] = x[l] = 0.3f + static_cast<float>(l);
      x[3] = not_a_number, x[7] = inf, x[12] = -inf;
      pack_error::apply(level, f, clean, y);
      pack_error::apply(level, f, x, z);
      for (int l = 0; l < 16; ++l)
        if (l != 3 && l != 7 && l != 12) CHECK(reference::same_bits(y[l], z[l]));
    }
  });
}

TEST_CASE("select, larger and smaller take the second operand where the first is NaN, lane by lane") {
  using V = sage::pack<float, 4>;
  float const xs[4] = {1, not_a_number, 3, -0.0f}, ys[4] = {2, 5, not_a_number, 0.0f};
  V const x = sage::load_pack<V>(xs), y = sage::load_pack<V>(ys);
  float larger[4], smaller[4], magnitude[4];
  sage::store_pack(larger, sage::math::larger(x, y));
  sage::store_pack(smaller, sage::math::smaller(x, y));
  sage::store_pack(magnitude, sage::math::magnitude(V(-2.5f)));
  CHECK((larger[0] == 2 && larger[1] == 5 && std::isnan(larger[2]) && larger[3] == 0));
  CHECK((smaller[0] == 1 && smaller[1] == 5 && std::isnan(smaller[2])));
  CHECK((magnitude[0] == 2.5f && magnitude[3] == 2.5f));
  float broadcast[4];
  sage::store_pack(broadcast, V(-0.0f));
  CHECK(std::signbit(broadcast[2]));
}

#endif

// φ(u) = u − log(1 + u), against 113 bits; the textbook difference has no digit left at u = 1e-8 in float.
TEST_CASE("log1p_defect has full relative precision at every size of its argument, and is never negative") {
  auto const test = []<class T>(T) {
    double worst = 0;
    reference::random r(1);
    for (int decade = -30; decade <= 3; ++decade)
      for (int i = 0; i < 200; ++i) {
        double const size = std::pow(10, decade + r.uniform());
        T const u = static_cast<T>(i % 2 == 0 || size >= 0.999 ? size : -size);
        T const computed = sage::math::log1p_defect(u, std::log1p(u));
        CHECK(computed >= 0);
        using reference::real;
        // Below 1e-6 the reference's own difference cancels, and φ = u²/2 − u³/3 + u⁴/4 − u⁵/5 + u⁶/6 to 1e-30.
        real const x = u,
                   series = x * x *
                            (real(1) / 2 - x * (real(1) / 3 - x * (real(1) / 4 - x * (real(1) / 5 - x / 6))));
        real const exact = decade < -6 ? series : x - reference::log(1 + x);
        if (static_cast<double>(exact) > 4 * static_cast<double>(std::numeric_limits<T>::min()))
          worst = std::max(worst, reference::relative(computed, exact));
      }
    CAPTURE(sizeof(T), worst);
    // At |u| = ¼ the difference takes over: u/φ ≈ 10 roundings of log1p and the subtraction.
    CHECK(worst <= 16 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    CHECK(worst > 0);
  };
  test(float());
  test(double());
}
