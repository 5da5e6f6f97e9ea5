#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/across_rows.hpp>
#include <sage/exec/along_rows.hpp>
#include <sage/exec/isa.hpp>
#include <sage/exec/own_schedule.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/scalar.hpp>

#include <concepts>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Vector instructions on the calling thread, the widest that the processor has, chosen at run time: lanes along
/// the row for long rows, lanes across rows for short ones. The default executor of every loss.
///
/// Element types without vectors (long double, autodiff scalars) run on the scalar schedule.
struct simd {
  isa level = isa::best;

  template <class Problem>
  void operator()(Problem const& p) const {
    (*this)(p, 0, p.rows);
  }

  template <class Problem>
  void operator()(Problem const& p, index_t first, index_t last) const {
#if SAGE_SIMD
    using A = typename Problem::accumulator;
    if constexpr (own_schedule<Problem> && (std::same_as<A, float> || std::same_as<A, double>)) {
      dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
        p.template run<pack<A, decltype(bytes)::value / static_cast<int>(sizeof(A))>>(first, last);
      });
    } else if constexpr (std::same_as<A, float> || std::same_as<A, double>) {
      if constexpr (requires { p.formula.for_two_columns(); }) {
        if (p.length == 2) {
          using formula = decltype(p.formula.for_two_columns());
          return (*this)(reformulated_problem<formula, Problem>{p.formula.for_two_columns(), p}, first, last);
        }
      }
      // The schedule depends on the whole problem, never on the block: blocks cannot change a result.
      dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
        using V = pack<A, decltype(bytes)::value / static_cast<int>(sizeof(A))>;
        if (detail::across_rows<V, Problem>::serves(p)) {
          detail::across_rows<V, Problem>{p}(first, last);
        } else {
          detail::along_rows<V, Problem>{p}(first, last);
        }
      });
    } else {
      scalar{}(p, first, last);
    }
#else
    scalar{}(p, first, last);
#endif
  }
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
