#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/formula/candidates.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/loss/row_sums.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/shape.hpp>

#include <type_traits>

/// What the losses whose samples meet each other share: weights, reductions, outputs.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Weights of the samples of a batch; one of weight zero is out of the batch.
template <class E>
class batch_samples {
 public:
  using A = accumulator_t<E>;
  using wide = wide_t<A>;

  template <class Weights>
  batch_samples(char const* function, index_t rows, Weights const& weights)
      : rows_(rows), weights_(given<Weights> ? rows : 0), left_out_(given<Weights> ? rows : 0) {
    if constexpr (given<Weights>) {
      has_weights_ = true;
      with_weights<E>(function, weights, rows, [this](auto const& w) {
        for (index_t i = 0; i < rows_; ++i) {
          weights_[i] = static_cast<A>(*w.row(i));
          left_out_[i] = weights_[i] == A(0);
        }
      });
    }
  }
  batch_samples(batch_samples const&) = delete;
  batch_samples& operator=(batch_samples const&) = delete;

  index_t rows() const noexcept { return rows_; }
  A weight(index_t i) { return has_weights_ ? weights_[i] : A(1); }
  bool const* left_out() { return has_weights_ ? left_out_.data() : nullptr; }
  bool has_weights() const noexcept { return has_weights_; }

 private:
  template <class Weights>
  static constexpr bool given = !std::is_same_v<std::remove_cvref_t<Weights>, none_t>;

  index_t rows_;
  bool has_weights_ = false;
  row_buffer<A> weights_;
  row_buffer<bool> left_out_;
};

/// The ratings of a batch, summed in the order of its rows.
template <class E>
struct batch_totals {
  using A = accumulator_t<E>;
  using wide = wide_t<A>;

  wide loss = wide(0), counted = wide(0), active = wide(0);  // Σ w l, Σ w · triplets, Σ w · active triplets
  index_t triplets = 0, active_triplets = 0, non_finite = 0;

  batch_totals(batch_samples<E>& samples, rating<A> const* ratings) {
    for (index_t i = 0; i < samples.rows(); ++i) {
      rating<A> const& r = ratings[i];
      if (r.counted == 0) continue;
      wide const w = wide(samples.weight(i));
      loss = loss + w * wide(r.loss);
      counted = counted + w * wide(static_cast<double>(r.counted));
      active = active + w * wide(static_cast<double>(r.active));
      triplets += r.counted;
      active_triplets += r.active;
      if (is_non_finite(r.loss)) ++non_finite;
    }
  }
  wide normalizer(reduction by) const {
    return by == reduction::mean ? counted : by == reduction::sum ? wide(1) : active;
  }
};

/// Throws argument_error if a gradient output is a broadcast view or overlaps an input.
template <class T>
void require_apart(char const* function, char const* name, gradient_rows<T> const& out, char const* input_name,
                   rows_view<T const> const& input) {
  if (out.mode == gradient_mode::skip) return;
  require_own_elements(function, name, out.to);
  require_separate(function, name, out.to, input_name, input);
}
template <class T>
void require_outputs_apart(char const* function, char const* name, gradient_rows<T> const& out,
                           char const* other_name, gradient_rows<T> const& other) {
  if (out.mode != gradient_mode::skip && other.mode != gradient_mode::skip)
    require_separate(function, name, out.to, other_name, other.to);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
