#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/passes.hpp>
#include <sage/formula/paired_rows.hpp>
#include <sage/loss/gradient_sums.hpp>
#include <sage/math/half_pack.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/pack.hpp>

#include <type_traits>

/// One row against many: the distances, and the sum of their gradients. Lanes stand along the row.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// A distance and what its gradient needs, for upstream 1.
template <class Distance, class A>
struct measured {
  A distance;
  typename Distance::template slope<A> slope;
};

/// Neighbours of a row as accumulators; `count` less than the width leaves zeros behind them.
template <class V, class T>
SAGE_INLINE V load_along(strided_row<T const> const& r, index_t j, int count) {
  using A = scalar_of<V>;
  constexpr int width = lane_traits<V>::width;
  T const* const from = r.data + j * r.stride;
  if constexpr (width == 1) {
    static_cast<void>(count);
    return static_cast<A>(*from);
  } else {
    if constexpr (loads_as<V, T>)
      if (r.stride == 1 && count == width) return load_converted<V>(from);
    A part[width] = {};
    for (int l = 0; l < count; ++l) part[l] = static_cast<A>(from[l * r.stride]);
    return load_pack<V>(part);
  }
}
/// Stores neighbours, or adds them to what is there; rounded once.
template <class V, class T>
SAGE_INLINE void store_along(strided_row<T> const& r, index_t j, int count, V const& g, bool add) {
  using A = scalar_of<V>;
  constexpr int width = lane_traits<V>::width;
  T* const to = r.data + j * r.stride;
  if constexpr (width == 1) {
    static_cast<void>(count);
    *to = static_cast<T>(add ? static_cast<A>(*to) + g : g);
  } else {
    if constexpr (loads_as<V, T>)
      if (r.stride == 1 && count == width) return store_converted(to, add ? load_converted<V>(to) + g : g);
    A part[width];
    store_pack(part, g);
    for (int l = 0; l < count; ++l)
      to[l * r.stride] = static_cast<T>(add ? static_cast<A>(to[l * r.stride]) + part[l] : part[l]);
  }
}

/// Runs one pass over a query and M keys: each(k, state, u, v), with the query as u or as v. The states of
/// the lanes are joined in a fixed order.
template <class V, bool QueryFirst, int M, class State, class T, class Distance, class Each>
SAGE_INLINE void one_pass([[maybe_unused]] Distance const& f, strided_row<T const> const& query,
                          strided_row<T const> const* keys, index_t length, State* total, Each const& each) {
  constexpr int width = lane_traits<V>::width;
  using wide = rebind_t<State, V>;
  wide part[M];
  SAGE_UNROLL
  for (int k = 0; k < M; ++k) part[k] = broadcast<V>(State{});
  for (index_t j = 0; j < length; j += width) {
    int const count = length - j < width ? static_cast<int>(length - j) : width;
    V const q = load_along<V>(query, j, count);
    SAGE_UNROLL
    for (int k = 0; k < M; ++k) {
      V const x = load_along<V>(keys[k], j, count);
      [[maybe_unused]] wide const before = part[k];
      if constexpr (QueryFirst) {
        each(k, part[k], q, x);
      } else {
        each(k, part[k], x, q);
      }
#if SAGE_SIMD
      if constexpr (width > 1) {
        if (count < width) {  // the tail is masked in the state
          auto const valid = count_from<integer_of<V>>(0) < broadcast_integer<integer_of<V>>(count);
          part[k] = exec::detail::masked(valid, part[k], before);
        }
      }
#endif
    }
  }
  SAGE_UNROLL
  for (int k = 0; k < M; ++k) {
#if SAGE_SIMD
    if constexpr (width > 1) {
      total[k] = exec::detail::join_lanes(f, part[k]);
      continue;
    }
#endif
    if constexpr (width == 1) total[k] = part[k];
  }
}

