#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/half_pack.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

/// Rows of neighbours of any element type, to accumulators and back: by packs V where those are loaded and stored, which
/// halves of a known format are, else element by element. V may be the accumulator itself.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// to[j] = from[j] of a row, as an accumulator; by packs V where they can.
template <class V, class T, class A>
SAGE_INLINE void widen_row(T const* from, index_t length, A* to) noexcept {
  index_t j = 0;
  if constexpr (loads_as<V, T>) {
    constexpr index_t width = lane_traits<V>::width;
    for (; j + width <= length; j += width) store_pack(to + j, load_converted<V>(from + j));
    if (j < length && length >= width) {  // the last pack may overlap the one before
      j = length - width;
      store_pack(to + j, load_converted<V>(from + j));
      return;
    }
  }
  for (; j < length; ++j) to[j] = static_cast<A>(from[j]);
}

/// to[j] = from[j], rounded to T.
template <class V, class T, class A>
SAGE_INLINE void round_row(A const* from, index_t length, T* to) noexcept {
  index_t j = 0;
  if constexpr (loads_as<V, T>) {
    constexpr index_t width = lane_traits<V>::width;
    for (; j + width <= length; j += width) store_converted(to + j, load_pack<V>(from + j));
    if (j < length && length >= width) {  // the last pack may overlap the one before
      j = length - width;
      store_converted(to + j, load_pack<V>(from + j));
      return;
    }
  }
  for (; j < length; ++j) to[j] = static_cast<T>(from[j]);
}

/// to[j] = to[j] + from[j], added in the accumulator and rounded to T.
template <class V, class T, class A>
SAGE_INLINE void add_row(A const* from, index_t length, T* to) noexcept {
  index_t j = 0;
  if constexpr (loads_as<V, T>) {
    constexpr index_t width = lane_traits<V>::width;
    for (; j + width <= length; j += width)
      store_converted(to + j, load_converted<V>(to + j) + load_pack<V>(from + j));
  }
  for (; j < length; ++j) to[j] = static_cast<T>(static_cast<A>(to[j]) + from[j]);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
