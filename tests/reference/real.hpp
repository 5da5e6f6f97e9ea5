#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

/// The arithmetic of the reference: 113 bits of mantissa where the compiler has them (__float128), else long double.
///
/// exp, log and sqrt are written here from their definitions, so that nothing must be linked and both compilers
/// compute the same; tests/math/real.cpp tests them. Nothing of the reference shares code with include/.
namespace reference {

#if defined(__SIZEOF_FLOAT128__)

__extension__ typedef __float128 real;
inline constexpr int real_digits = 113;

namespace detail {

__extension__ typedef unsigned __int128 bits128;

inline bits128 bits_of(real x) { return __builtin_bit_cast(bits128, x); }
inline int exponent_of(real x) { return static_cast<int>((bits_of(x) >> 112) & 0x7fff) - 16383; }
inline real power_of_two(int n) { return __builtin_bit_cast(real, static_cast<bits128>(n + 16383) << 112); }

inline real taylor_exp(real x, int terms) {
  real sum = 1;
  for (int k = terms; k > 0; --k) sum = 1 + sum * x / k;
  return sum;
}

struct constants {
  real ln2 = 0;          // Σ 1/(k 2^k)
  real exp_of_64th[65];  // e^(k/64), −32 ≤ k ≤ 32
  real inverse_factorial[16];
  constants() {
    real power = 1;
    for (int k = 1; k < 120; ++k) {
      power /= 2;
      ln2 += power / k;
    }
    for (int k = -32; k <= 32; ++k) exp_of_64th[k + 32] = taylor_exp(real(k) / 64, 40);
    inverse_factorial[0] = 1;
    for (int k = 1; k < 16; ++k) inverse_factorial[k] = inverse_factorial[k - 1] / k;
  }
};

inline constants const& table() {
  static constants const made;
  return made;
}

}  // namespace detail

inline bool is_nan(real x) { return x != x; }
inline real infinity() { return real(std::numeric_limits<double>::infinity()); }
inline real not_a_number() { return real(std::numeric_limits<double>::quiet_NaN()); }

/// e^x = 2^n e^(k/64) e^s with |s| ≤ 1/128, where sixteen terms of the series leave less than 2^−113.
inline real exp(real x) {
  if (is_nan(x)) return x;
  if (x > 11356) return infinity();
  if (x < -11355) return 0;
  auto const& t = detail::table();
  int const n = static_cast<int>(std::lround(static_cast<double>(x) * 1.4426950408889634));
  real const r = x - n * t.ln2;
  int const k = static_cast<int>(std::lround(static_cast<double>(r) * 64));
  real const s = r - real(k) / 64;
  real sum = t.inverse_factorial[15];
  for (int i = 14; i >= 0; --i) sum = sum * s + t.inverse_factorial[i];
  return sum * t.exp_of_64th[k + 32] * detail::power_of_two(n);
}

/// One step of Halley's iteration for e^y = x, of third order, from the double logarithm of the mantissa.
inline real log(real x) {
  if (is_nan(x) || x < 0) return not_a_number();
  if (x == 0) return -infinity();
  if (x == infinity()) return x;
  int const e = detail::exponent_of(x);
  real const m = x * detail::power_of_two(-e);
  real const y = std::log(static_cast<double>(m));
  real const power = exp(y);
  return e * detail::table().ln2 + (y + 2 * (m - power) / (m + power));
}

inline real sqrt(real x) {
  if (is_nan(x) || x < 0) return not_a_number();
  if (x == 0 || x == infinity()) return x;
  if (x < detail::power_of_two(-16000)) return sqrt(x * detail::power_of_two(512)) * detail::power_of_two(-256);
  int const half = detail::exponent_of(x) >> 1;
  real const m = x * detail::power_of_two(-2 * half);  // in [1, 4)
  real y = std::sqrt(static_cast<double>(m));
  for (int i = 0; i < 2; ++i) y = (y + m / y) / 2;
  return y * detail::power_of_two(half);
}

#else

using real = long double;
inline constexpr int real_digits = std::numeric_limits<long double>::digits;

inline bool is_nan(real x) { return x != x; }
inline real infinity() { return std::numeric_limits<real>::infinity(); }
inline real not_a_number() { return std::numeric_limits<real>::quiet_NaN(); }
inline real exp(real x) { return std::exp(x); }
inline real log(real x) { return std::log(x); }
inline real sqrt(real x) { return std::sqrt(x); }

#endif

inline real magnitude(real x) { return x < 0 ? -x : x; }

}  // namespace reference
