#pragma once

#include <sage/core/config.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

/// exp, expm1, log and log1p of packs of float; sqrt, magnitude and select of all packs.
///
/// By polynomials, branch-free; the largest error over all floats of the range, measured by
///   tests/math/exhaustive.cpp, is stated with each function. Packs of double: double_pack_functions.hpp.
/// Edge: exp(−∞) = 0, exp(x > 88.73) = ∞, log(0) = −∞, log(x < 0) = NaN, NaN in → NaN out. Denormal results of exp
///   and denormal arguments of log are exact to the same bound.
#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace math {
namespace detail {

template <int N>
using floats = typename sage::detail::native_vector<float, N>::type;
template <int N>
using bits = typename sage::detail::native_vector<float, N>::bits;

// Keeps the optimiser from re-associating x with what consumes it, which -ffast-math allows: two-part constants and
// what rounding lost must stay apart. Costs no instruction. (GCC's __builtin_assoc_barrier is taken apart lane by
// lane on vectors.)
template <class Vector>
SAGE_INLINE void fence([[maybe_unused]] Vector& x) noexcept {
#if defined(__clang__)
#if defined(__x86_64__) && __has_builtin(__arithmetic_fence)
  x = __arithmetic_fence(x);
#endif
#elif defined(__SSE2__)
  __asm__("" : "+x"(x));
#elif defined(__aarch64__)
  __asm__("" : "+w"(x));
#endif
}

// Helpers return packs, not bare vectors: a vector type as a function's result depends on the target's ABI.

// The bits of x, plus c, modulo 2^32: of a negative or NaN argument, whose result is discarded, the sum overflows.
template <int N>
SAGE_INLINE int_pack<float, N> bits_plus(floats<N> const& x, std::uint32_t c) noexcept {
  using words = typename sage::detail::native_vector<float, N>::words;
  return {__builtin_bit_cast(bits<N>, __builtin_bit_cast(words, x) + c)};
}

/// 2^n for −126 ≤ n ≤ 127.
template <int N>
SAGE_INLINE pack<float, N> power_of_two(bits<N> const& n) noexcept {
  return pack<float, N>(__builtin_bit_cast(floats<N>, (n + 127) << 23));
}

/// x = n ln 2 + r with |r| ≤ ½ ln 2, and expm1(r) by a polynomial of degree 7.
template <int N>
struct reduced_exponential {
  bits<N> n;
  floats<N> expm1_r;
};

/// y 2^n in two steps, which reach denormals and 2^128.
template <int N>
SAGE_INLINE pack<float, N> scale(floats<N> const& y, bits<N> const& n) noexcept {
  bits<N> const half = n >> 1;
  floats<N> part = y * power_of_two<N>(half).v;
  fence(part);
  return pack<float, N>(part * power_of_two<N>(n - half).v);
}

// expm1(r) for |r| ≤ ½ ln 2. Coefficients: Cephes, expf.
template <int N>
SAGE_INLINE pack<float, N> expm1_polynomial(floats<N> const& r) noexcept {
  floats<N> p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return pack<float, N>(p * (r * r) + r);
}

// x − n ln 2: ln 2 in two parts; the first has nine trailing zero bits, so that its product with n is exact.
template <int N>
SAGE_INLINE pack<float, N> minus_turns(floats<N> const& x, floats<N> const& n) noexcept {
  floats<N> r = x - n * 6.9314575195e-1f;
  fence(r);
  return pack<float, N>(r - n * 1.4286067653e-6f);
}

template <int N>
SAGE_INLINE reduced_exponential<N> reduce(floats<N> const& x) noexcept {
  // Adding 1.5 · 2^23 rounds to an integer n, which stands in the lowest bits of the sum. NaN stays in the polynomial.
  floats<N> turns = x * 1.44269504f + 12582912.0f;
  fence(turns);
  floats<N> n = turns - 12582912.0f;
  fence(n);
  return {bits_plus<N>(turns, 0u - 0x4b400000u).b, expm1_polynomial<N>(minus_turns<N>(x, n).v).v};
}

// (f − log(1 + f))/f² = ½ − f/3 + f²/4 − …, −0.293 ≤ f ≤ 0.414: ½ − f p(f). Coefficients of p: Cephes, logf.
template <int N>
SAGE_INLINE pack<float, N> log_polynomial(floats<N> const& f) noexcept {
  floats<N> p = f * 7.0376836292e-2f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  return pack<float, N>(p * f + 3.3333331174e-1f);
}

/// log(2^e (1 + f) + small correction), −0.293 ≤ f ≤ 0.414.
template <int N>
SAGE_INLINE pack<float, N> log_of(floats<N> const& f, floats<N> const& e,
                                  floats<N> const& correction) noexcept {
  floats<N> const f2 = f * f;
  floats<N> sum =
      log_polynomial<N>(f).v * (f2 * f) + (e * -2.12194440e-4f + correction) - 0.5f * f2;  // small first
  fence(sum);
  sum = sum + f;
  fence(sum);
  return pack<float, N>(sum + e * 0.693359375f);
}

// x = 2^e (1 + f) with 1 + f in [√½, √2): the exponent is split off at the bits of √½.
inline constexpr std::uint32_t sqrt_half_bits = 0x3f3504f3;

/// log x where `value` is not: of infinity, of 0 and below.
template <class T, int N, class Native>
SAGE_INLINE pack<T, N> log_edges(Native const& x, Native const& value) noexcept {
  constexpr T inf = std::numeric_limits<T>::infinity();
  Native r = x == inf ? x : value;
  r = x == 0 ? pack<T, N>(-inf).v : r;
  return pack<T, N>(x >= 0 ? r : pack<T, N>(std::numeric_limits<T>::quiet_NaN()).v);
}

}  // namespace detail

