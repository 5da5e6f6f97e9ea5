#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/pack.hpp>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// A 4 × 4 matrix of floats, its rows in registers, becomes its transpose.
SAGE_INLINE void transpose(pack<float, 4> (&r)[4]) noexcept {
  auto const low01 = __builtin_shufflevector(r[0].v, r[1].v, 0, 4, 1, 5);
  auto const low23 = __builtin_shufflevector(r[2].v, r[3].v, 0, 4, 1, 5);
  auto const high01 = __builtin_shufflevector(r[0].v, r[1].v, 2, 6, 3, 7);
  auto const high23 = __builtin_shufflevector(r[2].v, r[3].v, 2, 6, 3, 7);
  r[0].v = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
  r[1].v = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
  r[2].v = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
  r[3].v = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

/// Copies Width rows of `length` elements, `pitch` elements apart, to columns: to[j * Width + l] = from[l * pitch + j].
template <int Width>
SAGE_INLINE void rows_to_columns(float const* from, index_t pitch, index_t length, float* to) noexcept {
  if (length == 2 && pitch == 2) {
    SAGE_UNROLL
    for (int l = 0; l < Width; l += 4) {
      auto const low = load_pack<pack<float, 4>>(from + 2 * l),
                 high = load_pack<pack<float, 4>>(from + 2 * l + 4);
      store_pack(to + l, pack<float, 4>(__builtin_shufflevector(low.v, high.v, 0, 2, 4, 6)));
      store_pack(to + Width + l, pack<float, 4>(__builtin_shufflevector(low.v, high.v, 1, 3, 5, 7)));
    }
    return;
  }
  if (length < 4) {
    for (index_t j = 0; j < length; ++j)
      for (int l = 0; l < Width; ++l) to[j * Width + l] = from[l * pitch + j];
    return;
  }
  for (int first = 0; first < Width; first += 4) {
    float const* const rows = from + first * pitch;
    for (index_t j = 0; j < length; j += 4) {
      index_t const start = j + 4 <= length ? j : length - 4;  // the last block may overlap the one before
      pack<float, 4> block[4];
      SAGE_UNROLL
      for (int l = 0; l < 4; ++l) block[l] = load_pack<pack<float, 4>>(rows + l * pitch + start);
      transpose(block);
      SAGE_UNROLL
      for (int l = 0; l < 4; ++l) store_pack(to + (start + l) * Width + first, block[l]);
    }
  }
}

/// And back: to[l * pitch + j] = from[j * Width + l].
template <int Width>
SAGE_INLINE void columns_to_rows(float const* from, float* to, index_t pitch, index_t length) noexcept {
  if (length == 2 && pitch == 2) {
    SAGE_UNROLL
    for (int l = 0; l < Width; l += 4) {
      auto const first = load_pack<pack<float, 4>>(from + l),
                 second = load_pack<pack<float, 4>>(from + Width + l);
      store_pack(to + 2 * l, pack<float, 4>(__builtin_shufflevector(first.v, second.v, 0, 4, 1, 5)));
      store_pack(to + 2 * l + 4, pack<float, 4>(__builtin_shufflevector(first.v, second.v, 2, 6, 3, 7)));
    }
    return;
  }
  if (length < 4) {
    for (index_t j = 0; j < length; ++j)
      for (int l = 0; l < Width; ++l) to[l * pitch + j] = from[j * Width + l];
    return;
  }
  for (int first = 0; first < Width; first += 4) {
    float* const rows = to + first * pitch;
    for (index_t j = 0; j < length; j += 4) {
      index_t const start = j + 4 <= length ? j : length - 4;
      pack<float, 4> block[4];
      SAGE_UNROLL
      for (int l = 0; l < 4; ++l) block[l] = load_pack<pack<float, 4>>(from + (start + l) * Width + first);
      transpose(block);
      SAGE_UNROLL
      for (int l = 0; l < 4; ++l) store_pack(rows + l * pitch + start, block[l]);
    }
  }
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
