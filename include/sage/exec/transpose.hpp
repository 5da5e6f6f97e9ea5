#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/pack.hpp>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Rows of 16 bytes that stand under one another in as many packs, four of floats or two of doubles, become columns: the
/// transpose of a 4 × 4 or 2 × 2 matrix. Wider packs hold several matrices side by side, one for every 16 bytes.
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
SAGE_INLINE void transpose(pack<float, 8> (&r)[4]) noexcept {
  auto const low01 = __builtin_shufflevector(r[0].v, r[1].v, 0, 8, 1, 9, 4, 12, 5, 13);
  auto const low23 = __builtin_shufflevector(r[2].v, r[3].v, 0, 8, 1, 9, 4, 12, 5, 13);
  auto const high01 = __builtin_shufflevector(r[0].v, r[1].v, 2, 10, 3, 11, 6, 14, 7, 15);
  auto const high23 = __builtin_shufflevector(r[2].v, r[3].v, 2, 10, 3, 11, 6, 14, 7, 15);
  r[0].v = __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13);
  r[1].v = __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15);
  r[2].v = __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13);
  r[3].v = __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15);
}
SAGE_INLINE void transpose(pack<float, 16> (&r)[4]) noexcept {
  auto const low01 =
      __builtin_shufflevector(r[0].v, r[1].v, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  auto const low23 =
      __builtin_shufflevector(r[2].v, r[3].v, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29);
  auto const high01 =
      __builtin_shufflevector(r[0].v, r[1].v, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  auto const high23 =
      __builtin_shufflevector(r[2].v, r[3].v, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31);
  r[0].v = __builtin_shufflevector(low01, low23, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
  r[1].v = __builtin_shufflevector(low01, low23, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
  r[2].v = __builtin_shufflevector(high01, high23, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
  r[3].v =
      __builtin_shufflevector(high01, high23, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31);
}
SAGE_INLINE void transpose(pack<double, 2> (&r)[2]) noexcept {
  auto const low = __builtin_shufflevector(r[0].v, r[1].v, 0, 2);
  r[1].v = __builtin_shufflevector(r[0].v, r[1].v, 1, 3);
  r[0].v = low;
}
SAGE_INLINE void transpose(pack<double, 4> (&r)[2]) noexcept {
  auto const low = __builtin_shufflevector(r[0].v, r[1].v, 0, 4, 2, 6);
  r[1].v = __builtin_shufflevector(r[0].v, r[1].v, 1, 5, 3, 7);
  r[0].v = low;
}
SAGE_INLINE void transpose(pack<double, 8> (&r)[2]) noexcept {
  auto const low = __builtin_shufflevector(r[0].v, r[1].v, 0, 8, 2, 10, 4, 12, 6, 14);
  r[1].v = __builtin_shufflevector(r[0].v, r[1].v, 1, 9, 3, 11, 5, 13, 7, 15);
  r[0].v = low;
}

/// Two packs side by side, and the halves of one.
SAGE_INLINE pack<float, 8> joined(pack<float, 4> const& x, pack<float, 4> const& y) noexcept {
  return pack<float, 8>(__builtin_shufflevector(x.v, y.v, 0, 1, 2, 3, 4, 5, 6, 7));
}
SAGE_INLINE void split(pack<float, 8> const& z, pack<float, 4>& x, pack<float, 4>& y) noexcept {
  x.v = __builtin_shufflevector(z.v, z.v, 0, 1, 2, 3);
  y.v = __builtin_shufflevector(z.v, z.v, 4, 5, 6, 7);
}
SAGE_INLINE pack<float, 16> joined(pack<float, 8> const& x, pack<float, 8> const& y) noexcept {
  return pack<float, 16>(
      __builtin_shufflevector(x.v, y.v, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15));
}
SAGE_INLINE void split(pack<float, 16> const& z, pack<float, 8>& x, pack<float, 8>& y) noexcept {
  x.v = __builtin_shufflevector(z.v, z.v, 0, 1, 2, 3, 4, 5, 6, 7);
  y.v = __builtin_shufflevector(z.v, z.v, 8, 9, 10, 11, 12, 13, 14, 15);
}
SAGE_INLINE pack<double, 4> joined(pack<double, 2> const& x, pack<double, 2> const& y) noexcept {
  return pack<double, 4>(__builtin_shufflevector(x.v, y.v, 0, 1, 2, 3));
}
SAGE_INLINE void split(pack<double, 4> const& z, pack<double, 2>& x, pack<double, 2>& y) noexcept {
  x.v = __builtin_shufflevector(z.v, z.v, 0, 1);
  y.v = __builtin_shufflevector(z.v, z.v, 2, 3);
}
SAGE_INLINE pack<double, 8> joined(pack<double, 4> const& x, pack<double, 4> const& y) noexcept {
  return pack<double, 8>(__builtin_shufflevector(x.v, y.v, 0, 1, 2, 3, 4, 5, 6, 7));
}
SAGE_INLINE void split(pack<double, 8> const& z, pack<double, 4>& x, pack<double, 4>& y) noexcept {
  x.v = __builtin_shufflevector(z.v, z.v, 0, 1, 2, 3);
  y.v = __builtin_shufflevector(z.v, z.v, 4, 5, 6, 7);
}

/// Columns that are transposed together, and the rows of one of the matrices side by side.
template <class T>
inline constexpr int transposed_block = 16 / static_cast<int>(sizeof(T));

/// One block of each of the rows 0, 4, 8, … of floats, 0, 2, … of doubles, side by side.
template <int Width, class T>
SAGE_INLINE pack<T, Width> load_blocks(T const* from, index_t pitch) noexcept {
  if constexpr (Width == transposed_block<T>) {
    return load_pack<pack<T, Width>>(from);
  } else {
    return joined(load_blocks<Width / 2>(from, pitch),
                  load_blocks<Width / 2>(from + Width / 2 * pitch, pitch));
  }
}
template <int Width, class T>
SAGE_INLINE void store_blocks(T* to, index_t pitch, pack<T, Width> const& x) noexcept {
  if constexpr (Width == transposed_block<T>) {
    store_pack(to, x);
  } else {
    pack<T, Width / 2> low, high;
    split(x, low, high);
    store_blocks<Width / 2>(to, pitch, low);
    store_blocks<Width / 2>(to + Width / 2 * pitch, pitch, high);
  }
}

/// Copies Width rows of `length` elements, `pitch` elements apart, to columns: to[j * Width + l] = from[l * pitch + j].
template <int Width, class T>
SAGE_INLINE void rows_to_columns(T const* from, index_t pitch, index_t length, T* to) noexcept {
  constexpr int block = transposed_block<T>;
  if constexpr (__is_same(T, float))
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
  if (length < block) {
    for (index_t j = 0; j < length; ++j)
      for (int l = 0; l < Width; ++l) to[j * Width + l] = from[l * pitch + j];
    return;
  }
  for (index_t j = 0; j < length; j += block) {
    index_t const start =
        j + block <= length ? j : length - block;  // the last block may overlap the one before
    pack<T, Width> columns[block];
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) columns[l] = load_blocks<Width>(from + l * pitch + start, pitch);
    transpose(columns);
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) store_pack(to + (start + l) * Width, columns[l]);
  }
}

/// And back: to[l * pitch + j] = from[j * Width + l].
template <int Width, class T>
SAGE_INLINE void columns_to_rows(T const* from, T* to, index_t pitch, index_t length) noexcept {
  constexpr int block = transposed_block<T>;
  if constexpr (__is_same(T, float))
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
  if (length < block) {
    for (index_t j = 0; j < length; ++j)
      for (int l = 0; l < Width; ++l) to[l * pitch + j] = from[j * Width + l];
    return;
  }
  for (index_t j = 0; j < length; j += block) {
    index_t const start = j + block <= length ? j : length - block;
    pack<T, Width> rows[block];
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) rows[l] = load_pack<pack<T, Width>>(from + (start + l) * Width);
    transpose(rows);
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) store_blocks<Width>(to + l * pitch + start, pitch, rows[l]);
  }
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
