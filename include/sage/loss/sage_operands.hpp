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

/// The views, labels and weights of one call of sage_loss, every type resolved.
template <class E, class Z, class H, class Labels, class Weights, class Given = E>
struct sage_operands {
  using element = E;
  using given = Given;  // element type of the user's tensors
  Z z;                  // views_t of logits
  H e;                  // views_t of embeddings
  Labels labels;
  Weights weights;
  index_t rows;
};

/// Calls f(x), of halves with logits and embeddings copied to their accumulator: several terms reach one gradient, which
/// must be rounded once. Memory 3 N (K + D) floats.
template <class E, class Z, class H, class Labels, class Weights, class F>
decltype(auto) in_accumulator(sage_operands<E, Z, H, Labels, Weights> const& x, F const& f) {
  using A = accumulator_t<E>;
  if constexpr (std::is_same_v<E, A>) {
    return f(x);
  } else {
    index_t const logits = as_rows(x.z.x).length, embeddings = as_rows(x.e.x).length;
    row_buffer<A> memory(3 * x.rows * (logits + embeddings));
    A* to = memory.data();
    auto const copied = [&](auto const& v, index_t length) {
      auto const from = as_rows(v);
      strided_view<A const, 2> const copy{to, extents{x.rows, length}};
      for (index_t i = 0; i < x.rows; ++i)
        for (index_t j = 0; j < length; ++j) *to++ = static_cast<A>(from.row(i)[j * from.stride]);
      return copy;
    };
    using views_of_copies = views_t<strided_view<A const, 2>, strided_view<A const, 2>, strided_view<A const, 2>>;
    views_of_copies const z{copied(x.z.x, logits), copied(x.z.plus, logits), copied(x.z.minus, logits)},
        e{copied(x.e.x, embeddings), copied(x.e.plus, embeddings), copied(x.e.minus, embeddings)};
    return f(sage_operands<A, views_of_copies, views_of_copies, Labels, Weights, E>{z, e, x.labels, x.weights, x.rows});
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
