#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/kept_values.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Work is counted in elements of a row of floats whose formula keeps nothing between its passes, a triplet's: with AVX2
/// some 0.6 ns each, value and gradients. A formula that keeps n values computes about n transcendental functions, and
/// takes 1 + n times as long; a double takes at least twice as long as a float. Measured: benchmarks/break_even.cpp.
template <class Problem>
constexpr index_t work_of_row(Problem const& p) noexcept {
  constexpr auto floats = static_cast<index_t>((sizeof(typename Problem::accumulator) + 3) / 4);
  index_t const elements = (p.length > 0 ? p.length : 1) * floats;
  if constexpr (requires { typename Problem::formula_type; }) {
    return elements * (1 + kept_by<typename Problem::formula_type>);
  } else {
    return elements;
  }
}

/// Rows in `count` blocks of `rows`, the last one of what is left.
struct row_blocks {
  index_t rows, count;

  /// Calls run(first row, last row) for block b.
  template <class Problem, class Run>
  void operator()(Problem const& p, index_t b, Run const& run) const {
    index_t const first = b * rows, last = first + rows;
    run(first, last < p.rows ? last : p.rows);
  }
};

/// As many equal blocks as have `work` each; one where there is less. Short rows come in whole groups of lanes.
template <class Problem>
constexpr row_blocks blocks_of(Problem const& p, index_t work) noexcept {
  constexpr index_t short_row = 64, group = 16;  // floats in the widest vector
  index_t const per_row = work_of_row(p), total = per_row * p.rows;
  index_t const wanted = total / work < p.rows ? total / work : p.rows;
  if (wanted <= 1) return {p.rows, p.rows > 0 ? 1 : 0};
  index_t rows = (p.rows + wanted - 1) / wanted;
  if (p.length <= short_row) rows = (rows + group - 1) / group * group;
  return {rows, (p.rows + rows - 1) / rows};
}

/// What exec::threads does with a problem, in the units of work_of_row. Measured by benchmarks/break_even.cpp (2 cores,
/// AVX2, a virtual machine): two threads overtake one between 4096 and 8192 while the worker is awake; between 65536 and
/// 131072 where it sleeps, for the caller takes 8 µs to wake it and it comes after 18 µs at least, 28 as a rule.
struct division_policy {
  static constexpr index_t awake_work = 8192, asleep_work = 131072;
  static constexpr index_t smallest_block = 2048, largest_block = 16384;

  /// Is the work shared among `threads`, of which the workers are awake or not?
  static constexpr bool shares(index_t work, int threads, bool awake) noexcept {
    return threads > 1 && work >= (awake ? awake_work : asleep_work);
  }
  /// Several blocks for each thread: one that comes late finds the others further.
  template <class Problem>
  static constexpr row_blocks blocks_for(Problem const& p, int threads) noexcept {
    index_t const share = work_of_row(p) * p.rows / (8 * threads);
    return blocks_of(p, share < smallest_block  ? smallest_block
                        : share > largest_block ? largest_block
                                                : share);
  }
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
