#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/parallel.hpp>
#include <sage/exec/thread_pool.hpp>

#include <memory>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Threads of our own: `threads{4}` starts three workers beside the caller and joins them when the last copy goes.
/// Keep one for many calls; starting it costs some 20 µs a thread.
class threads {
 public:
  explicit threads(int count, simd inner = {}) : pool_(std::make_shared<thread_pool>(count)), inner_(inner) {}

  int size() const noexcept { return pool_->size(); }

  template <class Problem>
  void operator()(Problem const& p) const {
    thread_pool& pool = *pool_;
    if (pool.size() == 1) return inner_(p);
    auto const parallel_for = [&pool](index_t count, auto const& body) { pool(count, body); };
    parallel<decltype(parallel_for)>{parallel_for, inner_}(p);
  }

 private:
  std::shared_ptr<thread_pool> pool_;
  simd inner_;
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
