#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/formula/candidates.hpp>
#include <sage/loss/gradient_sums.hpp>
#include <sage/loss/pair_kernels.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>

/// Losses whose queries meet every key of the batch: N² distances, never all of them in memory. Queries are
/// worked in tiles of a constant number; a tile keeps its distances and their derivatives, O(N) numbers. First every
/// query of the tile is rated against all keys and takes the gradient of its own row, then every key takes
/// its share of the tile. Each row is written by one task at a time, in a fixed order: results are the same
/// for any number of threads.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

template <class T>
SAGE_INLINE strided_row<T const> row_of(rows_view<T const> const& m, index_t i) noexcept {
  return {m.row(i), m.stride};
}

/// The operands, and what has been found out about each query.
template <class Distance, class Rule, class T>
struct batch_pairs {
  using A = accumulator_t<T>;

  Distance distance;
  Rule rule;
  rows_view<T const> queries, keys;  // (N, D)
  bool const* left_out = nullptr;    // (N) samples of weight zero, or null
  rating<A>* ratings = nullptr;      // (N), written
  A const* factors = nullptr;        // (N) upstream of each query, for gradients

  // For a rule that takes positives: (N, D), each one more candidate of its query, and the keys are negatives of
  // all queries. Without them the keys are the samples of the batch.
  rows_view<T const> positives{};
  bool with_positives = false;

  index_t candidates_each() const noexcept { return keys.rows + (with_positives ? 1 : 0); }
};

/// What a tile of queries remembers: rows of `pitch` numbers.
template <class Distance, class A>
struct pair_tile {
  index_t first, pitch;
  A *distances, *weights, *scratch;
  typename Distance::template slope<A>* slopes;  // null where only the losses are wanted
};

/// Rates the queries of a tile, one task each, and gives them their gradients.
template <class Distance, class Rule, class T>
struct rate_queries {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  batch_pairs<Distance, Rule, T> const& pairs;
  pair_tile<Distance, A> tile;
  gradient_sums<T>* d_queries;    // null for none
  gradient_sums<T>* d_positives;  // null for none
  index_t rows;                   // queries of the tile
  index_t length;               // N·D

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    row_buffer<neighbour<A>> neighbours(Rule::template sorts<A> ? 2 * tile.pitch : 0);
    for (index_t i = first; i < last; ++i) one_query<V>(i, neighbours.data());
  }

 private:
  template <class V>
  SAGE_INLINE void one_query(index_t i, neighbour<A>* neighbours) const {
    index_t const query = tile.first + i, at = i * tile.pitch, count = pairs.candidates_each(),
                  own = pairs.with_positives ? pairs.keys.rows : query;
    bool const with_gradient = tile.slopes != nullptr;
    candidates<A> const c{query,
                          own,
                          count,
                          tile.distances + at,
                          with_gradient ? tile.weights + at : nullptr,
                          tile.scratch + at,
                          pairs.with_positives ? nullptr : pairs.left_out,
                          neighbours};
    if (pairs.left_out && pairs.left_out[query]) {
      c.clear_weights();
      pairs.ratings[query] = {};
      return;
    }
    auto const key_of = [&](index_t k) SAGE_INLINE_LAMBDA {
      if constexpr (Rule::takes_positives)
        if (k == pairs.keys.rows) return row_of(pairs.positives, query);
      return row_of(pairs.keys, k);
    };
    strided_row<T const> const x = row_of(pairs.queries, query);
    index_t const d = pairs.queries.length;
    measure<V, true>(pairs.distance, x, count, key_of, d,
                     [&](index_t k, measured<Distance, A> const& m) SAGE_INLINE_LAMBDA {
                       tile.distances[at + k] = m.distance;
                       if (with_gradient) tile.slopes[at + k] = m.slope;
                     });
    pairs.ratings[query] = pairs.rule.template rate<V>(c);
    if (!with_gradient) return;
    A const factor = pairs.factors[query];
    for (index_t k = 0; k < count; ++k) c.weight[k] = factor == A(0) ? A(0) : A(c.weight[k] * factor);
    if (d_queries && d_queries->wanted())
      gather<V, true>(
          pairs.distance, x, count, key_of, [&](index_t k) SAGE_INLINE_LAMBDA { return c.weight[k]; },
          [&](index_t k) SAGE_INLINE_LAMBDA { return tile.slopes[at + k]; }, d, d_queries->row(query), true);
    if constexpr (Rule::takes_positives)
      if (d_positives && d_positives->wanted())
        gather<V, false>(
            pairs.distance, row_of(pairs.positives, query), 1, [&](index_t) SAGE_INLINE_LAMBDA { return x; },
            [&](index_t) SAGE_INLINE_LAMBDA { return c.weight[own]; },
            [&](index_t) SAGE_INLINE_LAMBDA { return tile.slopes[at + own]; }, d, d_positives->row(query), true);
  }
};

/// Gives every key, one task each, its share of a tile.
template <class Distance, class T>
struct share_with_keys {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  Distance distance;
  rows_view<T const> queries, keys;
  pair_tile<Distance, A> tile;
  gradient_sums<T>& d_keys;
  index_t tile_rows;
  index_t rows;  // keys
  index_t length;

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    for (index_t k = first; k < last; ++k)
      gather<V, false>(
          distance, row_of(keys, k), tile_rows,
          [&](index_t i) SAGE_INLINE_LAMBDA { return row_of(queries, tile.first + i); },
          [&](index_t i) SAGE_INLINE_LAMBDA { return tile.weights[i * tile.pitch + k]; },
          [&](index_t i) SAGE_INLINE_LAMBDA { return tile.slopes[i * tile.pitch + k]; }, keys.length,
          d_keys.row(k), true);
  }
};

/// Queries that are worked at once: enough to occupy many threads, and their distances still O(N) numbers.
inline constexpr index_t queries_of_a_tile = 64;

/// Rates all queries, and adds their gradients to the sums where these are not null. Those of queries and keys
/// may be the same sums.
template <class Distance, class Rule, class T, class Executor>
void run_batch_pairs(batch_pairs<Distance, Rule, T> const& pairs, gradient_sums<T>* d_queries,
                     gradient_sums<T>* d_keys, Executor const& executor,
                     gradient_sums<T>* d_positives = nullptr) {
  using A = accumulator_t<T>;
  index_t const n = pairs.queries.rows, keys = pairs.keys.rows, each = pairs.candidates_each();
  if (n == 0) return;
  bool const with_gradient = d_queries || d_keys || d_positives;
  index_t const tile_rows = n < queries_of_a_tile ? n : queries_of_a_tile;
  index_t const pitch = candidates<A>::padded_to(each), size = tile_rows * pitch;
  row_buffer<A> distances(size), scratch(size), weights(with_gradient ? size : 0);
  row_buffer<typename Distance::template slope<A>> slopes(with_gradient ? size : 0);
  index_t const work = each * pairs.queries.length;
  for (index_t first = 0; first < n; first += tile_rows) {
    index_t const rows = n - first < tile_rows ? n - first : tile_rows;
    pair_tile<Distance, A> const tile{
        first,          pitch,          distances.data(),
        weights.data(), scratch.data(), with_gradient ? slopes.data() : nullptr};
    executor(rate_queries<Distance, Rule, T>{pairs, tile, d_queries, d_positives, rows, work});
    if (d_keys && d_keys->wanted())
      executor(
          share_with_keys<Distance, T>{pairs.distance, pairs.queries, pairs.keys, tile, *d_keys, rows, keys,
                                       rows * pairs.keys.length});
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
