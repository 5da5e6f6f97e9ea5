#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/loss/half_copies.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/loss/views.hpp>
#include <sage/math/lanes.hpp>
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
template <class Executor, class E, class Label, class Weights, class F>
decltype(auto) in_accumulator([[maybe_unused]] Executor const& executor,
                              sage_operands<E, Label, Weights> const& x, F const& f) {
  using A = accumulator_t<E>;
  if constexpr (std::is_same_v<E, A>) {
    return f(x);
  } else {
    index_t const row = 3 * (x.z.x.length + x.e.x.length);
    row_buffer<A> memory(x.rows * row);
    widened_copies<E, 6> copies{x.rows, row, {x.z.x, x.z.plus, x.z.minus, x.e.x, x.e.plus, x.e.minus}, {}};
    A* next = memory.data();
    auto const copy = [&](int k) {
      copies.to[k] = next;
      index_t const length = copies.from[k].length;
      next += x.rows * length;
      return as_rows(strided_view<A const, 2>{copies.to[k], extents{x.rows, length}});
    };
    using wide = sage_operands<A, Label, Weights, E>;
    typename wide::rows_of_views const z{copy(0), copy(1), copy(2)}, e{copy(3), copy(4), copy(5)};
    executor(copies);
    return f(wide{z, e, x.labels, x.weights, x.rows});
  }
}

/// Gradients of halves as matrices of accumulators, and at the end rounded. Memory: a float for each of their elements.
template <class E, int Tensors>
class gradients_in_accumulator {
 public:
  using A = accumulator_t<E>;

  explicit gradients_in_accumulator(lanes<gradient_rows<E>, Tensors> const& to) : memory_(size_of(to)) {
    A* next = memory_.data();
    rounded_.to = to;
    for (int k = 0; k < Tensors; ++k) {
      if (!wanted(k)) continue;
      rows_view<E> const& rows = to[k].to;
      matrix_[k] = next;
      rounded_.from[k] = next;
      rounded_.rows = rows.rows;
      rounded_.length += rows.length;
      next += rows.rows * rows.length;
    }
  }

  /// Matrix k as an output, still to be written.
  gradient_rows<A> output(int k) const noexcept {
    if (!wanted(k)) return {};
    rows_view<E> const& rows = rounded_.to[k].to;
    return {as_rows(strided_view{matrix_[k], extents{rows.rows, rows.length}}), gradient_mode::write};
  }
  template <class Executor>
  void round(Executor const& executor) const {
    if (rounded_.rows > 0) executor(rounded_);
  }

 private:
  bool wanted(int k) const noexcept { return rounded_.to[k].mode != gradient_mode::skip; }
  static index_t size_of(lanes<gradient_rows<E>, Tensors> const& to) noexcept {
    index_t n = 0;
    for (int k = 0; k < Tensors; ++k)
      if (to[k].mode != gradient_mode::skip) n += to[k].to.rows * to[k].to.length;
    return n;
  }

  row_buffer<A> memory_;
  lanes<A*, Tensors> matrix_{};
  rounded_copies<E, Tensors> rounded_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