/// d(query, key), or d(key, query), for M keys.
template <class V, bool QueryFirst, int M, class Distance, class T>
SAGE_INLINE void measure_some(Distance const& f, strided_row<T const> const& query,
                              strided_row<T const> const* keys, index_t length,
                              measured<Distance, scalar_of<V>>* out) {
  using A = scalar_of<V>;
  using sums = typename Distance::template sums<A>;
  sums s[M];
  auto const finish = [&](auto const&... prepared) SAGE_INLINE_LAMBDA {
    for (int k = 0; k < M; ++k)
      out[k] = {f.value(s[k], prepared[k]...), f.slope_of(s[k], A(1), prepared[k]...)};
  };
  if constexpr (two_pass_distance<Distance>) {
    typename Distance::template first<A> first[M];
    one_pass<V, QueryFirst, M>(f, query, keys, length, first,
                               [&](int, auto& state, V const& u, V const& v)
                                   SAGE_INLINE_LAMBDA { f.accumulate(state, u, v); });
    typename Distance::template prepared<A> prepared[M];
    typename Distance::template prepared<V> wide[M];
    SAGE_UNROLL
    for (int k = 0; k < M; ++k) {
      prepared[k] = f.prepare(first[k]);
      wide[k] = broadcast<V>(prepared[k]);
    }
    one_pass<V, QueryFirst, M>(f, query, keys, length, s,
                               [&](int k, auto& state, V const& u, V const& v)
                                   SAGE_INLINE_LAMBDA { f.accumulate(state, u, v, wide[k]); });
    finish(prepared);
  } else {
    one_pass<V, QueryFirst, M>(f, query, keys, length, s,
                               [&](int, auto& state, V const& u, V const& v)
                                   SAGE_INLINE_LAMBDA { f.accumulate(state, u, v); });
    finish();
  }
}

/// The same for any number of keys, key_of(k) for 0 ≤ k < count, four at a time: the query is read once for
/// four, and four states hide the latency of the additions.
template <class V, bool QueryFirst, class Distance, class T, class KeyOf, class Out>
SAGE_INLINE void measure(Distance const& f, strided_row<T const> const& query, index_t count,
                         KeyOf const& key_of, index_t length, Out const& out) {
  using A = scalar_of<V>;
  measured<Distance, A> m[4];
  strided_row<T const> keys[4];
  index_t k = 0;
  for (; k + 4 <= count; k += 4) {
    for (int i = 0; i < 4; ++i) keys[i] = key_of(k + i);
    measure_some<V, QueryFirst, 4>(f, query, keys, length, m);
    for (int i = 0; i < 4; ++i) out(k + i, m[i]);
  }
  for (; k < count; ++k) {
    keys[0] = key_of(k);
    measure_some<V, QueryFirst, 1>(f, query, keys, length, m);
    out(k, m[0]);
  }
}

/// to = Σ_k weight_of(k) ∂d/∂query over the keys with a weight, or += it.
template <class V, bool QueryFirst, class Distance, class T, class KeyOf, class WeightOf, class SlopeOf,
          class To>
SAGE_INLINE void gather(Distance const& f, strided_row<T const> const& query, index_t count,
                        KeyOf const& key_of, WeightOf const& weight_of, SlopeOf const& slope_of,
                        index_t length, strided_row<To> const& to, bool to_is_added) {
  using A = scalar_of<V>;
  constexpr int width = lane_traits<V>::width, columns = 4;
  auto const add = [&](index_t j, int n, int some) SAGE_INLINE_LAMBDA {
    V x[columns], g[columns];
    for (int c = 0; c < n; ++c) {
      x[c] = load_along<V>(query, j + c * width, some);
      g[c] = V(A(0));
    }
    for (index_t k = 0; k < count; ++k) {
      A const weight = weight_of(k);
      if (weight == A(0)) continue;
      auto const slope = broadcast<V>(slope_of(k));
      V const w = V(weight);
      strided_row<T const> const key = key_of(k);
      for (int c = 0; c < n; ++c) {
        V const y = load_along<V>(key, j + c * width, some);
        if constexpr (QueryFirst) {
          g[c] = g[c] + w * f.gradient(x[c], y, slope)[0];
        } else {
          g[c] = g[c] + w * f.gradient(y, x[c], slope)[1];
        }
      }
    }
    for (int c = 0; c < n; ++c) store_along(to, j + c * width, some, g[c], to_is_added);
  };
  index_t j = 0;
  for (; j + columns * width <= length; j += columns * width) add(j, columns, width);
  for (; j < length; j += width) add(j, 1, length - j < width ? static_cast<int>(length - j) : width);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
