#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/transpose.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

/// Rows of pixels in the lanes of a value type V, a row to each: element j of row l at j · lanes + l.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// `rows` rows of `length` elements, `pitch` apart, into lanes; zeros in lanes without a row.
template <class V, class A>
SAGE_INLINE void rows_to_lanes(A const* from, index_t pitch, index_t rows, index_t length, A* to) {
  constexpr int width = lane_traits<V>::width;
#if SAGE_SIMD
  if constexpr (is_pack<V>)
    if (rows == width) return exec::detail::rows_to_columns<width>(from, pitch, length, to);
#endif
  for (index_t j = 0; j < length; ++j)
    for (index_t l = 0; l < width; ++l) to[j * width + l] = l < rows ? from[l * pitch + j] : A(0);
}

/// And every lane into a row.
template <class V, class A>
SAGE_INLINE void lanes_to_rows(A const* from, A* to, index_t pitch, index_t length) {
  constexpr int width = lane_traits<V>::width;
#if SAGE_SIMD
  if constexpr (is_pack<V>) return exec::detail::columns_to_rows<width>(from, to, pitch, length);
#endif
  for (index_t j = 0; j < length; ++j)
    for (index_t l = 0; l < width; ++l) to[l * pitch + j] = from[j * width + l];
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
