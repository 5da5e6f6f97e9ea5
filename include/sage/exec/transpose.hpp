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

  /// Of every 16 bytes the elements numbered First …: those of x, and behind them those of y.
  template <int First, int... Then>
  SAGE_INLINE static wide shuffled(wide const& x, wide const& y) noexcept {
    constexpr int from[] = {First, Then...};
    static_assert(sizeof...(Then) + 1 == block);
    return wide(__builtin_shufflevector(
        x.v, y.v, (I / block * block + from[I % block] % block + from[I % block] / block * Width)...));
  }

  /// Every matrix becomes its transpose.
  SAGE_INLINE static void transpose(wide (&r)[block]) noexcept {
    if constexpr (block == 2) {
      wide const low = shuffled<0, 2>(r[0], r[1]);
      r[1] = shuffled<1, 3>(r[0], r[1]);
      r[0] = low;
    } else {
      wide const low01 = shuffled<0, 4, 1, 5>(r[0], r[1]), low23 = shuffled<0, 4, 1, 5>(r[2], r[3]);
      wide const high01 = shuffled<2, 6, 3, 7>(r[0], r[1]), high23 = shuffled<2, 6, 3, 7>(r[2], r[3]);
      r[0] = shuffled<0, 1, 4, 5>(low01, low23);
      r[1] = shuffled<2, 3, 6, 7>(low01, low23);
      r[2] = shuffled<0, 1, 4, 5>(high01, high23);
      r[3] = shuffled<2, 3, 6, 7>(high01, high23);
    }
  }

  /// Columns of rows of two or three floats that follow one another without a gap.
  template <int Length>
  SAGE_INLINE static void load_columns(T const* from, T* to) noexcept {
    wide v[Length];
    SAGE_UNROLL
    for (int i = 0; i < Length; ++i) v[i] = load(from + i * block, Length);
    if constexpr (Length == 2) {
      store_pack(to, shuffled<0, 2, 4, 6>(v[0], v[1]));
      store_pack(to + Width, shuffled<1, 3, 5, 7>(v[0], v[1]));
    } else {  // a b c a · b c a b · c a b c
      store_pack(to, shuffled<0, 3, 4, 6>(v[0], shuffled<2, 2, 5, 5>(v[1], v[2])));
      store_pack(to + Width,
                 shuffled<0, 2, 4, 6>(shuffled<1, 1, 4, 4>(v[0], v[1]), shuffled<3, 3, 6, 6>(v[1], v[2])));
      store_pack(to + 2 * Width,
                 shuffled<0, 2, 4, 6>(shuffled<2, 2, 5, 5>(v[0], v[1]), shuffled<0, 0, 3, 3>(v[2], v[2])));
    }
  }
  template <int Length>
  SAGE_INLINE static void store_columns(T const* from, T* to) noexcept {
    wide const a = load_pack<wide>(from), b = load_pack<wide>(from + Width);
    if constexpr (Length == 2) {
      store(shuffled<0, 4, 1, 5>(a, b), to, 2);
      store(shuffled<2, 6, 3, 7>(a, b), to + block, 2);
    } else {
      wide const c = load_pack<wide>(from + 2 * Width);
      store(shuffled<0, 2, 4, 6>(shuffled<0, 0, 4, 4>(a, b), shuffled<0, 0, 5, 5>(c, a)), to, 3);
      store(shuffled<0, 2, 4, 6>(shuffled<1, 1, 5, 5>(b, c), shuffled<2, 2, 6, 6>(a, b)), to + block, 3);
      store(shuffled<0, 2, 4, 6>(shuffled<2, 2, 7, 7>(c, a), shuffled<3, 3, 7, 7>(b, c)), to + 2 * block, 3);
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
  if constexpr (block == 4) {
    if (length == 2 && pitch == 2) return several::template load_columns<2>(from, to);
    if (length == 3 && pitch == 3) return several::template load_columns<3>(from, to);
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
  if constexpr (block == 4) {
    if (length == 2 && pitch == 2) return several::template store_columns<2>(from, to);
    if (length == 3 && pitch == 3) return several::template store_columns<3>(from, to);
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
