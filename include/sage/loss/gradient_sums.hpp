#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// One row in memory.
template <class T>
struct strided_row {
  T* data;
  index_t stride;
};

/// Where gradients are summed: the output itself, or for halves a matrix of accumulators that is rounded at
/// the end.
template <class T>
class gradient_sums {
 public:
  using A = accumulator_t<T>;

  /// `to` is written only when a value is known to come.
  explicit gradient_sums(gradient_rows<T> const& to)
      : to_(to), sums_(std::is_same_v<T, A> || !wanted() ? 0 : to.to.rows * to.to.length) {
    if (!wanted()) return;
    for (index_t i = 0; i < to_.to.rows; ++i)
      for (index_t j = 0; j < to_.to.length; ++j)
        if (!std::is_same_v<T, A> || to_.mode == gradient_mode::write) row(i).data[j * row(i).stride] = A(0);
  }
  gradient_sums(gradient_sums const&) = delete;
  gradient_sums& operator=(gradient_sums const&) = delete;

  bool wanted() const noexcept { return to_.mode != gradient_mode::skip; }

  SAGE_INLINE strided_row<A> row(index_t i) noexcept {
    if constexpr (std::is_same_v<T, A>) {
      return {to_.to.row(i), to_.to.stride};
    } else {
      return {sums_.data() + i * to_.to.length, 1};
    }
  }

  /// Rounds the sums into the output.
  void finish() {
    if constexpr (!std::is_same_v<T, A>)
      if (wanted())
        for (index_t i = 0; i < to_.to.rows; ++i)
          for (index_t j = 0; j < to_.to.length; ++j) {
            T& out = to_.to.row(i)[j * to_.to.stride];
            A const g = row(i).data[j];
            out = static_cast<T>(to_.mode == gradient_mode::add ? static_cast<A>(out) + g : g);
          }
  }

 private:
  gradient_rows<T> to_;
  row_buffer<A> sums_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
