#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/exec/passes.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/row_scratch.hpp>
#include <sage/exec/strided_row.hpp>

#include <algorithm>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// One position after the other: the schedule for types without vectors.
template <class Problem>
struct along_rows_scalar {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;

  Problem const& p;

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    row_scratch<A> scratch(kept * p.length);
    for (index_t i = first; i < last; ++i) one_row(i, scratch.data());
  }

 private:
  SAGE_INLINE void one_row(index_t i, A* scratch) const {
    auto const& parameters = p.parameters_of(i);
    strided_row<Problem> const x(p, i);
    if (parameters.skipped) {
      p.set_losses(i, [](int) { return A(0); });
      if (p.with_gradient)
        for (index_t j = 0; j < p.length; ++j) store(x, j, {});
      return;
    }
    row<A> at{0, parameters.label, A(p.length), parameters.upstream};
    auto const result = run_passes(p.formula, at, typename formula_type::template passes<A>{},
                                   [&](auto total, auto const&... earlier) SAGE_INLINE_LAMBDA {
                                     for (at.column = 0; at.column < p.length;) {
                                       auto const end = std::min<index_t>(p.length, at.column + block_length);
                                       decltype(total) state;
                                       for (; at.column < end; ++at.column)
                                         accumulate(p.formula, state, load(x, at.column), at,
                                                    kept_at(scratch, at.column), earlier...);
                                       p.formula.combine(total, state);
                                     }
                                     return total;
                                   });
    p.set_losses(i, [&](int t) { return loss_at(result.loss, t); });
    if (!p.with_gradient) return;
    for (at.column = 0; at.column < p.length; ++at.column)
      store(x, at.column, gradient(p.formula, load(x, at.column), at, kept_at(scratch, at.column), result));
  }

  SAGE_INLINE static kept_values<A> kept_at(A* scratch, index_t j) noexcept {
    return kept_values<A>(scratch + j * kept);
  }
  SAGE_INLINE lanes<A, inputs> load(strided_row<Problem> const& x, index_t j) const {
    lanes<A, inputs> r;
    for (int k = 0; k < inputs; ++k) r[k] = static_cast<A>(x.in[k][j * p.in[k].stride]);
    return r;
  }
  SAGE_INLINE void store(strided_row<Problem> const& x, index_t j, lanes<A, gradients> const& g) const {
    for (int k = 0; k < gradients; ++k) {
      if (p.out[k].mode == gradient_mode::skip) continue;
      T& to = x.out[k][j * p.out[k].to.stride];
      to = static_cast<T>(p.out[k].mode == gradient_mode::add ? static_cast<A>(to) + g[k] : g[k]);
    }
  }
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
