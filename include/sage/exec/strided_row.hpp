#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Where the operands and the gradients of one row stand: elements at the strides of the tensors.
template <class Problem>
struct strided_row {
  using T = typename Problem::element;
  static constexpr int inputs = Problem::formula_type::inputs;
  static constexpr int gradients = Problem::formula_type::gradients;

  lanes<T const*, inputs> in;
  lanes<T*, gradients> out;

  SAGE_INLINE strided_row(Problem const& p, index_t i) noexcept {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) in[k] = p.in[k].row(i);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      out[k] = p.out[k].mode == gradient_mode::skip ? nullptr : p.out[k].to.row(i);
  }
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
