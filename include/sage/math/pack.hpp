#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <cstdint>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

// Native compiler vectors of 16, 32 and 64 bytes. One specialisation per width, because GCC 12 ignores
// vector_size on a dependent type. `words` wrap around where `bits` must not; `loose` may stand at any address.
template <class T, int N>
struct native_vector;

template <>
struct native_vector<float, 4> {
  typedef float type __attribute__((vector_size(16)));
  typedef std::int32_t bits __attribute__((vector_size(16)));
  typedef std::uint32_t words __attribute__((vector_size(16)));
  typedef float loose __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct native_vector<float, 8> {
  typedef float type __attribute__((vector_size(32)));
  typedef std::int32_t bits __attribute__((vector_size(32)));
  typedef std::uint32_t words __attribute__((vector_size(32)));
  typedef float loose __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct native_vector<float, 16> {
  typedef float type __attribute__((vector_size(64)));
  typedef std::int32_t bits __attribute__((vector_size(64)));
  typedef std::uint32_t words __attribute__((vector_size(64)));
  typedef float loose __attribute__((vector_size(64), aligned(4), may_alias));
};
template <>
struct native_vector<double, 2> {
  typedef double type __attribute__((vector_size(16)));
  typedef std::int64_t bits __attribute__((vector_size(16)));
  typedef std::uint64_t words __attribute__((vector_size(16)));
  typedef double loose __attribute__((vector_size(16), aligned(8), may_alias));
};
template <>
struct native_vector<double, 4> {
  typedef double type __attribute__((vector_size(32)));
  typedef std::int64_t bits __attribute__((vector_size(32)));
  typedef std::uint64_t words __attribute__((vector_size(32)));
  typedef double loose __attribute__((vector_size(32), aligned(8), may_alias));
};
template <>
struct native_vector<double, 8> {
  typedef double type __attribute__((vector_size(64)));
  typedef std::int64_t bits __attribute__((vector_size(64)));
  typedef std::uint64_t words __attribute__((vector_size(64)));
  typedef double loose __attribute__((vector_size(64), aligned(8), may_alias));
};

// Every lane of v becomes x. A loop over the lanes is what both compilers make one broadcast of, GCC 12 only where the
// function is small: elsewhere it inserts lane by lane, zeros too. A constant is one of its expressions, and else it has
// to be told the instruction.
template <class Vector, class T>
SAGE_INLINE void fill(Vector& v, T x) noexcept {
#if defined(__OPTIMIZE__) && !defined(__clang__)
  if (__builtin_constant_p(x) && x == T(0) && !__builtin_signbit(static_cast<double>(x))) {
    v = Vector{};
    return;
  } else if (__builtin_constant_p(x)) {
    v = x - Vector{};
    return;
  } else {
    if constexpr (sizeof(Vector) == 16) {
      Vector const first{x};
      if constexpr (sizeof(T) == 4) {
        v = __builtin_shufflevector(first, first, 0, 0, 0, 0);
      } else {
        v = __builtin_shufflevector(first, first, 0, 0);
      }
      return;
    }
#if defined(__x86_64__)
    if constexpr (sizeof(Vector) > 16) {
      if constexpr (sizeof(T) == 4) {
        __asm__("vpbroadcastd %1, %0" : "=v"(v) : "v"(x));
      } else {
        __asm__("vpbroadcastq %1, %0" : "=v"(v) : "v"(x));
      }
      return;
    }
#endif
  }
#endif
  SAGE_UNROLL
  for (int i = 0; i < static_cast<int>(sizeof(Vector) / sizeof(T)); ++i) v[i] = x;
}

}  // namespace detail

/// The truth of a comparison, lane by lane: all bits set or none.
template <class T, int N>
struct mask {
  using bits = typename detail::native_vector<T, N>::bits;
  bits b;

  SAGE_INLINE friend mask operator&(mask const& x, mask const& y) noexcept { return {x.b & y.b}; }
  SAGE_INLINE friend mask operator|(mask const& x, mask const& y) noexcept { return {x.b | y.b}; }
  SAGE_INLINE friend mask operator!(mask const& x) noexcept { return {~x.b}; }
};

/// Integers, one per lane of a pack<T, N> and as wide: column numbers and labels.
template <class T, int N>
struct int_pack {
  using bits = typename detail::native_vector<T, N>::bits;
  bits b;

  SAGE_INLINE friend int_pack operator+(int_pack const& x, int_pack const& y) noexcept { return {x.b + y.b}; }
  SAGE_INLINE friend mask<T, N> operator==(int_pack const& x, int_pack const& y) noexcept {
    return {x.b == y.b};
  }
  SAGE_INLINE friend mask<T, N> operator<(int_pack const& x, int_pack const& y) noexcept {
    return {x.b < y.b};
  }
};

/// N lanes of T in one native vector register (or several, where the target's are narrower).
///
/// Packs are passed by const reference and every function is inlined by force, so that no vector ever crosses a
/// call between functions compiled for different targets.
template <class T, int N>
struct pack {
  using native = typename detail::native_vector<T, N>::type;
  native v;

  pack() = default;
  SAGE_INLINE pack(T x) noexcept { detail::fill(v, x); }
  SAGE_INLINE explicit pack(native const& x) noexcept : v(x) {}

  SAGE_INLINE friend pack operator+(pack const& x, pack const& y) noexcept {
    SAGE_CONTRACT
    return pack(x.v + y.v);
  }
  SAGE_INLINE friend pack operator-(pack const& x, pack const& y) noexcept {
    SAGE_CONTRACT
    return pack(x.v - y.v);
  }
  SAGE_INLINE friend pack operator*(pack const& x, pack const& y) noexcept {
    SAGE_CONTRACT
    return pack(x.v * y.v);
  }
  SAGE_INLINE friend pack operator/(pack const& x, pack const& y) noexcept { return pack(x.v / y.v); }
  SAGE_INLINE friend pack operator-(pack const& x) noexcept {
    SAGE_CONTRACT
    return pack(-x.v);
  }
  SAGE_INLINE friend pack& operator+=(pack& x, pack const& y) noexcept { return x = x + y; }

  SAGE_INLINE friend mask<T, N> operator<(pack const& x, pack const& y) noexcept { return {x.v < y.v}; }
  SAGE_INLINE friend mask<T, N> operator<=(pack const& x, pack const& y) noexcept { return {x.v <= y.v}; }
  SAGE_INLINE friend mask<T, N> operator>(pack const& x, pack const& y) noexcept { return {x.v > y.v}; }
  SAGE_INLINE friend mask<T, N> operator>=(pack const& x, pack const& y) noexcept { return {x.v >= y.v}; }
  SAGE_INLINE friend mask<T, N> operator==(pack const& x, pack const& y) noexcept { return {x.v == y.v}; }
};

template <class V>
inline constexpr bool is_pack = false;
template <class T, int N>
inline constexpr bool is_pack<pack<T, N>> = true;

/// Loads N neighbours from any address, and stores them.
template <class V, class T>
SAGE_INLINE V load_pack(T const* from) noexcept {
  V r;
  r.v = *reinterpret_cast<typename detail::native_vector<T, sizeof(V) / sizeof(T)>::loose const*>(from);
  return r;
}
template <class T, int N>
SAGE_INLINE void store_pack(T* to, pack<T, N> const& x) noexcept {
  *reinterpret_cast<typename detail::native_vector<T, N>::loose*>(to) = x.v;
}

SAGE_ABI_END
}  // namespace sage

#endif
