#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/row_blocks.hpp>
#include <sage/exec/simd.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Rows in blocks over the threads of a host framework: `parallel_for(count, body)` must call body(i) once for every
/// 0 ≤ i < count, from any threads, and return when all are done (LibTorch's pool, OpenMP, TBB).
///
/// Rows are independent and are summed after all are done, in their order: results are bitwise the same for any
/// number of threads. Less than two blocks of work stay on the calling thread.
/// Example: parallel{[](index_t n, auto const& body) { tbb::parallel_for(index_t(0), n, body); }}
template <class ParallelFor>
struct parallel {
  ParallelFor parallel_for;
  simd inner{};

  /// What makes a block worth one of the host's threads, in elements of a formula without transcendental functions: some
  /// 10 µs, a few times what a pool takes for an empty call.
  static constexpr index_t block_work = 16384;

  template <class Problem>
  void operator()(Problem const& p) const {
    detail::row_blocks const blocks = detail::blocks_of(p, block_work);
    if (blocks.count <= 1) return inner(p);
    parallel_for(blocks.count, [&](index_t b) {
      blocks(p, b, [&](index_t first, index_t last) { inner(p, first, last); });
    });
  }
};
template <class ParallelFor>
parallel(ParallelFor) -> parallel<ParallelFor>;

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
