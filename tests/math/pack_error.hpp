#pragma once

#include <sage/exec/isa.hpp>
#include <sage/math/functions.hpp>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#if SAGE_SIMD

/// The error of the pack functions in units of the last place, against the C library's double functions, whose own
/// error is some 1e-9 of a float's unit. Shared by the sampled test and the exhaustive one.
namespace pack_error {

struct function {
  char const* name;
  double (*exact)(double);
  double bound;  // units of the last place that the documentation promises, from the exhaustive test
};

inline double exact_exp(double x) { return std::exp(x); }
inline double exact_expm1(double x) { return std::expm1(x); }
inline double exact_log(double x) { return std::log(x); }
inline double exact_log1p(double x) { return std::log1p(x); }

/// A little above the largest errors over all floats, as tests/math/exhaustive.cpp measures them without and with fused
/// multiply-add: exp 0.987 and 1.013, expm1 1.569 and 1.443, log 0.834 and 0.827, log1p 0.841 and 0.832.
inline constexpr function functions[] = {{"exp", exact_exp, 1.02},
                                         {"expm1", exact_expm1, 1.58},
                                         {"log", exact_log, 0.84},
                                         {"log1p", exact_log1p, 0.85}};
inline constexpr int function_count = 4;

/// Applies function number `f` to 16 floats with packs of the width of an instruction set, compiled for it.
inline void apply(sage::exec::isa level, int f, float const* x, float* y) {
  sage::exec::dispatch(level, [=](auto bytes) SAGE_INLINE_LAMBDA {
    constexpr int width = decltype(bytes)::value / 4;
    using V = sage::pack<float, width>;
    using namespace sage::math;
    for (int i = 0; i < 16; i += width) {
      V const v = sage::load_pack<V>(x + i);
      V const r = f == 0 ? exp(v) : f == 1 ? expm1(v) : f == 2 ? log(v) : log1p(v);
      sage::store_pack(y + i, r);
    }
  });
}

/// |computed − exact| in units of the last place of a float at `exact`; 0 where both are the same infinity or NaN,
/// infinite where one is special and the other is not. Results around the largest float are measured as if the
/// exponent had no end.
inline double ulps(float computed, double exact) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (std::isnan(exact) || std::isnan(computed)) return std::isnan(exact) && std::isnan(computed) ? 0 : inf;
  if (std::isinf(exact) && std::isinf(computed)) return (exact > 0) == (computed > 0) ? 0 : inf;
  double const limit = 0x1p128;
  if (exact >= limit && std::isinf(computed)) return computed > 0 ? 0 : inf;
  if (std::isinf(exact)) return inf;
  double const value = std::isinf(computed) ? std::copysign(limit, computed) : static_cast<double>(computed);
  // The exponent of `exact`, at least that of the denormals.
  int const e = static_cast<int>((std::bit_cast<std::uint64_t>(exact) >> 52) & 0x7ff) - 1023;
  double const unit =
      std::bit_cast<double>(static_cast<std::uint64_t>((e < -126 ? -126 : e) - 23 + 1023) << 52);
  return std::abs(value - exact) / unit;
}

struct worst {
  double error = 0;
  float at = 0;
  void see(double e, float x) {
    if (e > error) error = e, at = x;
  }
};

/// The worst error of function `f` over the floats whose bits are first, first + step, … below last, for each width.
template <class Each>
void sweep(int f, std::uint64_t first, std::uint64_t last, std::uint64_t step, Each const& each) {
  using sage::exec::isa;
  float x[16], y[16];
  for (std::uint64_t i = first; i < last; i += 16 * step) {
    for (std::uint64_t l = 0; l < 16; ++l) {
      std::uint64_t const at = i + l * step;
      x[l] = std::bit_cast<float>(static_cast<std::uint32_t>(at < last ? at : first));
    }
    double exact[16];
    for (int l = 0; l < 16; ++l) exact[l] = functions[f].exact(static_cast<double>(x[l]));
    for (isa const level : {isa::baseline, isa::avx2, isa::avx512}) {
      if (!sage::exec::has_isa(level)) continue;
      apply(level, f, x, y);
      for (int l = 0; l < 16; ++l) each(level, ulps(y[l], exact[l]), x[l]);
    }
  }
}

}  // namespace pack_error

#endif
