#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/strided_view.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The operands of one call of sage_loss, checked, as rows. `Label` is a type of integers, `Weights` rows of numbers or
/// none_t.
template <class E, class Label, class Weights, class Given = E>
struct sage_operands {
  using element = E;
  using given = Given;  // element type of the user's tensors
  using rows_of_views = views_t<rows_view<E const>, rows_view<E const>, rows_view<E const>>;

  rows_of_views z;  // logits
  rows_of_views e;  // embeddings
  rows_view<Label> labels;
  Weights weights;
  index_t rows;
};

/// Calls f(x), of halves with logits and embeddings copied to their accumulator: several terms reach one gradient, which
/// must be rounded once. Memory 3 N (K + D) floats.
template <class E, class Label, class Weights, class F>
decltype(auto) in_accumulator(sage_operands<E, Label, Weights> const& x, F const& f) {
  using A = accumulator_t<E>;
  if constexpr (std::is_same_v<E, A>) {
    return f(x);
  } else {
    row_buffer<A> memory(3 * x.rows * (x.z.x.length + x.e.x.length));
    A* to = memory.data();
    auto const copied = [&](rows_view<E const> const& from) {
      strided_view<A const, 2> const copy{to, extents{x.rows, from.length}};
      for (index_t i = 0; i < x.rows; ++i)
        for (index_t j = 0; j < from.length; ++j) *to++ = static_cast<A>(from.row(i)[j * from.stride]);
      return as_rows(copy);
    };
    using wide = sage_operands<A, Label, Weights, E>;
    typename wide::rows_of_views const z{copied(x.z.x), copied(x.z.plus), copied(x.z.minus)},
        e{copied(x.e.x), copied(x.e.plus), copied(x.e.minus)};
    return f(wide{z, e, x.labels, x.weights, x.rows});
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
