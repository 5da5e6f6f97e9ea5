#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/batch_rows.hpp>
#include <sage/exec/batch_sums.hpp>
#include <sage/exec/row_launches.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/exec/workspace_pieces.hpp>
#include <sage/math/mean.hpp>
#include <sage/tensor/rows.hpp>

#include <cstddef>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

namespace detail {

/// What an evaluation needs at most beside its losses of each row: the sums of blocks, and the states of divided rows.
inline constexpr index_t batch_memory_beside_rows = index_t(160) << 10;
inline constexpr index_t most_losses_of_row = 5;  // sage_loss

/// Bytes that suffice for every evaluation.
constexpr index_t batch_workspace_bytes(index_t rows) noexcept {
  return rows * most_losses_of_row * static_cast<index_t>(sizeof(double)) + batch_memory_beside_rows;
}

/// The evaluation of a batch as a sequence of launches, whose results stay where the tensors are. `device` has
///
///   void launch(index_t blocks, int threads, index_t shared_bytes, Work const&) const;
///   auto memory(index_t bytes) const;             // → an object with `unsigned char* data`, until the launches are done
///   row_layout layout_of(row_shape const&) const;
template <class Device, class Problem>
class batch_evaluation {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  // Divided rows have enough_blocks parts at most, all together.
  static_assert(
      row_policy::large_block * static_cast<index_t>(sizeof(batch_totals<A>)) +
              4 * workspace_pieces::alignment +
              row_policy::enough_blocks *
                  state_bytes<typename Problem::formula_type::template passes<A>>::sum <=
          batch_memory_beside_rows,
      "sage: the states of this formula's passes are larger than the workspace of a device provides for");

 public:
  batch_evaluation(Device const& device, Problem const& p)
      : device_(device), p_(p), layout_(device.layout_of(shape_of(p))) {}

  /// Value into *result (unless null), and the gradients that the problem asks for.
  template <class Result>
  void reduced(batch_reduction<A> const& how, Result* result) {
    auto const memory = device_.memory(pieces_.bytes());
    use(memory.data);
    bool const with_gradient = p_.with_gradient, uniform = !p_.labels && !p_.weights;
    bool const by_active = how.by == divided_by::active_weights;
    sum_work<sum_of::rows, T, Result> sums;
    sums.rows_of = p_;
    sums.rows = p_.rows;
    sums.by = how.by;
    sums.hinged = how.hinged;
    sums.upstream = how.upstream;
    sums.totals = totals_;

    p_.factor = how.upstream;
    if (with_gradient && how.by == divided_by::weights) {
      if (uniform) {
        p_.factor = sage::detail::over_divisor<A>(how.upstream, static_cast<wide_t<A>>(p_.rows));
      } else {
        p_.factor_at = factor_;
        sum(sums, nullptr, factor_, static_cast<Result*>(nullptr));
      }
    }
    // The weight of the active rows is known only after all losses are: their gradient takes a second run.
    p_.with_gradient = with_gradient && !by_active;
    run();
    if (result != nullptr || by_active) sum(sums, p_.losses, by_active ? factor_ : nullptr, result);
    if (by_active && with_gradient) {
      p_.with_gradient = true;
      p_.factor_at = factor_;
      run();
    }
  }

  /// The weighted losses of the rows.
  void values(rows_view<T> const& out) {
    auto const memory = device_.memory(pieces_.bytes());
    use(memory.data);
    p_.with_gradient = false;
    run();
    launch_values(device_, p_.rows, weighted_loss<T>{p_, p_.losses}, out);
  }

  /// The gradients alone, with an upstream value for each row.
  void gradients() {
    auto const memory = device_.memory(pieces_.bytes());
    use(memory.data);
    run();
  }

 private:
  void use(unsigned char* data) {
    p_.losses = piece_at<A>(data, losses_at_);
    totals_ = piece_at<batch_totals<A>>(data, totals_at_);
    factor_ = piece_at<A>(data, factor_at_);
    parts_ = piece_at<unsigned char>(data, parts_at_);
  }
  void run() const {
    launch_rows([this](index_t blocks, int threads, index_t shared,
                       auto const& work) { device_.launch(blocks, threads, shared, work); },
                p_, layout_, parts_);
  }
  template <class Work, class Result>
  void sum(Work work, A const* losses, A* factor, Result* result) const {
    work.losses = losses;
    work.factor = factor;
    work.result = result;
    index_t const blocks = Work::blocks_for(p_.rows);
    device_.launch(blocks, Work::most_threads, 0, work);
    if (blocks > 1) device_.launch(1, Work::most_threads, 0, work.joining());
  }

  Device const& device_;
  Problem p_;
  row_layout const layout_;

  // The losses of the rows, the sums of blocks, the factor of the gradients, the states of the parts of divided rows.
  workspace_pieces pieces_;
  index_t const losses_at_ = pieces_.add<A>(p_.rows),
                totals_at_ = pieces_.add<batch_totals<A>>(row_policy::large_block),
                factor_at_ = pieces_.add<A>(1),
                parts_at_ = pieces_.add<unsigned char>(part_bytes(p_, layout_));
  batch_totals<A>* totals_ = nullptr;
  A* factor_ = nullptr;
  unsigned char* parts_ = nullptr;
};

}  // namespace detail
}  // namespace exec
SAGE_ABI_END
}  // namespace sage
