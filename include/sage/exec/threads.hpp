#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/row_blocks.hpp>
#include <sage/exec/simd.hpp>
#include <sage/exec/thread_pool.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Threads of our own: `threads{4}` starts three workers beside the caller and joins them when the last copy goes.
/// Keep one for many calls; starting it costs some 20 µs a thread. Until one is made, no thread is started.
///
/// Small work stays on the calling thread, and wakes nobody. While the workers are still awake from the call before,
/// some 5 µs of work are enough to share; later they must be woken, which takes time of the caller's too, and 80 µs are.
/// Calls in quick succession, less than 40 µs apart, share from the second on what is worth sharing.
///
/// Nothing depends on the thread that calls: it may be one of OpenMP's or of another pool. Several threads may call
/// one object, and wait for each other.
/// In the child of a fork an object of the parent works on the calling thread alone, for its workers stayed in the parent;
/// one made in the child has workers.
class threads {
 public:
  explicit threads(int count, simd inner = {})
      : shared_(std::make_shared<shared_state>(count)), inner_(inner) {}

  int size() const noexcept { return shared_->pool.size(); }

  template <class Problem>
  void operator()(Problem const& p) const {
    using policy = detail::division_policy;
    thread_pool& pool = shared_->pool;
    index_t const work = detail::work_of_row(p) * p.rows;
    if (!policy::shares(work, pool.size(), true)) return inner_(p);
    if (!policy::shares(work, pool.size(), false) && !pool.is_awake() && !follows_closely()) {
      inner_(p);
      shared_->last_end.store(now(), std::memory_order_relaxed);
      return;
    }
    detail::row_blocks const blocks = policy::blocks_for(p, pool.size());
    pool(blocks.count,
         [&](index_t b) { blocks(p, b, [&](index_t first, index_t last) { inner_(p, first, last); }); });
  }

 private:
  struct shared_state {
    explicit shared_state(int count) : pool(count) {}
    thread_pool pool;
    std::atomic<std::int64_t> last_end{std::numeric_limits<std::int64_t>::min() /
                                       2};  // of a call that woke nobody
  };

  static std::int64_t now() noexcept {
    using namespace std::chrono;
    return duration_cast<nanoseconds>(steady_clock::now().time_since_epoch()).count();
  }
  // Workers that such a call wakes stay awake for the next.
  bool follows_closely() const noexcept {
    return now() - shared_->last_end.load(std::memory_order_relaxed) < 1000 * thread_pool::spin_microseconds;
  }

  std::shared_ptr<shared_state> shared_;
  simd inner_;
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
