#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/simd.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Rows in blocks over the threads of a host framework: `parallel_for(count, body)` must call body(i) once for every
/// 0 ≤ i < count, from any threads, and return when all are done (LibTorch's pool, OpenMP, TBB).
///
/// Rows are independent and are summed after all are done, in their order: results are bitwise the same for any
/// number of threads. Less than one block of work stays on the calling thread.
/// Example: parallel{[](index_t n, auto const& body) { tbb::parallel_for(index_t(0), n, body); }}
template <class ParallelFor>
struct parallel {
  ParallelFor parallel_for;
  simd inner{};

  /// Elements of one operand that make a block worth a thread.
  static constexpr index_t block_elements = 16384;

  template <class Problem>
  void operator()(Problem const& p) const {
    index_t const wanted = block_elements / (p.length > 0 ? p.length : 1);
    index_t const block = wanted < 64 ? wanted + 1 : (wanted + 63) / 64 * 64;  // whole groups of lanes
    index_t const count = (p.rows + block - 1) / block;
    if (count <= 1) return inner(p);
    parallel_for(count, [&](index_t b) {
      index_t const first = b * block;
      inner(p, first, first + block < p.rows ? first + block : p.rows);
    });
  }
};
template <class ParallelFor>
parallel(ParallelFor) -> parallel<ParallelFor>;

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
