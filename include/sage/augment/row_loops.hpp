#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>
#include <sage/math/pack_functions.hpp>

#include <cstdint>
#include <type_traits>

/// Loops over one row of pixels with the lanes of a value type V along the row; V is a scalar or a pack of
/// it.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

template <class V>
SAGE_HD SAGE_INLINE V load_lanes(scalar_of<V> const* from) noexcept {
  if constexpr (lane_traits<V>::width == 1) {
    return *from;
  } else {
    return load_pack<V>(from);
  }
}

/// *x in every lane. By one instruction that reads memory: GCC 12 reads, then copies.
template <class P, class A>
SAGE_INLINE P broadcast_from(A const* x) {
#if defined(__x86_64__) && !defined(__clang__)
  if constexpr (__is_same(A, float) && lane_traits<P>::width > 4) {
    P r;
    __asm__("vbroadcastss %1, %0" : "=v"(r.v) : "m"(*x));
    return r;
  }
#endif
  return P(*x);
}

template <class V>
SAGE_INLINE void store_lanes(scalar_of<V>* to, V const& x) noexcept {
  if constexpr (lane_traits<V>::width == 1) {
    *to = x;
  } else {
    store_pack(to, x);
  }
}

/// Asks for the cache line of element i of x, which may lie anywhere, in the first or the second cache: a hint, and no
/// access.
template <int Cache, class A>
SAGE_INLINE void prefetch_element([[maybe_unused]] A const* x, [[maybe_unused]] index_t i) noexcept {
  static_assert(Cache == 1 || Cache == 2);
#if defined(__GNUC__)
  __builtin_prefetch(reinterpret_cast<void const*>(reinterpret_cast<std::uintptr_t>(x) +
                                                   static_cast<std::uintptr_t>(i) * sizeof(A)),
                     0, 4 - Cache);
#endif
}

/// In the place of what is done, or told, beside the work.
struct no_work {
  SAGE_INLINE void operator()(index_t) const noexcept {}
};

/// Zero in every lane, a constant: GCC 12 may insert V(0) lane by lane.
template <class V>
SAGE_INLINE V zero_lanes() noexcept {
  V r{};
#if SAGE_SIMD
  if constexpr (is_pack<V>) r.v = decltype(r.v){};
#endif
  return r;
}

/// x·y + z, in one expression: compilers that fuse do so within one only.
template <class V>
SAGE_INLINE V multiply_add(V const& x, V const& y, V const& z) noexcept {
#if SAGE_SIMD
  if constexpr (is_pack<V>) {
    return V(x.v * y.v + z.v);
  } else
#endif
    return x * y + z;
}

/// x·y rounded before anything is added to it, so that a sum of products has the same bits with and without
/// fused multiply-add, at any width, on the host and on a GPU.
template <class V>
SAGE_HD SAGE_INLINE V rounded_product(V const& x, V const& y) noexcept {
  SAGE_NO_CONTRACT
#if defined(__CUDA_ARCH__)
  if constexpr (std::is_same_v<V, float>) {
    return __fmul_rn(x, y);
  } else {
    return __dmul_rn(x, y);
  }
#else
  V product;
#if SAGE_SIMD
  if constexpr (is_pack<V>) {
    product = V(x.v * y.v);  // the operator of packs allows a contraction
    math::detail::fence(product.v);
    return product;
  }
#endif
  product = x * y;
#if SAGE_SIMD
  if constexpr (std::is_same_v<V, float> || std::is_same_v<V, double>) {
    math::detail::fence(product);
  }
#elif defined(__GNUC__) && !defined(__clang__) && defined(__FP_FAST_FMAF)
  __asm__("" : "+m"(product));  // GCC fuses across statements
#endif
  return product;
#endif
}

/// Calls step(std::type_identity<P>, j) for positions that cover 0 … n − 1 once: P = V, then scalars for the
/// rest.
template <class V, class Step>
SAGE_INLINE void sweep(index_t n, Step const& step) {
  constexpr index_t width = lane_traits<V>::width;
  index_t j = 0;
  for (; j + width <= n; j += width) step(std::type_identity<V>{}, j);
  if constexpr (width > 1)
    for (; j < n; ++j) step(std::type_identity<scalar_of<V>>{}, j);
}

/// to[j] = from[j · stride], converted.
template <class T, class A>
SAGE_INLINE void gather(T const* from, index_t stride, index_t n, A* to) {
  for (index_t j = 0; j < n; ++j) to[j] = static_cast<A>(from[j * stride]);
}

/// to[j · stride] = from[j], converted; or added to what stands there.
template <class A, class T>
SAGE_INLINE void scatter(A const* from, index_t n, T* to, index_t stride, bool add) {
  if (add) {
    for (index_t j = 0; j < n; ++j) to[j * stride] = static_cast<T>(static_cast<A>(to[j * stride]) + from[j]);
  } else {
    for (index_t j = 0; j < n; ++j) to[j * stride] = static_cast<T>(from[j]);
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
