#pragma once

#include <sage/core/config.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>
#include <sage/math/pack_functions.hpp>

#include <cstdint>

/// What formulas compute of arguments whose range they know, on packs of float: shorter than the general functions of
/// pack_functions.hpp. The largest error over all floats of the range is stated with each; tests/math/exhaustive.cpp
/// measures it. Other types take math/functions.hpp's.
namespace sage {
SAGE_ABI_BEGIN
namespace math {

/// The factor c of exp_of_product: itself, and c log₂e in two parts.
template <class V>
struct exponent_factor {
  V c, high, low;
  V lowest;  // the exponent −127 ln 2, where packs of float give 0, is c times this
};
template <class V>
SAGE_HD SAGE_INLINE exponent_factor<V> exponent_factor_of(double c) noexcept {
  double const turns = c * 1.4426950408889634;
  auto const high = static_cast<float>(turns);
  return {V(scalar_of<V>(c)), V(scalar_of<V>(high)), V(scalar_of<V>(turns - static_cast<double>(high))),
          V(scalar_of<V>(-127 / turns))};
}

/// e^x for x ≤ 0, and what it falls short of 1.
template <class V>
struct decay {
  V ratio, gap;
};

/// Half of the work of decay_of: what finish_decay makes the whole of.
template <class V>
struct begun_decay {
  V expm1, turns;  // of the exponent less its turns of ln 2, and these
};

/// A logarithm, and what it falls short of its argument less 1.
template <class V>
struct logarithm {
  V log;
  V defect;  // u − log(1 + u)
};

#if SAGE_SIMD

namespace detail {

/// x c − y; in one rounding on processors that can.
template <int N>
SAGE_INLINE pack<float, N> product_less(floats<N> const& x, floats<N> const& c, floats<N> const& y) noexcept {
  floats<N> r = x;  // a product of its own: that of y must not be taken for it
#if defined(__x86_64__) && !defined(__clang__)
  if constexpr (N > 4) {
    __asm__("vfmsub213ps %2, %1, %0" : "+v"(r) : "v"(c), "v"(y));  // every target of these widths has it
    return pack<float, N>(r);
  }
#endif
  fence(r);
  return pack<float, N>(r * c - y);
}

/// 2^n for −127 ≤ n ≤ 127, 0 for −127, of 1.5 · 2^23 + n.
template <int N>
SAGE_INLINE pack<float, N> power_of_turns(floats<N> const& turns) noexcept {
  using words = typename sage::detail::native_vector<float, N>::words;
  return pack<float, N>(
      __builtin_bit_cast(floats<N>, (__builtin_bit_cast(words, turns) << 23) + 0x3f800000u));
}

}  // namespace detail

/// e^(c x) for c x ≤ 0, as softmax needs it; 0 below 2^−126.5. Relative error at most 2 · 2^−24 however large the
/// exponent, where the processor multiplies and subtracts in one rounding; else (1.7 + |c x|) 2^−24.
template <int N>
SAGE_INLINE pack<float, N> exp_of_product(pack<float, N> const& x,
                                          exponent_factor<pack<float, N>> const& c) noexcept {
  using namespace detail;
  floats<N> const bounded = c.lowest.v > x.v ? c.lowest.v : x.v;  // NaN stays
  // Adding 1.5 · 2^23 rounds to an integer n, which stands in the lowest bits of the sum.
  floats<N> turns = bounded * c.high.v + 12582912.0f;
  fence(turns);
  floats<N> n = turns - 12582912.0f;
  fence(n);
  floats<N> const f = product_less<N>(bounded, c.high.v, n).v + bounded * c.low.v;  // |f| ≤ ½
  // (2^f − 1)/f: fitted to a relative error of 2e-9 in 2^f.
  floats<N> p = f * 1.53534860e-4f + 1.33991549e-3f;
  p = p * f + 9.61843871e-3f;
  p = p * f + 5.55033178e-2f;
  p = p * f + 2.40226479e-1f;
  p = p * f + 6.93147203e-1f;
  floats<N> const power = power_of_turns<N>(turns).v;
  return pack<float, N>(p * f * power + power);
}

/// e^x and 1 − e^x for x ≤ 0, each to its own relative precision; of NaN, as of −∞, 0 and 1. Below 2^−126.5 the ratio
/// is 0. Relative errors at most 1.5 · 2^−24 both.
template <int N>
SAGE_INLINE begun_decay<pack<float, N>> begin_decay(pack<float, N> const& x) noexcept {
  using namespace detail;
  floats<N> const bounded = x.v > -88.0296919f ? x.v : pack<float, N>(-88.0296919f).v;  // −127 ln 2
  floats<N> turns = bounded * 1.44269504f + 12582912.0f;                                // see exp_of_product
  fence(turns);
  floats<N> n = turns - 12582912.0f;
  fence(n);
  return {expm1_polynomial<N>(minus_turns<N>(bounded, n).v), pack<float, N>(turns)};
}
template <int N>
SAGE_INLINE decay<pack<float, N>> finish_decay(begun_decay<pack<float, N>> const& b) noexcept {
  using namespace detail;
  floats<N> const em = b.expm1.v, power = power_of_turns<N>(b.turns.v).v;
  floats<N> rest = 1.0f - power;
  fence(rest);  // 1 − em first would lose em's digits
  return {pack<float, N>(em * power + power), pack<float, N>(rest - em * power)};
}
template <int N>
SAGE_INLINE decay<pack<float, N>> decay_of(pack<float, N> const& x) noexcept {
  return finish_decay(begin_decay(x));
}

/// x/y for |x| ≤ y, y a positive normal number: from an approximate reciprocal, where the processor has one of twelve
/// bits or more, for a division takes as long as ten multiplications. Relative error at most 3.3 · 2^−24 for
/// 1e-30 ≤ y ≤ 2^125 with a reciprocal of 1.5 · 2^−12, else more.
template <int N>
SAGE_INLINE pack<float, N> fraction(pack<float, N> const& x, pack<float, N> const& y) noexcept {
#if defined(__x86_64__) && !defined(__clang__)  // which checks registers before it knows the target
  if constexpr (N > 4) {
    detail::floats<N> r;
    if constexpr (N == 16) {
      __asm__("vrcp14ps %1, %0" : "=v"(r) : "v"(y.v));
    } else {
      __asm__("vrcpps %1, %0" : "=x"(r) : "x"(y.v));
    }
    detail::floats<N> s = x.v * r;
    detail::fence(s);
    return pack<float, N>(s + (x.v - s * y.v) * r);
  }
#endif
  return x / y;
}

/// log(1 + u) for 0 ≤ u ≤ 1. Relative error at most 4.1 · 2^−24.
template <int N>
SAGE_INLINE pack<float, N> log1p_of_fraction(pack<float, N> const& u) noexcept {
  detail::floats<N> const t = u.v - 0.5f;  // log(1 + u)/u about ½: fitted to a relative error of 4e-8
  // By parts, which do not wait for each other.
  detail::floats<N> const t2 = t * t, t4 = t2 * t2;
  detail::floats<N> const p01 = t * -2.88526673e-1f + 8.10930216e-1f,
                          p23 = t * -6.77111866e-2f + 1.32609494e-1f;
  detail::floats<N> const p45 = t * -2.02303406e-2f + 3.66256060e-2f,
                          p67 = t * -8.56965611e-3f + 1.16395754e-2f;
  detail::floats<N> const p = (p45 + t2 * p67 + t4 * 5.12610214e-3f) * t4 + (p23 * t2 + p01);
  return pack<float, N>(p * u.v);
}

/// ((1 + s) log(1 + s) + (1 − s) log(1 − s))/s² of w = s² ≤ ¼: twice what the entropy of ((1 + s)/2, (1 − s)/2) falls
/// short of log 2, over s². Relative error at most 2.8 · 2^−24.
template <int N>
SAGE_INLINE pack<float, N> entropy_deficit(pack<float, N> const& w) noexcept {
  detail::floats<N> p = w.v * 3.54138764e-2f + 3.25336676e-2f;
  p = p * w.v + 6.69632677e-2f;
  p = p * w.v + 1.66657214e-1f;
  return pack<float, N>(p * w.v + 1.00000005f);
}

/// log(1 + u) where `near`, of u = r with |u| ≤ ¼, elsewhere log r of a normal number r > 0; and u − log(1 + u) where
/// `near`. Relative errors at most 2 · 2^−24 and, for |u| > 2^−60, 3 · 2^−24. One polynomial for both.
template <int N>
SAGE_INLINE logarithm<pack<float, N>> log_or_log1p(mask<float, N> const& near,
                                                   pack<float, N> const& r) noexcept {
  using namespace detail;
  bits<N> const scaled = bits_plus<N>(r.v, 0u - sqrt_half_bits).b;
  floats<N> const m =
      __builtin_bit_cast(floats<N>, (scaled & 0x007fffff) + static_cast<std::int32_t>(sqrt_half_bits));
  floats<N> const f = near.b ? r.v : m - 1.0f;
  floats<N> const e = __builtin_convertvector(near.b ? bits<N>{} : scaled >> 23, floats<N>);
  floats<N> const defect = f * f * (0.5f - f * log_polynomial<N>(f).v);
  return {pack<float, N>((f - defect) + e * 0.693147181f), pack<float, N>(defect)};
}

#endif

}  // namespace math
SAGE_ABI_END
}  // namespace sage
