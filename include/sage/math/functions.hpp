#pragma once

#include <sage/core/config.hpp>
#include <sage/math/double_pack_functions.hpp>
#include <sage/math/pack_functions.hpp>
#include <sage/math/restricted_pack_functions.hpp>

#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>
#include <type_traits>

/// Elementary functions on one value type V, which is a built-in floating-point type, a pack of them, or an
/// autodiff scalar whose own exp, log, log1p, expm1 and sqrt are found by argument-dependent lookup.
///
/// Formulas call them unqualified after `using namespace math`.
namespace sage {
SAGE_ABI_BEGIN

namespace detail {

/// True for infinity and NaN, also under -ffast-math where comparisons cannot tell.
template <class A>
SAGE_HD SAGE_INLINE bool is_non_finite(A const& x) noexcept {
  if constexpr (std::is_same_v<A, float>) {
    return (__builtin_bit_cast(std::uint32_t, x) & 0x7f800000u) == 0x7f800000u;
  } else if constexpr (std::is_same_v<A, double>) {
    return (__builtin_bit_cast(std::uint64_t, x) & 0x7ff0000000000000u) == 0x7ff0000000000000u;
  } else {
    return !(x - x == x - x);
  }
}

/// std::numeric_limits for CUDA kernels, too, which may use constants of the standard library, but not call it.
template <class T>
struct limits : std::numeric_limits<T> {};
template <std::floating_point T>
struct limits<T> : std::numeric_limits<T> {
  static constexpr T infinity_value = std::numeric_limits<T>::infinity(),
                     max_value = std::numeric_limits<T>::max(), min_value = std::numeric_limits<T>::min(),
                     epsilon_value = std::numeric_limits<T>::epsilon();
  SAGE_HD static constexpr T infinity() noexcept { return infinity_value; }
  SAGE_HD static constexpr T max() noexcept { return max_value; }
  SAGE_HD static constexpr T min() noexcept { return min_value; }
  SAGE_HD static constexpr T epsilon() noexcept { return epsilon_value; }
};

}  // namespace detail

namespace math {

using std::exp;
using std::expm1;
using std::log;
using std::log1p;
using std::sqrt;

/// m ? yes : no, lane by lane for packs.
template <class V>
SAGE_HD SAGE_INLINE constexpr V select(bool m, std::type_identity_t<V> const& yes, V const& no) {
  return m ? yes : no;
}

/// x as it was rounded: -ffast-math may not re-associate what made it with what consumes it.
template <class V>
SAGE_HD SAGE_INLINE V rounded(V const& x) {
#if defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__) || defined(__clang__)
  V r = x;
#if SAGE_SIMD
  if constexpr (is_pack<V>) detail::fence(r.v);
#endif
#if (defined(__FAST_MATH__) || defined(__ASSOCIATIVE_MATH__)) && defined(__SSE2__) && !defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<V, float> || std::is_same_v<V, double>) __asm__("" : "+x"(r));
#endif
  return r;
#else
  return x;  // GCC would keep a copy of what passes through an asm
#endif
}

/// What rounding has taken from d = x − y: exactly x − y − d, for finite d. Source: Knuth, TAOCP 2, 4.2.2.
template <class V>
SAGE_HD SAGE_INLINE V difference_error(V const& x, V const& y, V const& d) {
  V const t = rounded(V(d - x));
  return rounded(V(x - rounded(V(d - t)))) - rounded(V(y + t));
}

/// The larger operand; the second where either is NaN.
template <class V>
SAGE_HD SAGE_INLINE V larger(V const& x, V const& y) {
  return select(x > y, x, y);
}
template <class V>
SAGE_HD SAGE_INLINE V smaller(V const& x, V const& y) {
  return select(x < y, x, y);
}
template <class V>
SAGE_HD SAGE_INLINE V magnitude(V const& x) {
  return select(x < V(0), -x, x);
}
/// x ≥ 0 with the sign of s; at s = 0 either.
template <class V>
SAGE_HD SAGE_INLINE V with_sign_of(V const& s, V const& x) {
  return select(s < V(0), -x, x);
}
#if SAGE_SIMD
// By bits: a comparison could be shared between branches, which GCC 12 does not compile for AVX-512.
template <class T, int N>
SAGE_INLINE pack<T, N> with_sign_of(pack<T, N> const& s, pack<T, N> const& x) {
  using bits = typename sage::detail::native_vector<T, N>::bits;
  bits const sign = bits{} + std::numeric_limits<std::remove_cvref_t<decltype(bits{}[0])>>::min();
  return pack<T, N>(__builtin_bit_cast(
      typename pack<T, N>::native, __builtin_bit_cast(bits, x.v) | (__builtin_bit_cast(bits, s.v) & sign)));
}
#endif
template <class V>
SAGE_HD SAGE_INLINE V squared(V const& x) {
  return x * x;
}

/// Infinity, the largest finite and the smallest normal number of the scalar behind V.
template <class V>
SAGE_HD SAGE_INLINE V infinity() {
  return V(sage::detail::limits<scalar_of<V>>::infinity());
}
template <class V>
SAGE_HD SAGE_INLINE V largest_number() {
  return V(sage::detail::limits<scalar_of<V>>::max());
}
template <class V>
SAGE_HD SAGE_INLINE V smallest_normal() {
  return V(sage::detail::limits<scalar_of<V>>::min());
}

/// Beyond what rounding takes from any difference of finite numbers, see difference_error.
template <class V>
SAGE_HD SAGE_INLINE V largest_difference_error() {
  using limits = sage::detail::limits<scalar_of<V>>;
  return V(limits::max() * limits::epsilon());
}
/// Beyond the logarithm of the ratio of two probabilities of which neither is 0.
template <class V>
SAGE_HD SAGE_INLINE V largest_log_ratio() {
  using limits = std::numeric_limits<scalar_of<V>>;
  return V(scalar_of<V>(limits::max_exponent + limits::digits));
}

/// x^p for x ≥ 0 as exp(p log x), 0 at x = 0. Relative error 1 + 2 |p log x| units of the last place: where x^p ≤ 1 the
/// absolute error stays below 2 units of the last place of 1, whatever p is, for y e^−y ≤ 1/e.
template <class V>
SAGE_HD SAGE_INLINE V power(V const& x, V const& p) {
  return select(x == V(0), V(0), exp(p * log(x)));
}

/// φ(u) = u − log1p(u) ≥ 0 for u > −1, to full relative precision also at u → 0, where φ(u) ≈ u²/2.
///
///   with s = u/(2+u):   log1p(u) = 2 artanh s   ⇒   φ(u) = s (u − 2s² (1/3 + s²/5 + s⁴/7 + …)),   |u| ≤ ¼
///
/// `log1p_u` is log1p(u), which every caller has already.
template <class V>
SAGE_HD SAGE_INLINE V log1p_defect(V const& u, V const& log1p_u) {
  // |s| ≤ 1/7 on the range of the series: s² carries 5.6 bits a term.
  constexpr int terms = std::numeric_limits<scalar_of<V>>::digits / 5 + 1;
  V const s = u / (V(2) + u);
  V const s2 = s * s;
  V series = V(scalar_of<V>(1) / scalar_of<V>(2 * terms + 1));
  SAGE_UNROLL
  for (int k = terms - 1; k > 0; --k) series = series * s2 + V(scalar_of<V>(1) / scalar_of<V>(2 * k + 1));
  V const small = s * (u - V(2) * s2 * series);
  return select(magnitude(u) < V(scalar_of<V>(0.25)), small, u - log1p_u);
}

/// e^(c x) for c x ≤ 0, e^x and 1 − e^x for x ≤ 0, x/y for |x| ≤ y, logarithms of some ranges: see the packs of float,
/// for which these are shorter than the general functions.
template <class V>
SAGE_HD SAGE_INLINE V exp_of_product(V const& x, exponent_factor<V> const& c) {
  return exp(x * c.c);
}
template <class V>
SAGE_HD SAGE_INLINE decay<V> decay_of(V const& x) {
  using limits = std::numeric_limits<scalar_of<V>>;
  // Half of the smallest number, and all below, is 0.
  V const bounded =
      larger(x, V(scalar_of<V>((limits::min_exponent - limits::digits - 2) * 0.6931471805599453)));
  return {exp(bounded), -expm1(bounded)};
}
template <class V>
SAGE_HD SAGE_INLINE begun_decay<V> begin_decay(V const& x) {
  return {x, x};
}
template <class V>
SAGE_HD SAGE_INLINE decay<V> finish_decay(begun_decay<V> const& b) {
  return decay_of(b.expm1);
}
template <class V>
SAGE_HD SAGE_INLINE V fraction(V const& x, V const& y) {
  return x / y;
}
template <class V>
SAGE_HD SAGE_INLINE V log1p_of_fraction(V const& u) {
  return log1p(u);
}
template <class V>
SAGE_HD SAGE_INLINE V entropy_deficit(V const& w) {
  // Σ w^(k−1)/(k (2k − 1)): two bits a term.
  constexpr int terms = std::numeric_limits<scalar_of<V>>::digits / 2 + 1;
  V series = V(0);
  SAGE_UNROLL
  for (int k = terms; k > 0; --k) series = series * w + V(scalar_of<V>(1) / scalar_of<V>(k * (2 * k - 1)));
  return series;
}
template <class Mask, class V>
SAGE_HD SAGE_INLINE logarithm<V> log_or_log1p(Mask const& near, V const& r) {
  if constexpr (std::is_same_v<Mask, bool>) {
    if (!near) return {log(r), V(0)};
    V const l = log1p(r);
    return {l, log1p_defect(r, l)};
  } else {
    V const u = select(near, r, V(0));
    V const log1p_u = log1p(u);
    return {select(near, log1p_u, log(select(near, V(1), r))), log1p_defect(u, log1p_u)};
  }
}

}  // namespace math
SAGE_ABI_END
}  // namespace sage
