#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// A fixed set of threads that work through numbered tasks; the calling thread works with them. Threads start with
/// the pool and are joined by its destructor; calls from several threads wait for each other.
class thread_pool {
 public:
  /// `count` threads in all, the caller's among them; less than one means one.
  explicit thread_pool(int count) : workers_(count > 1 ? count - 1 : 0) {
    if (workers_ == 0) return;
    threads_ = std::make_unique<std::thread[]>(static_cast<std::size_t>(workers_));
    for (int i = 0; i < workers_; ++i) threads_[static_cast<std::size_t>(i)] = std::thread([this] { work(); });
  }
  thread_pool(thread_pool const&) = delete;
  thread_pool& operator=(thread_pool const&) = delete;
  ~thread_pool() {
    {
      std::lock_guard const lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (int i = 0; i < workers_; ++i) threads_[static_cast<std::size_t>(i)].join();
  }

  int size() const noexcept { return workers_ + 1; }

  /// Calls body(i) once for every 0 ≤ i < count and returns when all calls have.
  template <class Body>
  void operator()(index_t count, Body const& body) {
    std::lock_guard const one_caller(caller_);
    {
      std::lock_guard const lock(mutex_);
      call_ = [](void const* b, index_t i) { (*static_cast<Body const*>(b))(i); };
      body_ = &body;
      count_ = count;
      next_.store(0, std::memory_order_relaxed);
      busy_ = workers_;
      ++generation_;
    }
    wake_.notify_all();
    take_tasks();
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void work() {
    unsigned long seen = 0;
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return stopping_ || generation_ != seen; });
        if (stopping_) return;
        seen = generation_;
      }
      take_tasks();
      std::lock_guard const lock(mutex_);
      if (--busy_ == 0) done_.notify_one();
    }
  }

  void take_tasks() {
    for (index_t i = next_.fetch_add(1, std::memory_order_relaxed); i < count_;
         i = next_.fetch_add(1, std::memory_order_relaxed))
      call_(body_, i);
  }

  int workers_;
  std::unique_ptr<std::thread[]> threads_;
  std::mutex caller_, mutex_;
  std::condition_variable wake_, done_;
  void (*call_)(void const*, index_t) = nullptr;
  void const* body_ = nullptr;
  index_t count_ = 0;
  std::atomic<index_t> next_{0};
  int busy_ = 0;
  unsigned long generation_ = 0;
  bool stopping_ = false;
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
