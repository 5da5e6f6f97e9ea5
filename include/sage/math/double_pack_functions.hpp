#pragma once

#include <sage/core/config.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>
#include <sage/math/pack_functions.hpp>
#include <sage/math/restricted_pack_functions.hpp>

#include <cstdint>
#include <limits>

/// The functions of pack_functions.hpp and restricted_pack_functions.hpp on packs of double.
///
/// By polynomials, branch-free. The largest error that tests/math/double_pack_functions.cpp finds, and asserts, is stated
/// with each function.
/// Edge: as for float.
#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace math {
namespace detail {

template <int N>
using doubles = typename sage::detail::native_vector<double, N>::type;
template <int N>
using double_words = typename sage::detail::native_vector<double, N>::words;

// Adding 1.5 · 2^52 rounds to an integer, which stands in the lowest bits of the sum.
inline constexpr double integer_shift = 6755399441055744.0;

/// A number rounded to the nearest integer n, as n + 1.5 · 2^52 and as n.
template <int N>
struct whole_turns {
  doubles<N> shifted, n;
};
template <int N>
SAGE_INLINE whole_turns<N> shifted_integer(doubles<N> const& x) noexcept {
  doubles<N> shifted = x + integer_shift;
  fence(shifted);
  doubles<N> n = shifted - integer_shift;
  fence(n);
  return {shifted, n};
}

/// 2^n for −1023 ≤ n ≤ 1023, 0 for −1023, of 1.5 · 2^52 + n.
template <int N>
SAGE_INLINE pack<double, N> power_of_shifted(doubles<N> const& shifted) noexcept {
  return pack<double, N>(__builtin_bit_cast(
      doubles<N>, (__builtin_bit_cast(double_words<N>, shifted) << 52) + 0x3ff0000000000000u));
}

/// expm1(r) for |r| ≤ ½ ln 2: r + r² p(r), p fitted to a relative error of 1e-18 in expm1.
template <int N>
SAGE_INLINE pack<double, N> expm1_polynomial_of(doubles<N> const& r) noexcept {
  doubles<N> p = r * 2.091467944897855e-09 + 2.5105206475334834e-08;
  p = p * r + 2.7557273661174726e-07;
  p = p * r + 2.75572554255029e-06;
  p = p * r + 2.4801587325533502e-05;
  p = p * r + 0.00019841269874800683;
  p = p * r + 0.0013888888888883752;
  p = p * r + 0.008333333333326141;
  p = p * r + 0.04166666666666667;
  p = p * r + 0.1666666666666667;
  p = p * r + 0.5;
  return pack<double, N>(p * (r * r) + r);
}

/// expm1(x − n ln 2) of |x − n ln 2| ≤ ½ ln 2: ln 2 in two parts, of which the first has twenty trailing zero bits, so
/// that its product with n is exact.
template <int N>
SAGE_INLINE pack<double, N> expm1_of_rest(doubles<N> const& x, doubles<N> const& n) noexcept {
  doubles<N> r = x - n * 6.93147180369123816490e-01;
  fence(r);
  return expm1_polynomial_of<N>(r - n * 1.90821492927058770002e-10);
}

/// y 2^n in two steps, which reach denormals and 2^1024.
template <int N>
SAGE_INLINE pack<double, N> scale_by_turns(doubles<N> const& y, doubles<N> const& n) noexcept {
  auto const half = shifted_integer<N>(n * 0.5);
  doubles<N> part = y * power_of_shifted<N>(half.shifted).v;
  fence(part);
  return pack<double, N>(part * power_of_shifted<N>((n - half.n) + integer_shift).v);
}

/// x = 2^e (1 + f) with 1 + f in [√½, √2), of a positive normal number.
template <int N>
struct split_double {
  doubles<N> e, f;
};
template <int N>
SAGE_INLINE split_double<N> split(doubles<N> const& x) noexcept {
  constexpr std::uint64_t sqrt_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
  double_words<N> const shifted = __builtin_bit_cast(double_words<N>, x) + (one - sqrt_half);
  // The biased exponent as a number: its bits below those of 2^52.
  doubles<N> biased = __builtin_bit_cast(doubles<N>, (shifted >> 52) | std::uint64_t(0x4330000000000000));
  fence(biased);
  doubles<N> const m =
      __builtin_bit_cast(doubles<N>, (shifted & std::uint64_t(0x000fffffffffffff)) + sqrt_half);
  return {biased - (0x1p52 + 1023), m - 1.0};
}

/// f − log(1 + f) for −0.293 ≤ f ≤ 0.414: with s = f/(2 + f), log(1 + f) = 2 artanh s = f − (h − s (h + R(s²))), h = ½ f².
/// Coefficients: fdlibm, e_log.c.
template <int N>
SAGE_INLINE pack<double, N> log_defect_of(doubles<N> const& f) noexcept {
  doubles<N> const s = f / (2.0 + f), z = s * s, h = 0.5 * f * f;
  doubles<N> r = z * 1.479819860511658591e-01 + 1.531383769920937332e-01;
  r = r * z + 1.818357216161805012e-01;
  r = r * z + 2.222219843214978396e-01;
  r = r * z + 2.857142874366239149e-01;
  r = r * z + 3.999999999940941908e-01;
  r = r * z + 6.666666666666735130e-01;
  return pack<double, N>(h - s * (h + z * r));
}

/// log(2^e (1 + f) + small correction): e ln 2 in two parts.
template <int N>
SAGE_INLINE pack<double, N> log_of_split(split_double<N> const& x, doubles<N> const& correction) noexcept {
  doubles<N> small = x.e * 1.90821492927058770002e-10 + correction;
  fence(small);
  doubles<N> sum = small - log_defect_of<N>(x.f).v;
  fence(sum);
  sum = sum + x.f;
  fence(sum);
  return pack<double, N>(sum + x.e * 6.93147180369123816490e-01);
}

}  // namespace detail

