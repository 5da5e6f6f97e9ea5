#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/batch_rows.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/mean.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

namespace detail {

/// The rows summed.
template <class A>
struct batch_totals {
  wide_t<A> loss = wide_t<A>(0), divisor = wide_t<A>(0);
  index_t active = 0, non_finite = 0;
};

struct join_totals {
  template <class A>
  SAGE_HD void combine(batch_totals<A>& a, batch_totals<A> const& b) const {
    a.loss = a.loss + b.loss;
    a.divisor = a.divisor + b.divisor;
    a.active += b.active;
    a.non_finite += b.non_finite;
  }
};

/// What a launch of the reduction sums: the rows, by blocks, or the sums of the blocks.
enum class sum_of { rows, blocks };

/// The reduction of a batch in two launches, or one where a block suffices. Block b sums rows b · each … in strides of
/// its size, then the blocks' sums are joined: one order, which the number of rows alone determines.
template <sum_of What, class T, class Result>
struct sum_work {
  static constexpr int most_threads = row_policy::large_block;
  static constexpr index_t most_blocks = most_threads;  // a block joins the sums of all blocks at once
  using A = accumulator_t<T>;
  using wide = wide_t<A>;

  batch_rows<T> rows_of{};
  index_t rows = 0;
  A const* losses = nullptr;  // null: only the divisor is wanted
  divided_by by = divided_by::nothing;
  bool hinged = false;
  A upstream = A(1);
  batch_totals<A>* totals = nullptr;  // of the blocks
  A* factor = nullptr;                // upstream over the divisor, for the gradients; may be null
  Result* result = nullptr;           // may be null

  SAGE_HD sum_work<sum_of::blocks, T, Result> joining() const noexcept {
    return {rows_of, rows, losses, by, hinged, upstream, totals, factor, result};
  }

  SAGE_HD static constexpr index_t rows_per_block(index_t rows) noexcept {
    index_t const least = 4 * most_threads, each = (rows + most_blocks - 1) / most_blocks;
    return each < least ? least : (each + most_threads - 1) / most_threads * most_threads;
  }
  SAGE_HD static constexpr index_t blocks_for(index_t rows) noexcept {
    index_t const each = rows_per_block(rows), n = (rows + each - 1) / each;
    return n > 0 ? n : 1;
  }

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      typename std::remove_cvref_t<decltype(group)>::template own<batch_totals<A>> part{};
      if constexpr (What == sum_of::blocks) {
        group.for_each([&](int rank) {
          if (rank < blocks_for(rows)) part[rank] = totals[rank];
        });
      } else {
        index_t const each = rows_per_block(rows), first = block.number() * each;
        index_t const last = first + each < rows ? first + each : rows;
        group.for_each([&](int rank) {
          for (index_t i = first + rank; i < last; i += most_threads) add(part[rank], i);
        });
      }
      batch_totals<A> const total = combined<batch_totals<A>>(group, join_totals{}, part);
      group.for_each([&](int rank) {
        if (rank != 0) return;
        if (What == sum_of::blocks || block.count() == 1) {
          conclude(total);
        } else {
          totals[block.number()] = total;
        }
      });
    });
  }

 private:
  SAGE_HD void add(batch_totals<A>& t, index_t i) const {
    auto const r = rows_of.parameters_of(i);
    if (r.skipped) return;
    bool counts = by != divided_by::active_weights;
    if (losses != nullptr) {
      A const l = losses[i];
      bool const above = l > A(0);
      t.loss = t.loss + wide(r.weight) * wide(l);
      t.active += above || !hinged;
      t.non_finite += sage::detail::is_non_finite(l);
      counts = counts || above;
    }
    if (counts) t.divisor = t.divisor + wide(r.weight) * wide(r.share);
  }

  SAGE_HD void conclude(batch_totals<A> const& t) const {
    wide const divisor = by == divided_by::nothing ? wide(1) : t.divisor;
    if (result != nullptr) {
      bool const zero_is_nothing = rows_of.weights || by == divided_by::active_weights;
      result->value = sage::detail::mean_of<A>(t.loss, divisor, zero_is_nothing);
      result->active = t.active;
      result->non_finite = t.non_finite;
    }
    if (factor != nullptr) *factor = sage::detail::over_divisor<A>(upstream, divisor);
  }
};

/// The unreduced losses of a batch: value_of(i) of every row i.
template <class T, class ValueOf>
struct values_work {
  static constexpr int most_threads = row_policy::large_block;

  index_t rows = 0;
  ValueOf value_of{};
  rows_view<T> out{};

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<1>([&](auto const& group, int number) {
      group.for_each([&](int) {
        for (index_t i = block.number() * most_threads + number; i < rows; i += block.count() * most_threads)
          *out.row(i) = static_cast<T>(value_of(i));
      });
    });
  }
};
template <class Device, class T, class ValueOf>
void launch_values(Device const& device, index_t rows, ValueOf const& value_of, rows_view<T> const& out) {
  values_work<T, ValueOf> const work{rows, value_of, out};
  index_t const blocks = (rows + work.most_threads - 1) / work.most_threads;
  if (blocks > 0)
    device.launch(blocks < row_policy::most_blocks ? blocks : row_policy::most_blocks, work.most_threads, 0,
                  work);
}

/// A row's loss times its weight.
template <class T>
struct weighted_loss {
  using A = accumulator_t<T>;

  batch_rows<T> rows_of{};
  A const* losses = nullptr;

  SAGE_HD A operator()(index_t i) const {
    auto const r = rows_of.parameters_of(i);
    return r.skipped ? A(0) : r.weight * losses[i];
  }
};

}  // namespace detail
}  // namespace exec
SAGE_ABI_END
}  // namespace sage
