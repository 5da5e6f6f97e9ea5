#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/half_rows.hpp>
#include <sage/math/lanes.hpp>
#include <sage/tensor/rows.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Copies rows of halves to rows of accumulators without gaps: a problem that every executor runs (exec/own_schedule.hpp),
/// whose task i is row i of all tensors.
template <class T, int Tensors>
struct widened_copies {
  using element = T;
  using accumulator = accumulator_t<T>;

  index_t rows = 0, length = 0;  // elements of a task
  lanes<rows_view<T const>, Tensors> from{};
  lanes<accumulator*, Tensors> to{};

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    for (index_t i = first; i < last; ++i)
      for (int k = 0; k < Tensors; ++k) {
        index_t const n = from[k].length, stride = from[k].stride;
        T const* const row = from[k].row(i);
        accumulator* const copy = to[k] + i * n;
        if (stride == 1) {
          widen_row<V>(row, n, copy);
        } else {
          for (index_t j = 0; j < n; ++j) copy[j] = static_cast<accumulator>(row[j * stride]);
        }
      }
  }
};

/// And back: rounds such rows into gradients of halves, or adds them; those that nobody wants are left out.
template <class T, int Tensors>
struct rounded_copies {
  using element = T;
  using accumulator = accumulator_t<T>;

  index_t rows = 0, length = 0;
  lanes<accumulator const*, Tensors> from{};
  lanes<gradient_rows<T>, Tensors> to{};

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    for (int k = 0; k < Tensors; ++k)
      if (to[k].mode != gradient_mode::skip)
        for (index_t i = first; i < last; ++i) round<V>(from[k] + i * to[k].to.length, k, i);
  }

 private:
  template <class V>
  SAGE_INLINE void round(accumulator const* sums, int k, index_t i) const {
    index_t const n = to[k].to.length, stride = to[k].to.stride;
    T* const row = to[k].to.row(i);
    bool const add = to[k].mode == gradient_mode::add;
    if (stride != 1) {
      for (index_t j = 0; j < n; ++j) {
        T& g = row[j * stride];
        g = static_cast<T>(add ? static_cast<accumulator>(g) + sums[j] : sums[j]);
      }
    } else if (add) {
      add_row<V>(sums, n, row);
    } else {
      round_row<V>(sums, n, row);
    }
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
