#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/pack.hpp>

#include <utility>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Columns that are transposed together: a matrix of them is four rows of four floats, or two of two doubles, each of 16
/// bytes.
template <class T>
inline constexpr int transposed_block = 16 / static_cast<int>(sizeof(T));

/// Packs that hold rows of several such matrices side by side, one for every 16 bytes. (One class for every width: the
/// lanes of a shuffle are its numbers.)
template <class T, int Width, class = std::make_integer_sequence<int, Width>>
struct side_by_side;

template <class T, int Width, int... I>
struct side_by_side<T, Width, std::integer_sequence<int, I...>> {
  using wide = pack<T, Width>;
  static constexpr int block = transposed_block<T>;

  /// A row's block at each of from, from + block · pitch, …
  SAGE_INLINE static wide load(T const* from, [[maybe_unused]] index_t pitch) noexcept {
    if constexpr (Width == block) {
      return load_pack<wide>(from);
    } else {
      auto const low = side_by_side<T, Width / 2>::load(from, pitch),
                 high = side_by_side<T, Width / 2>::load(from + Width / 2 * pitch, pitch);
      return wide(__builtin_shufflevector(low.v, high.v, I...));
    }
  }
  SAGE_INLINE static void store(wide const& x, T* to, [[maybe_unused]] index_t pitch) noexcept {
    if constexpr (Width == block) {
      store_pack(to, x);
    } else {
      store_halves(x, to, pitch, std::make_integer_sequence<int, Width / 2>{});
    }
  }

  /// Every matrix becomes its transpose.
  SAGE_INLINE static void transpose(wide (&r)[block]) noexcept {
    if constexpr (block == 2) {
      auto const low = __builtin_shufflevector(r[0].v, r[1].v, (I / 2 * 2 + I % 2 * Width)...);
      r[1].v = __builtin_shufflevector(r[0].v, r[1].v, (I / 2 * 2 + 1 + I % 2 * Width)...);
      r[0].v = low;
    } else {
      auto const low01 = __builtin_shufflevector(r[0].v, r[1].v, (I / 4 * 4 + I % 4 / 2 + I % 2 * Width)...);
      auto const low23 = __builtin_shufflevector(r[2].v, r[3].v, (I / 4 * 4 + I % 4 / 2 + I % 2 * Width)...);
      auto const high01 =
          __builtin_shufflevector(r[0].v, r[1].v, (I / 4 * 4 + 2 + I % 4 / 2 + I % 2 * Width)...);
      auto const high23 =
          __builtin_shufflevector(r[2].v, r[3].v, (I / 4 * 4 + 2 + I % 4 / 2 + I % 2 * Width)...);
      r[0].v = __builtin_shufflevector(low01, low23, (I / 4 * 4 + I % 2 + I % 4 / 2 * Width)...);
      r[1].v = __builtin_shufflevector(low01, low23, (I / 4 * 4 + 2 + I % 2 + I % 4 / 2 * Width)...);
      r[2].v = __builtin_shufflevector(high01, high23, (I / 4 * 4 + I % 2 + I % 4 / 2 * Width)...);
      r[3].v = __builtin_shufflevector(high01, high23, (I / 4 * 4 + 2 + I % 2 + I % 4 / 2 * Width)...);
    }
  }

 private:
  template <int... J>
  SAGE_INLINE static void store_halves(wide const& x, T* to, index_t pitch,
                                       std::integer_sequence<int, J...>) noexcept {
    using half = side_by_side<T, Width / 2>;
    using half_pack = pack<T, Width / 2>;
    half::store(half_pack(__builtin_shufflevector(x.v, x.v, J...)), to, pitch);
    half::store(half_pack(__builtin_shufflevector(x.v, x.v, (Width / 2 + J)...)), to + Width / 2 * pitch,
                pitch);
  }
};

/// Copies Width rows of `length` elements, `pitch` elements apart, to columns: to[j * Width + l] = from[l * pitch + j].
template <int Width, class T>
SAGE_INLINE void rows_to_columns(T const* from, index_t pitch, index_t length, T* to) noexcept {
  using several = side_by_side<T, Width>;
  constexpr int block = transposed_block<T>;
  if constexpr (block == 4)
    if (length == 2 && pitch == 2) {
      SAGE_UNROLL
      for (int l = 0; l < Width; l += 4) {
        auto const low = load_pack<pack<T, 4>>(from + 2 * l), high = load_pack<pack<T, 4>>(from + 2 * l + 4);
        store_pack(to + l, pack<T, 4>(__builtin_shufflevector(low.v, high.v, 0, 2, 4, 6)));
        store_pack(to + Width + l, pack<T, 4>(__builtin_shufflevector(low.v, high.v, 1, 3, 5, 7)));
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
    pack<T, Width> rows[block];
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) rows[l] = several::load(from + l * pitch + start, pitch);
    several::transpose(rows);
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) store_pack(to + (start + l) * Width, rows[l]);
  }
}

/// And back: to[l * pitch + j] = from[j * Width + l].
template <int Width, class T>
SAGE_INLINE void columns_to_rows(T const* from, T* to, index_t pitch, index_t length) noexcept {
  using several = side_by_side<T, Width>;
  constexpr int block = transposed_block<T>;
  if constexpr (block == 4)
    if (length == 2 && pitch == 2) {
      SAGE_UNROLL
      for (int l = 0; l < Width; l += 4) {
        auto const first = load_pack<pack<T, 4>>(from + l), second = load_pack<pack<T, 4>>(from + Width + l);
        store_pack(to + 2 * l, pack<T, 4>(__builtin_shufflevector(first.v, second.v, 0, 4, 1, 5)));
        store_pack(to + 2 * l + 4, pack<T, 4>(__builtin_shufflevector(first.v, second.v, 2, 6, 3, 7)));
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
    pack<T, Width> columns[block];
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) columns[l] = load_pack<pack<T, Width>>(from + (start + l) * Width);
    several::transpose(columns);
    SAGE_UNROLL
    for (int l = 0; l < block; ++l) several::store(columns[l], to + l * pitch + start, pitch);
  }
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