/// e^x. Largest error 0.92 units of the last place.
template <int N>
SAGE_INLINE pack<double, N> exp(pack<double, N> const& x) noexcept {
  using namespace detail;
  doubles<N> const low = x.v < -746.0 ? pack<double, N>(-746.0).v : x.v;
  doubles<N> const bounded = low > 710.0 ? pack<double, N>(710.0).v : low;
  auto const turns = shifted_integer<N>(bounded * 1.4426950408889634);
  return scale_by_turns<N>(expm1_of_rest<N>(bounded, turns.n).v + 1.0, turns.n);
}

/// e^x − 1, to full relative precision at x → 0. Largest error 1.4 units of the last place.
template <int N>
SAGE_INLINE pack<double, N> expm1(pack<double, N> const& x) noexcept {
  using namespace detail;
  doubles<N> const low = x.v < -38.0 ? pack<double, N>(-38.0).v : x.v;
  doubles<N> const bounded = low > 710.0 ? pack<double, N>(710.0).v : low;
  auto const turns = shifted_integer<N>(bounded * 1.4426950408889634);
  // 2^n (em + (1 − 2^−n)): for n = 0 this is em itself.
  doubles<N> const minus_n = turns.n > 1022.0 ? pack<double, N>(-1022.0).v : -turns.n;
  doubles<N> rest = 1.0 - power_of_shifted<N>(minus_n + integer_shift).v;
  fence(rest);  // em + 1 first would lose em's digits
  return scale_by_turns<N>(expm1_of_rest<N>(bounded, turns.n).v + rest, turns.n);
}

/// Natural logarithm. Largest error 0.8 units of the last place.
template <int N>
SAGE_INLINE pack<double, N> log(pack<double, N> const& x) noexcept {
  using namespace detail;
  auto const denormal = x.v < std::numeric_limits<double>::min();
  split_double<N> at = split<N>(denormal ? x.v * 0x1p54 : x.v);
  at.e = denormal ? at.e - 54.0 : at.e;
  return log_edges<double, N>(x.v, log_of_split<N>(at, doubles<N>{}).v);
}

/// log(1 + x), to full relative precision at x → 0. Largest error 0.8 units of the last place.
template <int N>
SAGE_INLINE pack<double, N> log1p(pack<double, N> const& x) noexcept {
  using namespace detail;
  doubles<N> u = x.v + 1.0;
  fence(u);
  split_double<N> at = split<N>(u);
  // What rounding 1 + x lost, relative to u; nothing is lost where the exponent is that of 1, for f is x itself.
  doubles<N> without_1 = u - 1.0, without_x = u - x.v;
  fence(without_1);
  fence(without_x);
  doubles<N> const lost = x.v > 1.0 ? 1.0 - without_x : x.v - without_1;
  auto const near = at.e == 0.0;
  at.f = near ? x.v : at.f;
  return log_edges<double, N>(u, log_of_split<N>(at, near ? doubles<N>{} : lost / u).v);
}

