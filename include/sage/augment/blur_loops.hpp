#pragma once

#include <sage/augment/row_loops.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <cstddef>
#include <utility>

/// The inner loops of a separable blur with the symmetric kernel weight[−radius … radius]: sums over
/// neighbouring rows, or over the shifts of one row. `rows.row(k)` is the row k away.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// A row's shifts by k columns.
template <class A>
struct shifted_row {
  A const* origin;
  SAGE_INLINE A const* row(index_t k) const noexcept { return origin + k; }
};

/// w_0 center + Σ_k w_k (below + above) at the columns j … j + Packs·width, for k = 1 … radius. `row(k)` is
/// the row k away.
template <class P, class A, class Rows, std::size_t... I>
SAGE_INLINE void blur_strip(A const* weight, index_t radius, Rows const& rows, index_t j, A* to,
                            std::index_sequence<I...>) {
  constexpr index_t width = lane_traits<P>::width;
  A const* const center = rows.row(0) + j;
  P const first(weight[0]);
  P sum[sizeof...(I)] = {(first * load_lanes<P>(center + static_cast<index_t>(I) * width))...};
  for (index_t k = 1; k <= radius; ++k) {
    A const *const below = rows.row(-k) + j, *const above = rows.row(k) + j;
    P const w = broadcast_from<P>(weight + k);
    ((sum[I] += w * (load_lanes<P>(below + static_cast<index_t>(I) * width) +
                     load_lanes<P>(above + static_cast<index_t>(I) * width))),
     ...);
  }
  (store_lanes<P>(to + j + static_cast<index_t>(I) * width, sum[I]), ...);
}

/// The strip over n columns, four packs at a time; the last pack overlaps its neighbour.
template <class V, class A, class Rows>
SAGE_INLINE void blur_row(A const* weight, index_t radius, Rows const& rows, index_t n, A* to) {
  constexpr index_t width = lane_traits<V>::width;
  index_t j = 0;
  for (; j + 4 * width <= n; j += 4 * width)
    blur_strip<V>(weight, radius, rows, j, to, std::make_index_sequence<4>{});
  for (; j + width <= n; j += width)
    blur_strip<V>(weight, radius, rows, j, to, std::make_index_sequence<1>{});
  if (j == n) return;
  if (n >= width) return blur_strip<V>(weight, radius, rows, n - width, to, std::make_index_sequence<1>{});
  for (; j < n; ++j) blur_strip<A>(weight, radius, rows, j, to, std::make_index_sequence<1>{});
}

/// Rows that are worked on together, so that every row read serves all of them.
inline constexpr int blur_block = 4;

/// The sums of a block at Packs packs of columns.
template <class P, std::size_t Packs>
struct block_sums {
  P of[Packs][blur_block];

  /// Adds w times a row to the sums of the row Q.
  template <std::size_t Q>
  SAGE_INLINE void add(P const& w, P const& left, [[maybe_unused]] P const& right) {
    of[0][Q] += w * left;
    if constexpr (Packs == 2) of[1][Q] += w * right;
  }
};

/// The one or two packs of columns at `row`.
template <class P, std::size_t Packs, class A, class F>
SAGE_INLINE void with_packs(A const* row, F const& f) {
  P const left = load_lanes<P>(row);
  if constexpr (Packs == 2) {
    f(left, load_lanes<P>(row + lane_traits<P>::width));
  } else {
    f(left, left);
  }
}

/// Adds row k, seen from the first row of the block, to the block's sums First, First + 1, …, which it
/// reaches.
template <std::size_t First, std::size_t Packs, class P, class A, std::size_t... Q>
SAGE_INLINE void add_to_block(A const* weight, index_t k, A const* row, block_sums<P, Packs>& sum,
                              std::index_sequence<Q...>) {
  with_packs<P, Packs>(row, [&](P const& left, P const& right) SAGE_INLINE_LAMBDA {
    (sum.template add<First + Q>(broadcast_from<P>(weight + k - static_cast<index_t>(First + Q)), left,
                                 right),
     ...);
  });
}

template <class P, class A, std::size_t... Q>
SAGE_INLINE void store_block(P const (&sum)[blur_block], A* to, index_t pitch, std::index_sequence<Q...>) {
  (store_lanes<P>(to + static_cast<index_t>(Q) * pitch, sum[Q]), ...);
}

/// Four neighbouring rows of the vertical pass at the columns j … j + Packs·width; `to` has the given pitch.
template <class P, std::size_t Packs, class A, class Rows>
SAGE_INLINE void blur_block_strip(A const* weight, index_t radius, Rows const& rows, index_t j, A* to,
                                  index_t pitch) {
  P const zero(A(0));
  block_sums<P, Packs> sum;
  sum.of[0][0] = sum.of[0][1] = sum.of[0][2] = sum.of[0][3] = zero;
  if constexpr (Packs == 2) sum.of[1][0] = sum.of[1][1] = sum.of[1][2] = sum.of[1][3] = zero;
  index_t k = -radius;  // the first and the last three rows reach some of the block only
  add_to_block<0>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<1>{}), ++k;
  add_to_block<0>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<2>{}), ++k;
  add_to_block<0>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<3>{}), ++k;
  for (; k <= radius; ++k) add_to_block<0>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<4>{});
  add_to_block<1>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<3>{}), ++k;
  add_to_block<2>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<2>{}), ++k;
  add_to_block<3>(weight, k, rows.row(k) + j, sum, std::make_index_sequence<1>{});
  store_block(sum.of[0], to + j, pitch, std::make_index_sequence<4>{});
  if constexpr (Packs == 2)
    store_block(sum.of[1], to + j + lane_traits<P>::width, pitch, std::make_index_sequence<4>{});
}

/// Four rows of n columns; radius ≥ 1.
template <class V, class A, class Rows>
SAGE_INLINE void blur_rows(A const* weight, index_t radius, Rows const& rows, index_t n, A* to,
                           index_t pitch) {
  constexpr index_t width = lane_traits<V>::width;
  index_t j = 0;
  for (; j + 2 * width <= n; j += 2 * width) blur_block_strip<V, 2>(weight, radius, rows, j, to, pitch);
  for (; j + width <= n; j += width) blur_block_strip<V, 1>(weight, radius, rows, j, to, pitch);
  if (j == n) return;
  if (n >= width) return blur_block_strip<V, 1>(weight, radius, rows, n - width, to, pitch);
  for (; j < n; ++j) blur_block_strip<A, 1>(weight, radius, rows, j, to, pitch);
}

/// Packs of half the width where V fills 64 bytes: loads at odd addresses then cross half as many cache
/// lines.
template <class V>
struct unaligned_lanes {
  using type = V;
};
#if SAGE_SIMD
template <>
struct unaligned_lanes<pack<float, 16>> {
  using type = pack<float, 8>;
};
template <>
struct unaligned_lanes<pack<double, 8>> {
  using type = pack<double, 4>;
};
#endif

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
