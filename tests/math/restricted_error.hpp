#pragma once

#include <sage/exec/isa.hpp>
#include <sage/math/functions.hpp>

#include <bit>
#include <cmath>
#include <cstdint>

#if SAGE_SIMD

/// The relative error of the pack functions of restricted range, which the formulas use, in units of 2^−24, against
/// double. Each is a function of one float here; `fraction` has its dividend made from its divisor.
namespace restricted_error {

inline constexpr double smallest_normal = 0x1p-126;

/// u − log(1 + u), by its series where the difference would cancel.
inline double defect(double u) {
  if (std::abs(u) > 0.01) return u - std::log1p(u);
  double s = 0;
  for (int k = 12; k > 1; --k) s = s * u + (k % 2 == 0 ? 1.0 : -1.0) / k;
  return s * u * u;
}
/// Σ w^(k−1)/(k (2k − 1)), for w ≤ ¼.
inline double deficit(double w) {
  double s = 0;
  for (int k = 28; k > 0; --k) s = s * w + 1.0 / (k * (2 * k - 1));
  return s;
}
/// A dividend of at most y in magnitude: a share of it that goes through [−1, 1] with the divisor's last bits.
inline float dividend(float y) {
  auto const share =
      static_cast<float>(static_cast<int>(std::bit_cast<std::uint32_t>(y) % 2039) - 1019) / 1019;
  return share * y;
}

struct function {
  char const* name;
  double bound;  // that the documentation promises, where the processor multiplies and adds in one rounding
  bool (*covers)(float x);  // the range that it promises it for
  double (*exact)(float x);
  double (*allowance)(double);  // more, of x, where the processor does not
};

inline double none(double) { return 0; }
inline double of_exponent(double x) { return std::abs(x); }
inline bool is_positive_normal(float x) {
  return x >= static_cast<float>(smallest_normal) && std::isfinite(x);
}
inline bool is_small(float x) { return x != 0 && std::abs(x) <= 0.25f; }

// Below 2^−126 the exponentials round to denormal numbers, or to 0.
inline constexpr function functions[] = {
    {"exp_of_product", 2, [](float x) { return x <= 0 && x > -87.33f; },
     [](float x) { return std::exp(double(x)); }, of_exponent},
    {"exp_of_product, 0.37", 2, [](float x) { return x <= 0 && 0.37f * x > -87.33f; },
     [](float x) { return std::exp(double(x) * double(0.37f)); },
     [](double x) { return std::abs(0.37 * x); }},
    {"decay_of, ratio", 1.5, [](float x) { return x <= 0 && x > -87.33f; },
     [](float x) { return std::exp(double(x)); }, none},
    {"decay_of, gap", 1.5, [](float x) { return x < -0.0f && x >= -100; },
     [](float x) { return -std::expm1(double(x)); }, none},
    {"fraction", 3.3, [](float y) { return y >= 1e-30f && y <= 0x1p125f && dividend(y) != 0; },
     [](float y) { return double(dividend(y)) / double(y); }, none},
    {"log1p_of_fraction", 4.1, [](float x) { return x > 0 && x <= 1; },
     [](float x) { return std::log1p(double(x)); }, none},
    {"log_or_log1p, log", 2, [](float x) { return is_positive_normal(x) && x != 1; },
     [](float x) { return std::log(double(x)); }, none},
    {"log_or_log1p, log1p", 2, is_small, [](float x) { return std::log1p(double(x)); }, none},
    {"log_or_log1p, defect", 3, [](float x) { return is_small(x) && std::abs(x) > 0x1p-60f; },
     [](float x) { return defect(double(x)); }, none},
    {"entropy_deficit", 2.8, [](float x) { return x >= 0 && x <= 0.25f; },
     [](float x) { return deficit(double(x)); }, none},
};
inline constexpr int function_count = sizeof functions / sizeof *functions;

/// Applies function number `f` to 16 floats with packs of the width of an instruction set, compiled for it.
inline void apply(sage::exec::isa level, int f, float const* x, float* y) {
  float dividends[16];
  for (int l = 0; l < 16; ++l) dividends[l] = dividend(x[l]);
  sage::exec::dispatch(level, [=](auto bytes) SAGE_INLINE_LAMBDA {
    constexpr int width = decltype(bytes)::value / 4;
    using V = sage::pack<float, width>;
    using namespace sage::math;
    auto const nowhere = V(1.0f) < V(0.0f), everywhere = V(0.0f) < V(1.0f);
    for (int i = 0; i < 16; i += width) {
      V const v = sage::load_pack<V>(x + i);
      V const r = f == 0   ? exp_of_product(v, exponent_factor_of<V>(1))
                  : f == 1 ? exp_of_product(v, exponent_factor_of<V>(double(0.37f)))
                  : f == 2 ? decay_of(v).ratio
                  : f == 3 ? decay_of(v).gap
                  : f == 4 ? fraction(sage::load_pack<V>(dividends + i), v)
                  : f == 5 ? log1p_of_fraction(v)
                  : f == 6 ? log_or_log1p(nowhere, v).log
                  : f == 7 ? log_or_log1p(everywhere, v).log
                  : f == 8 ? log_or_log1p(everywhere, v).defect
                           : entropy_deficit(v);
      sage::store_pack(y + i, r);
    }
  });
}

/// Hands the error of function `f` at the floats whose bits are first, first + step, … below last, for each width, to
/// each(level, error, x); floats that the function does not cover are left out.
template <class Each>
void sweep(int f, std::uint64_t first, std::uint64_t last, std::uint64_t step, Each const& each) {
  using sage::exec::isa;
  float x[16], y[16];
  int count = 0;
  auto const measure = [&] {
    for (int l = count; l < 16; ++l) x[l] = x[0];
    double exact[16];
    for (int l = 0; l < count; ++l) exact[l] = functions[f].exact(x[l]);
    for (isa const level : {isa::baseline, isa::avx2, isa::avx512}) {
      if (!sage::exec::has_isa(level)) continue;
      apply(level, f, x, y);
      for (int l = 0; l < count; ++l) {
        double const error = std::abs(static_cast<double>(y[l]) - exact[l]) / std::abs(exact[l]) * 0x1p24;
        double const more = level == isa::baseline ? functions[f].allowance(static_cast<double>(x[l])) : 0;
        each(level, std::isnan(error) ? HUGE_VAL : error - more, x[l]);
      }
    }
    count = 0;
  };
  for (std::uint64_t i = first; i < last; i += step) {
    auto const at = std::bit_cast<float>(static_cast<std::uint32_t>(i));
    if (!functions[f].covers(at)) continue;
    x[count++] = at;
    if (count == 16) measure();
  }
  if (count > 0) measure();
}

}  // namespace restricted_error

#endif
