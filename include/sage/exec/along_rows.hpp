#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/passes.hpp>
#include <sage/exec/row_problem.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// The operands of one row.
template <class Problem>
struct row_operands {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  static constexpr int inputs = Problem::formula_type::inputs;
  static constexpr int gradients = Problem::formula_type::gradients;

  lanes<T const*, inputs> in;
  lanes<index_t, inputs> in_stride;
  lanes<T*, gradients> out;
  lanes<index_t, gradients> out_stride;
  lanes<gradient_mode, gradients> mode;

  SAGE_INLINE row_operands(Problem const& p, index_t i) noexcept {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) {
      in[k] = p.in[k].row(i);
      in_stride[k] = p.in[k].stride;
    }
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) {
      mode[k] = p.out[k].mode;
      out[k] = mode[k] == gradient_mode::skip ? nullptr : p.out[k].to.row(i);
      out_stride[k] = p.out[k].to.stride;
    }
  }

  /// Positions j … j + width of every input; `count` < width loads that many and leaves zeros behind them.
  template <class V>
  SAGE_INLINE lanes<V, inputs> load(index_t j, int count = lane_traits<V>::width) const {
    lanes<V, inputs> x;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) x[k] = load_one<V>(in[k] + j * in_stride[k], in_stride[k], count);
    return x;
  }

  template <class V>
  SAGE_INLINE void store(lanes<V, gradients> const& g, index_t j, int count = lane_traits<V>::width) const {
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      if (mode[k] != gradient_mode::skip)
        store_one(g[k], out[k] + j * out_stride[k], out_stride[k], count, mode[k] == gradient_mode::add);
  }

 private:
  template <class V>
  SAGE_INLINE static V load_one(T const* from, index_t stride, int count) {
    if constexpr (lane_traits<V>::width == 1) {
      return static_cast<V>(*from);
    } else {
      if constexpr (__is_same(T, A))
        if (stride == 1 && count == lane_traits<V>::width) return load_pack<V>(from);
      A part[lane_traits<V>::width] = {};
      for (int l = 0; l < count; ++l) part[l] = static_cast<A>(from[l * stride]);
      return load_pack<V>(part);
    }
  }

  template <class V>
  SAGE_INLINE static void store_one(V const& g, T* to, index_t stride, int count, bool add) {
    if constexpr (lane_traits<V>::width == 1) {
      *to = static_cast<T>(add ? static_cast<A>(*to) + g : g);
    } else {
      V const sum = add ? load_one<V>(to, stride, count) + g : g;
      if constexpr (__is_same(T, A))
        if (stride == 1 && count == lane_traits<V>::width) return store_pack(to, sum);
      A part[lane_traits<V>::width];
      store_pack(part, sum);
      for (int l = 0; l < count; ++l) to[l * stride] = static_cast<T>(part[l]);
    }
  }
};

/// How many independent states a pass keeps, to hide the latency of its additions: four, unless the state says
/// `partial_states`; passes with elementary functions have enough to overlap with one.
template <class State>
inline constexpr int partial_states = 4;
template <class State>
  requires requires { State::partial_states; }
inline constexpr int partial_states<State> = State::partial_states;

/// Lanes along one row: V is a scalar, or a pack whose lanes are neighbours in the row. For long rows.
template <class V, class Problem>
struct along_rows {
  using A = typename Problem::accumulator;
  static constexpr int width = lane_traits<V>::width;

  Problem const& p;

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    for (index_t i = first; i < last; ++i) one_row(i);
  }

 private:
  SAGE_INLINE void one_row(index_t i) const {
    auto const& parameters = p.parameters_of(i);
    row_operands<Problem> const x(p, i);
    if (parameters.skipped) {
      p.losses[i] = A(0);
      if (p.with_gradient) write_zeros(x);
      return;
    }
    row<A> const r{0, parameters.label, A(p.length), parameters.upstream};
    auto const result = run_passes(
        p.formula, r, typename Problem::formula_type::template passes<A>{},
        [&](auto state, auto const&... earlier) SAGE_INLINE_LAMBDA { return reduce(state, x, r, earlier...); });
    p.losses[i] = result.loss;
    if (p.with_gradient) write_gradient(x, r, result);
  }

  // One pass over the row: independent partial states hide the latency of the additions, and are joined in a fixed
  // order.
  template <class State, class... Earlier>
  SAGE_INLINE State reduce(State const& neutral, row_operands<Problem> const& x, row<A> const& r,
                           Earlier const&... earlier) const {
    if constexpr (width == 1) {
      State total = neutral;
      row<A> at = r;
      for (index_t j = 0; j < p.length; ++j) {
        at.column = j;
        p.formula.accumulate(total, x.template load<A>(j), at, earlier...);
      }
      return total;
    } else {
      using wide = rebind_t<State, V>;
      constexpr int parts = partial_states<wide>;
      wide part[parts];
      SAGE_UNROLL
      for (int k = 0; k < parts; ++k) part[k] = broadcast<V>(neutral);
      row<V> at = broadcast_row(r);
      index_t j = 0;
      if constexpr (parts > 1)
        for (; j + parts * width <= p.length; j += parts * width)
          SAGE_UNROLL
          for (int k = 0; k < parts; ++k) {
            at.column = count_from<integer_of<V>>(j + k * width);
            p.formula.accumulate(part[k], x.template load<V>(j + k * width), at, broadcast<V>(earlier)...);
          }
      for (; j < p.length; j += width) {
        int const count = lanes_left(j);
        at.column = count_from<integer_of<V>>(j);
        wide const before = part[0];
        p.formula.accumulate(part[0], x.template load<V>(j, count), at, broadcast<V>(earlier)...);
        if (count < width) {  // the tail is masked in the state
          auto const valid = count_from<integer_of<V>>(0) < broadcast_integer<integer_of<V>>(count);
          part[0] = masked(valid, part[0], before);
        }
      }
      for (int step = 1; step < parts; step *= 2)
        for (int k = 0; k + step < parts; k += 2 * step) p.formula.combine(part[k], part[k + step]);
      return join_lanes(p.formula, part[0]);
    }
  }

  template <class Result>
  SAGE_INLINE void write_gradient(row_operands<Problem> const& x, row<A> const& r, Result const& result) const {
    auto const wide_result = broadcast<V>(result);
    row<V> at = broadcast_row(r);
    for (index_t j = 0; j < p.length; j += width) {
      int const count = lanes_left(j);
      at.column = count_from<integer_of<V>>(j);
      x.template store<V>(p.formula.gradient(x.template load<V>(j, count), at, wide_result), j, count);
    }
  }

  SAGE_INLINE int lanes_left(index_t j) const noexcept {
    return p.length - j < width ? static_cast<int>(p.length - j) : width;
  }

  SAGE_INLINE void write_zeros(row_operands<Problem> const& x) const {
    lanes<A, row_operands<Problem>::gradients> zeros{};
    for (index_t j = 0; j < p.length; ++j) x.template store<A>(zeros, j);
  }

  SAGE_INLINE static row<V> broadcast_row(row<A> const& r) {
    return {integer_of<V>{}, broadcast_integer<integer_of<V>>(r.label), V(r.length), V(r.upstream)};
  }
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