/// e^x and 1 − e^x for x ≤ 0, each to its own relative precision; of NaN, as of −∞, 0 and 1. Below 2^−1022.5 the ratio
/// is 0. Relative errors at most 2 · 2^−53 both.
template <int N>
SAGE_INLINE decay<pack<double, N>> decay_of(pack<double, N> const& x) noexcept {
  using namespace detail;
  doubles<N> const bounded =
      x.v > -709.08956571282404 ? x.v : pack<double, N>(-709.08956571282404).v;  // −1023 ln 2
  auto const turns = shifted_integer<N>(bounded * 1.4426950408889634);
  doubles<N> const em = expm1_of_rest<N>(bounded, turns.n).v;
  doubles<N> const power = power_of_shifted<N>(turns.shifted).v;
  doubles<N> rest = 1.0 - power;
  fence(rest);  // 1 − em first would lose em's digits
  return {pack<double, N>(em * power + power), pack<double, N>(rest - em * power)};
}

/// e^(c x) for c x ≤ 0, as softmax needs it; 0 below 2^−1022.5. Relative error at most (2 + |c x|) 2^−53, of which |c x|
/// only where c is not 1.
template <int N>
SAGE_INLINE pack<double, N> exp_of_product(pack<double, N> const& x,
                                           exponent_factor<pack<double, N>> const& c) noexcept {
  using namespace detail;
  doubles<N> const y = x.v * c.c.v;
  doubles<N> const bounded =
      -709.08956571282404 > y ? pack<double, N>(-709.08956571282404).v : y;  // NaN stays
  auto const turns = shifted_integer<N>(bounded * 1.4426950408889634);
  doubles<N> const power = power_of_shifted<N>(turns.shifted).v;
  return pack<double, N>(expm1_of_rest<N>(bounded, turns.n).v * power + power);
}

/// log(1 + u) for 0 ≤ u ≤ 1. Relative error at most 2.6 · 2^−53.
template <int N>
SAGE_INLINE pack<double, N> log1p_of_fraction(pack<double, N> const& u) noexcept {
  using namespace detail;
  auto const far = u.v > 0.41421356237309503;
  doubles<N> const f = far ? u.v * 0.5 - 0.5 : u.v;  // of (1 + u)/2, exactly
  doubles<N> const turn = far ? pack<double, N>(0.6931471805599453).v : doubles<N>{};
  return pack<double, N>((f - log_defect_of<N>(f).v) + turn);
}

/// ((1 + s) log(1 + s) + (1 − s) log(1 − s))/s² of w = s² ≤ ¼: fitted to a relative error of 1e-17.
template <int N>
SAGE_INLINE pack<double, N> entropy_deficit(pack<double, N> const& w) noexcept {
  detail::doubles<N> p = w.v * 0.014368828982570489 + -0.0067395942965027674;
  p = p * w.v + 0.00921764054775891;
  p = p * w.v + 0.0038454435505785737;
  p = p * w.v + 0.006806782701447973;
  p = p * w.v + 0.008298326835691133;
  p = p * w.v + 0.010992078476854513;
  p = p * w.v + 0.015151336250255514;
  p = p * w.v + 0.022222228885721614;
  p = p * w.v + 0.035714285567167596;
  p = p * w.v + 0.06666666666834867;
  p = p * w.v + 0.16666666666665914;
  return pack<double, N>(p * w.v + 1.0);
}

/// log(1 + u) where `near`, of u = r with |u| ≤ ¼, elsewhere log r of a normal number r > 0; and u − log(1 + u) where
/// `near`. Relative errors at most 2 · 2^−53 and, for |u| > 2^−500, 3 · 2^−53.
template <int N>
SAGE_INLINE logarithm<pack<double, N>> log_or_log1p(mask<double, N> const& near,
                                                    pack<double, N> const& r) noexcept {
  using namespace detail;
  split_double<N> const far = split<N>(r.v);
  doubles<N> const f = near.b ? r.v : far.f, e = near.b ? doubles<N>{} : far.e;
  doubles<N> const defect = log_defect_of<N>(f).v;
  return {pack<double, N>((f - defect) + e * 0.6931471805599453), pack<double, N>(defect)};
}

}  // namespace math
SAGE_ABI_END
}  // namespace sage

#endif
