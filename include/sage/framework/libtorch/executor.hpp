#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/parallel.hpp>
#include <sage/exec/simd.hpp>

#include <ATen/Parallel.h>

#include <cstdint>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// Rows in blocks over LibTorch's own thread pool (at::parallel_for): as many threads as at::set_num_threads
/// says, and none beside those that LibTorch has anyway. Bitwise the same results for any number of threads.
/// Example: loss.value_and_grad(sage::libtorch::executor{}, anchor, positive, negative, d_a, d_p, d_n)
struct executor {
  exec::simd inner{};

  template <class Problem>
  void operator()(Problem const& p) const {
    auto const parallel_for = [](index_t count, auto const& body) {
      at::parallel_for(0, count, 1, [&body](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) body(static_cast<index_t>(i));
      });
    };
    exec::parallel<decltype(parallel_for)>{parallel_for, inner}(p);
  }
};

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
