#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/pack.hpp>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Gradients of this many bytes or more are stored past the caches, where nobody could find them again anyway: the
/// lines need not be read before they are written. Below, a consumer gains more from finding them in a cache.
///
/// Only by whole lines, vectors of 64 bytes: a Xeon then copies three tensors in half the time. An EPYC with vectors of
/// 32 bytes takes a quarter longer for triplets of 4096×2048 than with ordinary stores (set streams_with to true, and
/// `cmake/run.sh bench --filter triplet/value_and_grad/float/4096x2048` beside this one).
inline constexpr index_t streaming_bytes = index_t(16) << 20;
template <class V>
inline constexpr bool streams_with = sizeof(V) == 64;

/// Stores past the caches; `to` is a multiple of the pack's size.
template <class T, int N>
SAGE_INLINE void store_streaming(T* to, pack<T, N> const& x) noexcept {
  using native = typename sage::detail::native_vector<T, N>::type;
#if defined(__clang__)
  __builtin_nontemporal_store(x.v, reinterpret_cast<native*>(to));
#elif defined(__x86_64__)
  __asm__("%vmovntps %1, %0" : "=m"(*reinterpret_cast<native*>(to)) : "v"(x.v));
#else
  *reinterpret_cast<native*>(to) = x.v;
#endif
}

/// Stores past the caches are seen by other threads in the order of the others after this.
SAGE_INLINE void end_streaming() noexcept {
#if defined(__x86_64__)
  __asm__ volatile("sfence" ::: "memory");
#endif
}

/// Asks for the cache line of an address that will be written, or read, soon.
template <class T>
SAGE_INLINE void prefetch_for_write(T const* p) noexcept {
  __builtin_prefetch(p, 1, 3);
}
template <class T>
SAGE_INLINE void prefetch_for_read(T const* p) noexcept {
  __builtin_prefetch(p, 0, 3);
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
