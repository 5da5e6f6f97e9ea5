#pragma once

#include <bit>
#include <cstdint>

// As core/config.hpp has it, for the programs that are compiled without the library: GCC 12 announces the type's limits
// on all targets, and has the type in C++ on x86 alone.
#if defined(__FLT16_MANT_DIG__) && (defined(__clang__) || defined(__SSE2__) || __GNUC__ >= 13)
#define SAGE_BENCH_FLOAT16 1
#endif

namespace bench {

/// The upper half of a float. GCC has std::bfloat16_t from 13 on only; sage.hpp tells the library that this is a half.
struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  /// To the nearest, ties to even.
  explicit bfloat16(float x) {
    auto const u = std::bit_cast<std::uint32_t>(x);
    bits = std::uint16_t(x != x ? (u >> 16) | 0x40 : (u + 0x7fff + ((u >> 16) & 1)) >> 16);
  }
  operator float() const { return std::bit_cast<float>(std::uint32_t(bits) << 16); }
};

#if SAGE_BENCH_FLOAT16
using half = _Float16;
#endif

// For each element type: the type that its arithmetic is done in; the distance from 1 to the next number; the distance
// between numbers near 0, where that is not negligible.
template <class T>
struct element_traits;
template <>
struct element_traits<float> {
  using arithmetic = float;
  static constexpr double epsilon = 0x1p-23, smallest_step = 0;
};
template <>
struct element_traits<double> {
  using arithmetic = double;
  static constexpr double epsilon = 0x1p-52, smallest_step = 0;
};
template <>
struct element_traits<bfloat16> {
  using arithmetic = float;
  static constexpr double epsilon = 0x1p-7, smallest_step = 0;
};
#if SAGE_BENCH_FLOAT16
template <>
struct element_traits<half> {
  using arithmetic = float;
  static constexpr double epsilon = 0x1p-10, smallest_step = 0x1p-24;
};
#endif

template <class T>
using arithmetic_t = typename element_traits<T>::arithmetic;

/// Narrower than float: accumulated in float and rounded once, at the store.
template <class T>
inline constexpr bool is_narrow = sizeof(T) == 2;

}  // namespace bench

/// X(T) for every narrow type: explicit instantiations.
#if SAGE_BENCH_FLOAT16
#define SAGE_BENCH_NARROW_TYPES(X) X(bfloat16) X(half)
#else
#define SAGE_BENCH_NARROW_TYPES(X) X(bfloat16)
#endif
