#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/pack.hpp>

#include <utility>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Packs of Width floats as Width/4 quarters of four lanes.
template <int Width, class = std::make_integer_sequence<int, Width>>
struct quarters;

template <int Width, int... I>
struct quarters<Width, std::integer_sequence<int, I...>> {
  using wide = pack<float, Width>;
  using quad = pack<float, 4>;

  /// Four floats at each of the addresses from, from + apart, …, one in a quarter.
  SAGE_INLINE static wide load(float const* from, [[maybe_unused]] index_t apart) noexcept {
    if constexpr (Width == 4) {
      return load_pack<wide>(from);
    } else {
      using half = pack<float, Width / 2>;
      half const low = quarters<Width / 2>::load(from, apart),
                 high = quarters<Width / 2>::load(from + Width / 8 * apart, apart);
      return wide(__builtin_shufflevector(low.v, high.v, I...));
    }
  }
  SAGE_INLINE static void store(wide const& x, float* to, [[maybe_unused]] index_t apart) noexcept {
    if constexpr (Width == 4) {
      store_pack(to, x);
    } else {
      store_halves(x, to, apart, std::make_integer_sequence<int, Width / 2>{});
    }
  }

  /// In every quarter four rows of four become their transpose.
  SAGE_INLINE static void transpose(wide (&r)[4]) noexcept {
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

 private:
  template <int... J>
  SAGE_INLINE static void store_halves(wide const& x, float* to, index_t apart,
                                       std::integer_sequence<int, J...>) noexcept {
    using half = pack<float, Width / 2>;
    quarters<Width / 2>::store(half(__builtin_shufflevector(x.v, x.v, J...)), to, apart);
    quarters<Width / 2>::store(half(__builtin_shufflevector(x.v, x.v, (Width / 2 + J)...)),
                               to + Width / 8 * apart, apart);
  }
};

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
  for (index_t j = 0; j < length; j += 4) {
    index_t const start = j + 4 <= length ? j : length - 4;  // the last block may overlap the one before
    pack<float, Width> block[4];
    SAGE_UNROLL
    for (int l = 0; l < 4; ++l) block[l] = quarters<Width>::load(from + l * pitch + start, 4 * pitch);
    quarters<Width>::transpose(block);
    SAGE_UNROLL
    for (int l = 0; l < 4; ++l) store_pack(to + (start + l) * Width, block[l]);
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
  for (index_t j = 0; j < length; j += 4) {
    index_t const start = j + 4 <= length ? j : length - 4;
    pack<float, Width> block[4];
    SAGE_UNROLL
    for (int l = 0; l < 4; ++l) block[l] = load_pack<pack<float, Width>>(from + (start + l) * Width);
    quarters<Width>::transpose(block);
    SAGE_UNROLL
    for (int l = 0; l < 4; ++l) quarters<Width>::store(block[l], to + l * pitch + start, 4 * pitch);
  }
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
