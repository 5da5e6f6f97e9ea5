#pragma once

#include <sage/core/config.hpp>
#include <sage/core/half_format.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <cstdint>

/// Packs of floats from neighbours narrower than float, and back: by the processor's instructions, or by operations on
/// the bits. Numbers are those of the conversion element by element: to the nearest, ties to even, denormal numbers kept.
/// NaN stays NaN, with another payload perhaps.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

#if SAGE_SIMD

// Are there vectors of __fp16, which compilers convert? In Clang, and for this processor in GCC.
#if defined(__aarch64__) || (defined(__clang__) && (defined(__x86_64__) || defined(__i386__)))
#define SAGE_FP16_VECTORS 1
#else
#define SAGE_FP16_VECTORS 0
#endif

// As many words of 16 bits as a pack of N floats has lanes; `loose` may stand at any address.
template <int N>
struct native_halves;

template <>
struct native_halves<4> {
  typedef std::uint16_t type __attribute__((vector_size(8)));
  typedef std::uint16_t loose __attribute__((vector_size(8), aligned(2), may_alias));
#if SAGE_FP16_VECTORS
  typedef __fp16 numbers __attribute__((vector_size(8)));
#endif
};
template <>
struct native_halves<8> {
  typedef std::uint16_t type __attribute__((vector_size(16)));
  typedef std::uint16_t loose __attribute__((vector_size(16), aligned(2), may_alias));
#if SAGE_FP16_VECTORS
  typedef __fp16 numbers __attribute__((vector_size(16)));
#endif
};
template <>
struct native_halves<16> {
  typedef std::uint16_t type __attribute__((vector_size(32)));
  typedef std::uint16_t loose __attribute__((vector_size(32), aligned(2), may_alias));
#if SAGE_FP16_VECTORS
  typedef __fp16 numbers __attribute__((vector_size(32)));
#endif
};

// Has the processor, where packs of N floats are used, instructions for N numbers of binary16?
template <int N>
inline constexpr bool has_binary16 =
#if defined(__aarch64__)
    true;
#elif defined(__x86_64__) || defined(__i386__)
#if SAGE_X86_DISPATCH || defined(__F16C__)
    N > 4;  // every target of these widths; where they are the compiler's own, packs of four are for SSE2
#else
    N > 8;  // AVX-512 has its own
#endif
#else
    false;
#endif

// Functions on halves take and give them by reference: a vector of another target must not cross a call.
template <int N>
SAGE_INLINE pack<float, N> from_bfloat16(typename native_halves<N>::type const& h) noexcept {
  using floats = typename native_vector<float, N>::type;
  using words = typename native_vector<float, N>::words;
  return pack<float, N>(__builtin_bit_cast(floats, __builtin_convertvector(h, words) << 16));
}

template <int N>
SAGE_INLINE void to_bfloat16(pack<float, N> const& x, typename native_halves<N>::type& to) noexcept {
  using bits = typename native_vector<float, N>::bits;
  using words = typename native_vector<float, N>::words;
  words const u = __builtin_bit_cast(words, x.v), upper = u >> 16;
  bits const is_nan = __builtin_bit_cast(bits, u & 0x7fffffffu) > 0x7f800000;
  words const rounded = (u + 0x7fffu + (upper & 1u)) >> 16;
  words const chosen = is_nan ? upper | 0x40u : rounded;
  to = __builtin_convertvector(chosen, typename native_halves<N>::type);
}