/// e^x. Largest error 1.02 units of the last place.
template <int N>
SAGE_INLINE pack<float, N> exp(pack<float, N> const& x) noexcept {
  using namespace detail;
  floats<N> const low = x.v < -104.0f ? pack<float, N>(-104.0f).v : x.v;
  auto const [n, em] = reduce<N>(low > 89.0f ? pack<float, N>(89.0f).v : low);
  return scale<N>(em + 1.0f, n);
}

/// e^x − 1, to full relative precision at x → 0. Largest error 1.57 units of the last place.
template <int N>
SAGE_INLINE pack<float, N> expm1(pack<float, N> const& x) noexcept {
  using namespace detail;
  floats<N> const low = x.v < -18.0f ? pack<float, N>(-18.0f).v : x.v;
  auto const [n, em] = reduce<N>(low > 89.0f ? pack<float, N>(89.0f).v : low);
  // 2^n (em + (1 − 2^−n)): for n = 0 this is em itself.
  bits<N> const minus_n = -n;
  floats<N> rest = 1.0f - power_of_two<N>(minus_n < -126 ? bits<N>{} - 126 : minus_n).v;
  fence(rest);  // em + 1 first would lose em's digits
  return scale<N>(em + rest, n);
}

/// Natural logarithm. Largest error 0.84 units of the last place.
template <int N>
SAGE_INLINE pack<float, N> log(pack<float, N> const& x) noexcept {
  using namespace detail;
  auto const denormal = x.v < std::numeric_limits<float>::min();
  bits<N> const scaled = bits_plus<N>(denormal ? x.v * 8388608.0f : x.v, 0u - sqrt_half_bits).b;
  floats<N> const e =
      __builtin_convertvector((scaled >> 23) - (denormal ? bits<N>{} + 23 : bits<N>{}), floats<N>);
  floats<N> const m =
      __builtin_bit_cast(floats<N>, (scaled & 0x007fffff) + static_cast<std::int32_t>(sqrt_half_bits));
  return log_edges<float, N>(x.v, log_of<N>(m - 1.0f, e, floats<N>{}).v);
}

/// log(1 + x), to full relative precision at x → 0. Largest error 0.85 units of the last place.
template <int N>
SAGE_INLINE pack<float, N> log1p(pack<float, N> const& x) noexcept {
  using namespace detail;
  floats<N> u = x.v + 1.0f;
  fence(u);
  bits<N> const scaled = bits_plus<N>(u, 0u - sqrt_half_bits).b;
  bits<N> const e = scaled >> 23;
  floats<N> const m =
      __builtin_bit_cast(floats<N>, (scaled & 0x007fffff) + static_cast<std::int32_t>(sqrt_half_bits));
  // What rounding 1 + x lost, relative to u; nothing is lost where the exponent is that of 1, for f is x itself.
  floats<N> without_1 = u - 1.0f, without_x = u - x.v;
  fence(without_1);
  fence(without_x);
  floats<N> const lost = x.v > 1.0f ? 1.0f - without_x : x.v - without_1;
  floats<N> const f = e == 0 ? x.v : m - 1.0f;
  floats<N> const correction = e == 0 ? floats<N>{} : lost / u;
  return log_edges<float, N>(u, log_of<N>(f, __builtin_convertvector(e, floats<N>), correction).v);
}

template <class T, int N>
SAGE_INLINE pack<T, N> sqrt(pack<T, N> const& x) noexcept {
  pack<T, N> r;
#if defined(__SSE2__)  // std::sqrt would ask of every lane whether it is negative
  if constexpr (sizeof(x) == 16) {
    if constexpr (sizeof(T) == 4) {
      r.v = __builtin_ia32_sqrtps(x.v);
    } else {
      r.v = __builtin_ia32_sqrtpd(x.v);
    }
    return r;
  } else {
#if defined(__x86_64__) && !defined(__clang__)
    if constexpr (sizeof(T) == 4) {
      __asm__("vsqrtps %1, %0" : "=v"(r.v) : "v"(x.v));  // every target of these widths has it
    } else {
      __asm__("vsqrtpd %1, %0" : "=v"(r.v) : "v"(x.v));
    }
    return r;
#else
    auto parts = __builtin_bit_cast(lanes<pack<T, N / 2>, 2>, x);
    parts[0] = sqrt(parts[0]);
    parts[1] = sqrt(parts[1]);
    return __builtin_bit_cast(pack<T, N>, parts);
#endif
  }
#else
  SAGE_UNROLL
  for (int i = 0; i < N; ++i) r.v[i] = std::sqrt(x.v[i]);
  return r;
#endif
}

template <class T, int N>
SAGE_INLINE pack<T, N> magnitude(pack<T, N> const& x) noexcept {
  using bits = typename sage::detail::native_vector<T, N>::bits;
  constexpr auto all_but_sign =
      std::numeric_limits<std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>>::max();
  return pack<T, N>(
      __builtin_bit_cast(typename pack<T, N>::native, __builtin_bit_cast(bits, x.v) & all_but_sign));
}

template <class T, int N>
SAGE_INLINE pack<T, N> select(mask<T, N> const& m, std::type_identity_t<pack<T, N>> const& yes,
                              pack<T, N> const& no) noexcept {
  return pack<T, N>(m.b ? yes.v : no.v);
}

}  // namespace math
SAGE_ABI_END
}  // namespace sage

#endif
