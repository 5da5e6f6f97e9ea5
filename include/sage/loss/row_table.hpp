#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/functions.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/shape.hpp>

#include <cstddef>
#include <new>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// In the place of labels or weights where a loss has none.
struct none_t {};
template <class T>
inline constexpr bool is_none = std::is_same_v<std::remove_cvref_t<T>, none_t>;

/// O(rows) values: on the stack up to `InlineSize`, else one allocation. (No std::vector: its code for a type of ours
/// would be shared between objects compiled for different targets.)
template <class T, index_t InlineSize = 512>
class row_buffer {
 public:
  explicit row_buffer(index_t n) : size_(n) {
    if (n > InlineSize) {
      data_ = new T[static_cast<std::size_t>(n)];
    } else {  // no more elements than asked for, and most types need nothing
      for (index_t i = 0; i < n; ++i) ::new (static_cast<void*>(data_ + i)) T;
    }
  }
  ~row_buffer() {
    if (data_ != reinterpret_cast<T*>(inline_)) {
      delete[] data_;
    } else {
      for (index_t i = 0; i < size_; ++i) data_[i].~T();
    }
  }
  row_buffer(row_buffer const&) = delete;
  row_buffer& operator=(row_buffer const&) = delete;

  T* data() noexcept { return data_; }
  T& operator[](index_t i) noexcept { return data_[i]; }

 private:
  index_t size_;
  alignas(T) unsigned char inline_[InlineSize * sizeof(T)];
  T* data_ = reinterpret_cast<T*>(inline_);
};

/// An element for a message; an autodiff scalar by its value.
template <class T>
double number_in_text(T const& x) {
  if constexpr (requires { static_cast<double>(x); }) {
    return static_cast<double>(x);
  } else {
    return static_cast<double>(x.value());
  }
}

template <class W>
bool is_infinite_weight([[maybe_unused]] W const& x) noexcept {
  if constexpr (std::is_integral_v<W>) {
    return false;
  } else {
    return is_non_finite(static_cast<accumulator_t<W>>(x));
  }
}

/// Throws argument_error unless every weight is finite and ≥ 0.
template <class W>
void require_weights(char const* function, rows_view<W> const& w) {
  if constexpr (!std::is_unsigned_v<std::remove_cv_t<W>>)  // bool is unsigned
    for (index_t i = 0; i < w.rows; ++i)
      if (W const x = *w.row(i); !(x >= W(0)) || is_infinite_weight(x))
        raise<argument_error>(function, ": weights[", i, "] is ", number_in_text(x), ", expected finite and >= 0");
}
inline void require_weights(char const*, none_t) {}

/// One number for each column of `rows`, as an operand of every row.
template <class View, class T>
rows_view<T const> as_columns(char const* function, char const* name, View const& v, rows_view<T const> const& rows) {
  require_rank(function, name, v);
  auto const elements = as_elements(v);
  if (elements.rows != rows.length || elements.outer_rank > 1)
    raise<shape_error>(function, ": ", name, " has shape ", shape_text(v), ", expected (", rows.length, ")");
  rows_view<T const> r;
  r.data = elements.data;
  r.rows = rows.rows;
  r.length = rows.length;
  r.stride = elements.outer[0].stride;
  r.outer[r.outer_rank++] = {rows.rows, 0};
  return r;
}

/// Throws argument_error unless the number of every column is finite and ≥ 0.
template <class T>
void require_column_weights(char const* function, char const* name, rows_view<T const> const& columns) {
  for (index_t k = 0; k < columns.length; ++k)
    if (T const x = columns.row(0)[k * columns.stride]; !(x >= T(0)) || is_infinite_weight(x))
      raise<argument_error>(function, ": ", name, "[", k, "] is ", number_in_text(x),
                            ", expected finite and >= 0");
}

/// Throws argument_error unless every label is a class or the ignored index.
template <class L>
void require_labels(char const* function, rows_view<L> const& labels, index_t classes, index_t ignore_index) {
  for (index_t i = 0; i < labels.rows; ++i) {
    auto const y = static_cast<index_t>(*labels.row(i));
    if (y != ignore_index && (y < 0 || y >= classes))
      raise<argument_error>(function, ": labels[", i, "] is ", y, ", expected 0 <= label < ", classes,
                            " or the ignored index ", ignore_index);
  }
}
inline void require_labels(char const*, none_t, index_t, index_t) {}

/// Labels, weights and upstream of the rows, brought together; without any of them a single uniform entry.
template <class A, class Labels, class Weights, class Upstream>
class row_table {
 public:
  using wide = wide_t<A>;
  static constexpr bool has_labels = !std::is_same_v<Labels, none_t>;
  static constexpr bool has_weights = !std::is_same_v<Weights, none_t>;
  static constexpr bool has_upstream = !std::is_same_v<Upstream, none_t>;  // one value per row
  static constexpr bool uniform = !has_labels && !has_weights && !has_upstream;

  row_table(index_t rows, Labels const& labels, Weights const& weights, Upstream const& upstream, index_t ignore_index)
      : rows_(rows), weights_(weights), parameters_(uniform ? 0 : rows) {
    if constexpr (uniform) {
      weight_sum_ = wide(static_cast<double>(rows));
    } else {
      for (index_t i = 0; i < rows; ++i) {
        row_parameters<A>& r = parameters_[i];
        A w = A(1);
        if constexpr (has_weights) w = static_cast<A>(*weights.row(i));
        r.label = 0;
        if constexpr (has_labels) r.label = static_cast<index_t>(*labels.row(i));
        r.skipped = (has_labels && r.label == ignore_index) || (has_weights && w == A(0));
        r.upstream = r.skipped ? A(0) : w;
        weight_sum_ = weight_sum_ + wide(r.upstream);
        if constexpr (has_upstream) r.upstream = r.skipped ? A(0) : w * static_cast<A>(*upstream.row(i));
      }
    }
  }

  template <class Problem>
  void attach(Problem& p) {
    p.parameters = uniform ? nullptr : parameters_.data();
    p.uniform = {};
  }

  /// Multiplies every row's upstream.
  template <class Problem>
  void scale(Problem& p, A const& factor) {
    p.uniform.upstream = factor;
    if constexpr (!uniform)
      for (index_t i = 0; i < rows_; ++i) parameters_[i].upstream = parameters_[i].upstream * factor;
  }

  /// Weight of row i in the reduction; 0 for a skipped row.
  A weight(index_t i) {
    if constexpr (uniform) {
      static_cast<void>(i);
      return A(1);
    } else {
      if (parameters_[i].skipped) return A(0);
      if constexpr (has_weights) return static_cast<A>(*weights_.row(i));
      return A(1);
    }
  }
  bool skipped(index_t i) {
    if constexpr (uniform) {
      static_cast<void>(i);
      return false;
    } else {
      return parameters_[i].skipped;
    }
  }

  index_t label(index_t i) { return parameters_[i].label; }  // of a table that has labels

  /// Σ w of all rows that count.
  wide weight_sum() const noexcept { return weight_sum_; }

 private:
  index_t rows_;
  Weights weights_;
  wide weight_sum_ = wide(0);
  row_buffer<row_parameters<A>> parameters_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
