#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lanes.hpp>
#include <sage/tensor/rows.hpp>

namespace sage {

/// What happens to a gradient output.
enum class gradient_mode { skip, write, add };

template <class T>
struct gradient_rows {
  rows_view<T> to{};
  gradient_mode mode = gradient_mode::skip;
};

/// What a row is told besides its operands.
template <class A>
struct row_parameters {
  A upstream = A(1);     // ∂(reduced loss)/∂(loss of the row)
  index_t label = 0;     // class of the row, for formulas that have one
  bool skipped = false;  // loss 0 and gradients 0, whatever the operands hold
};

/// How many losses a formula has of a row: one, unless it says `static constexpr int losses = n`.
template <class Formula>
inline constexpr int losses_of = 1;
template <class Formula>
  requires requires { Formula::losses; }
inline constexpr int losses_of<Formula> = Formula::losses;

/// The loss numbered t of those of a formula's result.
template <class V>
SAGE_HD SAGE_INLINE V const& loss_at(V const& loss, int) noexcept {
  return loss;
}
template <class V, int N>
SAGE_HD SAGE_INLINE V const& loss_at(lanes<V, N> const& losses, int t) noexcept {
  return losses[t];
}

/// A formula bound to the rows of tensors: all that an executor needs to know.
template <class Formula, class T>
struct row_problem {
  using element = T;
  using accumulator = accumulator_t<T>;
  using formula_type = Formula;

  Formula formula{};
  index_t rows = 0;    // N
  index_t length = 0;  // D
  lanes<rows_view<T const>, Formula::inputs> in{};
  lanes<gradient_rows<T>, Formula::gradients> out{};
  bool with_gradient = false;     // is any gradient wanted?
  accumulator* losses = nullptr;  // (N) loss of every row, written; (n,N) where a formula has n
  row_parameters<accumulator> const* parameters = nullptr;  // (N), or null: `uniform` serves every row
  row_parameters<accumulator> uniform{};

  /// Writes the losses of row i: each(t) is the loss numbered t.
  template <class Each>
  SAGE_HD SAGE_INLINE void set_losses(index_t i, Each const& each) const {
    SAGE_UNROLL
    for (int t = 0; t < losses_of<Formula>; ++t) losses[t * rows + i] = each(t);
  }
  SAGE_HD SAGE_INLINE row_parameters<accumulator> const& parameters_of(index_t i) const noexcept {
    return parameters ? parameters[i] : uniform;
  }
};

/// A problem's rows with another formula of as many inputs, gradients and losses.
template <class Formula, class Problem>
struct reformulated_problem {
  using element = typename Problem::element;
  using accumulator = typename Problem::accumulator;
  using formula_type = Formula;
  static_assert(Formula::inputs == Problem::formula_type::inputs &&
                Formula::gradients == Problem::formula_type::gradients &&
                losses_of<Formula> == losses_of<typename Problem::formula_type>);

  Formula formula;
  Problem const& of;
  index_t const rows = of.rows, length = of.length;
  lanes<rows_view<element const>, Formula::inputs> const& in = of.in;
  lanes<gradient_rows<element>, Formula::gradients> const& out = of.out;
  bool const with_gradient = of.with_gradient;
  accumulator* const losses = of.losses;
  row_parameters<accumulator> const* const parameters = of.parameters;
  row_parameters<accumulator> const& uniform = of.uniform;

  template <class Each>
  SAGE_HD SAGE_INLINE void set_losses(index_t i, Each const& each) const {
    of.set_losses(i, each);
  }
  SAGE_HD SAGE_INLINE row_parameters<accumulator> const& parameters_of(index_t i) const noexcept {
    return of.parameters_of(i);
  }
};

}  // namespace sage
