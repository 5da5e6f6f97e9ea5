#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/formula/candidates.hpp>
#include <sage/loss/pair_kernels.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/rows.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Queries with candidates of their own: a positive and K negatives each. One task rates one query and writes
/// all of its gradients.
template <class Distance, class Rule, class T>
struct own_candidates {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  Distance distance;
  Rule rule;
  rows_view<T const> queries, positives;  // (N, D)
  rows_view<T const> negatives;           // (N·K, D)
  gradient_rows<T> d_queries, d_positives, d_negatives;
  bool const* left_out;  // (N), or null
  rating<A>* ratings;    // (N), written
  A const* factors;      // (N) upstream of each query, or null for the losses only
  index_t negatives_each;
  index_t rows;    // N
  index_t length;  // (K + 1)·D

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    index_t const count = negatives_each + 1, size = candidates<A>::padded_to(count);
    row_buffer<A> distances(size), weights(size), scratch(size);
    row_buffer<typename Distance::template slope<A>> slopes(count);
    for (index_t i = first; i < last; ++i)
      one_query<V>({i, 0, count, distances.data(), factors ? weights.data() : nullptr, scratch.data()},
                   distances.data(), slopes.data());
  }

 private:
  template <class V>
  SAGE_INLINE void one_query(candidates<A> const& c, A* distances,
                             typename Distance::template slope<A>* slopes) const {
    index_t const i = c.query;
    if (left_out && left_out[i]) {
      c.clear_weights();
      ratings[i] = {};
    } else {
      measure<V, true>(
          distance, of(queries, i), c.count, [&](index_t k) SAGE_INLINE_LAMBDA { return candidate(i, k); },
          queries.length,
          [&](index_t k, measured<Distance, A> const& m) SAGE_INLINE_LAMBDA {
            distances[k] = m.distance;
            slopes[k] = m.slope;
          });
      ratings[i] = rule.template rate<V>(c);
    }
    if (!factors) return;
    for (index_t k = 0; k < c.count; ++k)
      c.weight[k] = factors[i] == A(0) ? A(0) : A(c.weight[k] * factors[i]);
    if (d_queries.mode != gradient_mode::skip)
      gather<V, true>(
          distance, of(queries, i), c.count, [&](index_t k) SAGE_INLINE_LAMBDA { return candidate(i, k); },
          [&](index_t k) SAGE_INLINE_LAMBDA { return c.weight[k]; },
          [&](index_t k) SAGE_INLINE_LAMBDA { return slopes[k]; }, queries.length, to(d_queries, i),
          d_queries.mode == gradient_mode::add);
    for (index_t k = 0; k < c.count; ++k) {
      auto const& out = k == 0 ? d_positives : d_negatives;
      if (out.mode == gradient_mode::skip) continue;
      gather<V, false>(
          distance, candidate(i, k), 1, [&](index_t) SAGE_INLINE_LAMBDA { return of(queries, i); },
          [&](index_t) SAGE_INLINE_LAMBDA { return c.weight[k]; },
          [&](index_t) SAGE_INLINE_LAMBDA { return slopes[k]; }, queries.length,
          to(out, k == 0 ? i : i * negatives_each + k - 1), out.mode == gradient_mode::add);
    }
  }

  SAGE_INLINE static strided_row<T const> of(rows_view<T const> const& m, index_t i) noexcept {
    return {m.row(i), m.stride};
  }
  SAGE_INLINE static strided_row<T> to(gradient_rows<T> const& g, index_t i) noexcept {
    return {g.to.row(i), g.to.stride};
  }
  SAGE_INLINE strided_row<T const> candidate(index_t i, index_t k) const noexcept {
    return k == 0 ? of(positives, i) : of(negatives, i * negatives_each + k - 1);
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
