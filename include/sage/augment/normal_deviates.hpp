#pragma once

#include <sage/augment/philox.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <cstdint>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Σ c_i x^i by Horner's rule with every product rounded.
template <class F, int Size>
SAGE_HD SAGE_INLINE F rounded_polynomial(F const& x, float const (&c)[Size]) {
  F p(c[Size - 1]);
  for (int i = Size - 2; i >= 0; --i) p = rounded_product(p, x) + F(c[i]);
  return p;
}

/// Pairs of independent standard normal deviates from pairs of random words, by Box and Muller:
///
///   (n₀, n₁) = √(−2 log u) (cos 2πv, sin 2πv),    u = (⌊w₀/2⁸⌋ + 1)/2²⁴ ∈ (0, 1],    v = ⌊w₁/2⁸⌋/2²⁴ − ½
///
/// F is float or a pack of floats. Every operation is rounded by itself, none is fused, and no library
/// function is called but the square root: the deviates have the same bits with any vector width and
/// instruction set (under -ffast-math, whose square roots are approximate, up to their rounding). |n| ≤
/// 5.77; absolute error below 2e-6.
template <class F>
SAGE_HD SAGE_INLINE void normal_pairs(std::uint32_t const* w0, std::uint32_t const* w1, F& n0, F& n1) {
  constexpr int width = lane_traits<F>::width;
  float mantissa[width], exponent[width], angle[width];
  for (int l = 0; l < width; ++l) {
    // u = 2^e (1 + f) with 1 + f in [√½, √2), by the bits of u, as in math/pack_functions.hpp.
    float const u = static_cast<float>(static_cast<std::int32_t>(w0[l] >> 8) + 1) * 0x1p-24f;
    std::int32_t const scaled = __builtin_bit_cast(std::int32_t, u) - 0x3f3504f3;
    exponent[l] = static_cast<float>(scaled >> 23);
    mantissa[l] = __builtin_bit_cast(float, (scaled & 0x007fffff) + 0x3f3504f3);
    angle[l] = static_cast<float>(static_cast<std::int32_t>(w1[l] >> 8) - 0x800000) * 0x1p-24f;
  }
  // log u, coefficients: Cephes, logf.
  static constexpr float log_series[] = {3.3333331174e-1f,  -2.4999993993e-1f, 2.0000714765e-1f,
                                         -1.6668057665e-1f, 1.4249322787e-1f,  -1.2420140846e-1f,
                                         1.1676998740e-1f,  -1.1514610310e-1f, 7.0376836292e-2f};
  F const f = load_lanes<F>(mantissa) - F(1.0f);
  F const f2 = rounded_product(f, f);
  F const series = rounded_product(rounded_polynomial(f, log_series), rounded_product(f2, f));
  F const log_1f = (series - rounded_product(F(0.5f), f2)) + f;
  F const log_u = rounded_product(load_lanes<F>(exponent), F(0.693147182f)) + log_1f;
  F const twice = rounded_product(F(-2.0f), log_u);
  using math::sqrt;
  F const radius = sqrt(math::larger(twice, F(0.0f)));

  // cos and sin of a quarter of the angle by their series to 2e-8, then doubled twice.
  static constexpr float sine[] = {1.57079633f, -0.645964098f, 0.0796926262f, -0.00468175414f,
                                   0.000160441185f};
  F const t = load_lanes<F>(angle);  // angle 2πv; a quarter of it is (π/2) v
  F const t2 = rounded_product(t, t);
  F const s1 = rounded_product(rounded_polynomial(t2, sine), t);
  static constexpr float cosine[] = {1.0f,           -1.23370055f,    0.253669508f,
                                     -0.0208634808f, 0.000919260274f, -2.52020424e-5f};
  F const c1 = rounded_polynomial(t2, cosine);
  F const s2 = rounded_product(F(2.0f), rounded_product(s1, c1));
  F const c2 = F(1.0f) - rounded_product(F(2.0f), rounded_product(s1, s1));
  F const s4 = rounded_product(F(2.0f), rounded_product(s2, c2));
  F const c4 = F(1.0f) - rounded_product(F(2.0f), rounded_product(s2, s2));
  n0 = rounded_product(radius, c4);
  n1 = rounded_product(radius, s4);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
