#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/along_rows_scalar.hpp>
#include <sage/exec/own_schedule.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// One element after the other on the calling thread: the reference schedule, and the one for autodiff scalars.
struct scalar {
  template <class Problem>
  void operator()(Problem const& p) const {
    (*this)(p, 0, p.rows);
  }

  /// Rows first … last only, for executors that divide the rows.
  template <class Problem>
  void operator()(Problem const& p, index_t first, index_t last) const {
    if constexpr (own_schedule<Problem>) {
      p.template run<typename Problem::accumulator>(first, last);
    } else {
      detail::along_rows_scalar<Problem>{p}(first, last);
    }
  }
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
