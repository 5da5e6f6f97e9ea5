#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/mean.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The losses of the rows, summed.
template <class A>
struct row_sums {
  wide_t<A> loss{}, active_weight{};  // Σ w l, Σ share of the rows with l > 0
  index_t active = 0, non_finite = 0;
};

/// All rows alike. A sum that is finite has only finite terms.
template <class A>
row_sums<A> sum_all(index_t rows, A const* losses) {
  using wide = wide_t<A>;
  wide sum[4] = {wide(0), wide(0), wide(0), wide(0)};
  index_t i = 0;
  for (; i + 4 <= rows; i += 4)
    for (int k = 0; k < 4; ++k) sum[k] = sum[k] + wide(losses[i + k]);
  for (; i < rows; ++i) sum[0] = sum[0] + wide(losses[i]);
  row_sums<A> r{(sum[0] + sum[1]) + (sum[2] + sum[3]), wide(0), rows, 0};
  if (is_non_finite(r.loss))
    for (i = 0; i < rows; ++i) r.non_finite += is_non_finite(losses[i]);
  return r;
}

/// In one fixed order, whoever computed the rows: four sums of every fourth row hide the latency of the additions.
/// `share(i)` is what row i adds to the divisor of a mean over active rows; without a hinge every row that counts is
/// active.
template <class A, class Table, class Share>
row_sums<A> sum_rows(index_t rows, A const* losses, Table& table, bool hinged, bool by_active,
                     Share const& share) {
  using wide = wide_t<A>;
  if constexpr (Table::uniform)
    if (!hinged && !by_active) return sum_all<A>(rows, losses);
  wide loss[4] = {wide(0), wide(0), wide(0), wide(0)},
       active_weight[4] = {wide(0), wide(0), wide(0), wide(0)};
  index_t active = 0, non_finite = 0, skipped = 0;
  auto const add = [&](index_t i, int k) {
    if (table.skipped(i)) {
      ++skipped;
      return;
    }
    A const l = losses[i];
    bool const is_active = l > A(0);
    loss[k] = loss[k] + wide(table.weight(i)) * wide(l);
    active_weight[k] = active_weight[k] + (is_active ? wide(share(i)) : wide(0));
    active += is_active;
    non_finite += is_non_finite(l);
  };
  index_t i = 0;
  for (; i + 4 <= rows; i += 4)
    for (int k = 0; k < 4; ++k) add(i + k, k);
  for (; i < rows; ++i) add(i, 0);
  return {(loss[0] + loss[1]) + (loss[2] + loss[3]),
          (active_weight[0] + active_weight[1]) + (active_weight[2] + active_weight[3]),
          hinged ? active : rows - skipped, non_finite};
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
