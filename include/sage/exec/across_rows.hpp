#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/along_rows.hpp>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// The longest rows that are worked with one row per lane: a tile of them stays in the first-level cache.
inline constexpr index_t across_rows_limit = 32;

/// Lanes across rows: lane l of the pack V works on row i + l, column after column. For short rows, where a vector
/// along the row would be mostly tail.
template <class V, class Problem>
struct across_rows {
  using A = typename Problem::accumulator;
  using integers = integer_of<V>;
  static constexpr int width = lane_traits<V>::width;
  static constexpr int inputs = Problem::formula_type::inputs;
  static constexpr int gradients = Problem::formula_type::gradients;

  Problem const& p;

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    for (index_t i = first; i < last; i += width)
      rows_from(i, static_cast<int>(last - i < width ? last - i : width));
  }

 private:
  // A transposed copy of the rows: the lanes of one column are neighbours.
  struct tile {
    alignas(64) A x[inputs][across_rows_limit][width];
  };

  SAGE_INLINE void rows_from(index_t i, int count) const {
    tile t;
    load(t, i, count);
    row<V> r;
    bool skipped[width];
    bool any_skipped = false;
    {
      alignas(64) A upstream[width];
      for (int l = 0; l < width; ++l) {
        auto const& parameters = p.parameters_of(l < count ? i + l : i);
        upstream[l] = parameters.upstream;
        set_lane(r.label, l, parameters.label);
        skipped[l] = parameters.skipped;
        any_skipped |= skipped[l];
      }
      r.upstream = load_pack<V>(upstream);
    }
    r.length = V(A(p.length));

    auto const result = run_passes(p.formula, r, typename Problem::formula_type::template passes<V>{},
                                   [&](auto const& neutral, auto const&... earlier) SAGE_INLINE_LAMBDA {
                                     auto state = neutral;
                                     row<V> at = r;
                                     for (index_t j = 0; j < p.length; ++j) {
                                       at.column = broadcast_integer<integers>(j);
                                       p.formula.accumulate(state, column(t, j), at, earlier...);
                                     }
                                     return state;
                                   });
    for (int l = 0; l < count; ++l) p.losses[i + l] = skipped[l] ? A(0) : A(result.loss.v[l]);
    if (!p.with_gradient) return;

    tile_of_gradients g;
    row<V> at = r;
    for (index_t j = 0; j < p.length; ++j) {
      at.column = broadcast_integer<integers>(j);
      auto const d = p.formula.gradient(column(t, j), at, result);
      SAGE_UNROLL
      for (int k = 0; k < gradients; ++k) store_pack(g.x[k][j], d[k]);
    }
    store(g, i, count, skipped, any_skipped);
  }

  struct tile_of_gradients {
    alignas(64) A x[gradients > 0 ? gradients : 1][across_rows_limit][width];
  };

  SAGE_INLINE lanes<V, inputs> column(tile const& t, index_t j) const noexcept {
    lanes<V, inputs> x;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) x[k] = load_pack<V>(t.x[k][j]);
    return x;
  }

  // Lanes beyond the last row repeat the first one: they compute something harmless that nobody stores.
  SAGE_INLINE void load(tile& t, index_t i, int count) const {
    for (int k = 0; k < inputs; ++k)
      for (int l = 0; l < width; ++l) {
        auto const* from = p.in[k].row(l < count ? i + l : i);
        index_t const stride = p.in[k].stride;
        for (index_t j = 0; j < p.length; ++j) t.x[k][j][l] = static_cast<A>(from[j * stride]);
      }
  }

  SAGE_INLINE void store(tile_of_gradients& g, index_t i, int count, bool const* skipped, bool any_skipped) const {
    using T = typename Problem::element;
    for (int k = 0; k < gradients; ++k) {
      if (p.out[k].mode == gradient_mode::skip) continue;
      bool const add = p.out[k].mode == gradient_mode::add;
      index_t const stride = p.out[k].to.stride;
      for (int l = 0; l < count; ++l) {
        T* to = p.out[k].to.row(i + l);
        bool const zero = any_skipped && skipped[l];
        for (index_t j = 0; j < p.length; ++j) {
          A const d = zero ? A(0) : g.x[k][j][l];
          to[j * stride] = static_cast<T>(add ? static_cast<A>(to[j * stride]) + d : d);
        }
      }
    }
  }

  SAGE_INLINE static void set_lane(integers& to, int l, index_t x) noexcept {
    to.b[l] = static_cast<std::remove_cvref_t<decltype(to.b[0])>>(x);
  }
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