template <int N>
SAGE_INLINE pack<float, N> from_binary16(typename native_halves<N>::type const& h) noexcept {
  using floats = typename native_vector<float, N>::type;
  if constexpr (has_binary16<N>) {
#if SAGE_FP16_VECTORS
    using numbers = typename native_halves<N>::numbers;
    return pack<float, N>(__builtin_convertvector(__builtin_bit_cast(numbers, h), floats));
#elif defined(__x86_64__) || defined(__i386__)
    floats r;
    __asm__("vcvtph2ps %1, %0" : "=v"(r) : "v"(h));
    return pack<float, N>(r);
#endif
  } else {
    using bits = typename native_vector<float, N>::bits;
    bits const u = __builtin_convertvector(h, bits), magnitude = u & 0x7fff;
    // The exponent's bias is 15 here and 127 there. Below 2^−14 the numbers are multiples of 2^−24.
    bits const normal = (magnitude << 13) + (112 << 23);
    bits const special = normal + (112 << 23);  // ∞ and NaN
    bits const small = __builtin_bit_cast(bits, __builtin_convertvector(magnitude, floats) * 0x1p-24f);
    bits const chosen = magnitude < 0x400 ? small : magnitude < 0x7c00 ? normal : special;
    return pack<float, N>(__builtin_bit_cast(floats, chosen | (u & 0x8000) << 16));
  }
}

template <int N>
SAGE_INLINE void to_binary16(pack<float, N> const& x, typename native_halves<N>::type& to) noexcept {
  using halves = typename native_halves<N>::type;
  if constexpr (has_binary16<N>) {
#if SAGE_FP16_VECTORS
    using numbers = typename native_halves<N>::numbers;
    to = __builtin_bit_cast(halves, __builtin_convertvector(x.v, numbers));
#elif defined(__x86_64__) || defined(__i386__)
    __asm__("vcvtps2ph $4, %1, %0" : "=v"(to) : "v"(x.v));
#endif
  } else {
    using floats = typename native_vector<float, N>::type;
    using bits = typename native_vector<float, N>::bits;
    using words = typename native_vector<float, N>::words;
    bits const u = __builtin_bit_cast(bits, x.v), magnitude = u & 0x7fffffff;
    words const w = __builtin_bit_cast(words, magnitude);
    bits const normal = __builtin_bit_cast(bits, (w + 0xfffu + ((w >> 13) & 1u) - (112u << 23)) >> 13);
    // Below 2^−14 in multiples of 2^−24, which is the distance of floats from ½ on: that sum is what rounds.
    bits const small = __builtin_bit_cast(bits, __builtin_bit_cast(floats, magnitude) + 0.5f) - 0x3f000000;
    bits const not_number = 0x7e00 | ((magnitude >> 13) & 0x3ff);
    bits const chosen = magnitude < 0x38800000    ? small
                        : magnitude < 0x47800000  ? normal  // from 65520 on it is ∞
                        : magnitude <= 0x7f800000 ? bits{} + 0x7c00
                                                  : not_number;
    to = __builtin_convertvector(chosen | ((u >> 16) & 0x8000), halves);
  }
}

#undef SAGE_FP16_VECTORS

// Are packs V loaded from neighbours of type T, and stored?
template <class V, class T>
inline constexpr bool loads_as = false;
template <class T, int N>
inline constexpr bool loads_as<pack<T, N>, T> = true;
template <class T, int N>
  requires is_half<T>
inline constexpr bool loads_as<pack<float, N>, T> = half_format_of<T> != half_format::unknown;

/// N neighbours from any address, as accumulators, and back.
template <class V, class T>
SAGE_INLINE V load_converted(T const* from) noexcept {
  if constexpr (is_half<T>) {
    constexpr int width = lane_traits<V>::width;
    typename native_halves<width>::type const h =
        *reinterpret_cast<typename native_halves<width>::loose const*>(from);
    if constexpr (half_format_of<T> == half_format::bfloat16) {
      return from_bfloat16<width>(h);
    } else {
      return from_binary16<width>(h);
    }
  } else {
    return load_pack<V>(from);
  }
}
template <class T, int N, class A>
SAGE_INLINE void store_converted(T* to, pack<A, N> const& x) noexcept {
  if constexpr (is_half<T>) {
    typename native_halves<N>::type h;
    if constexpr (half_format_of<T> == half_format::bfloat16) {
      to_bfloat16<N>(x, h);
    } else {
      to_binary16<N>(x, h);
    }
    *reinterpret_cast<typename native_halves<N>::loose*>(to) = h;
  } else {
    store_pack(to, x);
  }
}

#else

template <class V, class T>
inline constexpr bool loads_as = false;

#endif

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
