#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#endif

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// A fixed set of threads that work through numbered tasks; the calling thread works with them. Threads start with
/// the pool and are joined by its destructor; calls from several threads wait for each other.
///
/// A worker that has nothing to do spins for 40 µs, so that calls in quick succession find it awake, then sleeps.
/// Every thread begins with tasks of its own, neighbours and the same in each call of as many, whose memory it may find in
/// its caches; who is done helps the others. Nobody waits for a worker that has taken no task: a call ends when all tasks
/// are done, by whomever.
///
/// What a body throws, in whatever thread, is thrown to the caller when all tasks are done; of several the first.
///
/// In the child of a fork there are no workers, whatever they and their callers were doing at the time of the fork: the
/// calling thread does all tasks, and the destructor joins nobody.
class thread_pool {
 public:
  /// `count` threads in all, the caller's among them; less than one means one.
  /// Errors: std::system_error where the system has no more threads; those that were started are joined.
  explicit thread_pool(int count) : thread_pool() {  // so that the destructor runs, whatever is thrown here
    if (count <= 1) return;
    shares_ = std::make_unique<share[]>(static_cast<std::size_t>(count));
    threads_ = std::make_unique<std::thread[]>(static_cast<std::size_t>(count - 1));
    share_count_ = count;
    for (; workers_ < count - 1; ++workers_)
      threads_[static_cast<std::size_t>(workers_)] = std::thread([this, own = workers_ + 1] { work(own); });
  }
  thread_pool(thread_pool const&) = delete;
  thread_pool& operator=(thread_pool const&) = delete;
  ~thread_pool() {
    stopping_.store(true, std::memory_order_relaxed);
    call_number_.fetch_add(1, std::memory_order_release);
    call_number_.notify_all();
    if (is_at_home()) {
      for (int i = 0; i < workers_; ++i) threads_[static_cast<std::size_t>(i)].join();
    } else {
      // They stayed in the process that this one was forked from; their handles may be those of new threads by now.
      static_cast<void>(threads_.release());
    }
  }

  int size() const noexcept { return workers_ + 1; }

  /// How long a worker that has nothing to do stays awake: as long as a sleep and a wake-up take, see
  /// benchmarks/break_even.cpp; so nobody waits more than twice as long as if the next call were foreseen.
  static constexpr int spin_microseconds = 40;

  /// Is a worker awake, so that a call needs to wake none? A guess: it may fall asleep at any time.
  bool is_awake() const noexcept { return awake_.load(std::memory_order_relaxed) > 0; }

  /// Calls body(i) once for every 0 ≤ i < count < 2³², and returns when all calls have.
  template <class Body>
  void operator()(index_t count, Body const& body) {
    if (workers_ == 0 || count <= 1 || !is_at_home()) {
      for (index_t i = 0; i < count; ++i) body(i);
      return;
    }
    std::lock_guard const one_caller(caller_);
    std::uint32_t const number = call_number_.load(std::memory_order_relaxed) + 1;
    // Closed while it changes: a worker that has read anything of the new call, see take_share, takes no task of the old.
    for (int s = 0; s < share_count_; ++s)
      next_of(s).store(ticket(number, closed), std::memory_order_relaxed);
    std::atomic_thread_fence(std::memory_order_release);
    call_.store([](void const* b, index_t i) { (*static_cast<Body const*>(b))(i); },
                std::memory_order_relaxed);
    body_.store(&body, std::memory_order_relaxed);
    count_.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
    left_.store(static_cast<std::uint32_t>(count), std::memory_order_relaxed);
    for (int s = 0; s < share_count_; ++s)
      next_of(s).store(ticket(number, first_of(s, static_cast<std::uint32_t>(count))),
                       std::memory_order_release);
    call_number_.store(number, std::memory_order_release);
    call_number_.notify_all();
    take_tasks(number, 0);
    for (;;) {
      std::uint32_t const left = spin_while(left_, [](std::uint32_t n) { return n != 0; });
      if (left == 0) break;
      left_.wait(left, std::memory_order_acquire);
    }
#if SAGE_EXCEPTIONS
    if (failed_.load(std::memory_order_relaxed)) {
      failed_.store(false, std::memory_order_relaxed);
      std::rethrow_exception(std::exchange(error_, nullptr));
    }
#endif
  }

 private:
  thread_pool() = default;

  static constexpr std::uint32_t closed = 0xffffffff;
  // The next task of a share: the number of its call, so that no worker takes a task of another call than it thinks.
  static constexpr std::uint64_t ticket(std::uint32_t call, std::uint32_t task) noexcept {
    return std::uint64_t(call) << 32 | task;
  }

  // The tasks that one thread begins with. Each has a cache line to itself.
  struct alignas(64) share {
    std::atomic<std::uint64_t> next{0};
  };
  std::atomic<std::uint64_t>& next_of(int s) noexcept { return shares_[static_cast<std::size_t>(s)].next; }
  // The first task of share s of `count` tasks.
  std::uint32_t first_of(int s, std::uint32_t count) const noexcept {
    return static_cast<std::uint32_t>(std::uint64_t(count) * static_cast<std::uint64_t>(s) /
                                      static_cast<std::uint64_t>(share_count_));
  }

  void work(int own) {
    std::uint32_t seen = 0;
    awake_.fetch_add(1, std::memory_order_relaxed);
    for (;;) {
      if (spin_while(call_number_, [&](std::uint32_t n) { return n == seen; }) == seen) {
        awake_.fetch_sub(1, std::memory_order_relaxed);
        call_number_.wait(seen, std::memory_order_acquire);
        awake_.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      seen = call_number_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_relaxed)) return;
      take_tasks(seen, own);
    }
  }

  void take_tasks(std::uint32_t number, int own) {
    take_share(number, own);
    for (int s = own + 1; s < share_count_; ++s) take_share(number, s);
    for (int s = 0; s < own; ++s) take_share(number, s);
  }
  void take_share(std::uint32_t number, int s) {
    std::atomic<std::uint64_t>& next = next_of(s);
    for (;;) {
      std::uint64_t now = next.load(std::memory_order_acquire);
      auto const call = call_.load(std::memory_order_relaxed);
      void const* const body = body_.load(std::memory_order_relaxed);
      std::uint32_t const count = count_.load(std::memory_order_relaxed),
                          task = static_cast<std::uint32_t>(now);
      if (now >> 32 != number || task >= first_of(s + 1, count)) return;
      std::atomic_thread_fence(std::memory_order_acquire);
      if (!next.compare_exchange_strong(now, now + 1, std::memory_order_acq_rel)) continue;
      perform(call, body, static_cast<index_t>(task));
      if (left_.fetch_sub(1, std::memory_order_acq_rel) == 1) left_.notify_one();
    }
  }

  void perform(void (*call)(void const*, index_t), void const* body, index_t task) {
#if SAGE_EXCEPTIONS
    try {
      call(body, task);
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_relaxed)) error_ = std::current_exception();
    }
#else
    call(body, task);
#endif
  }

  /// The value, after at most so long a time in which it met the condition.
  template <class Condition>
  static std::uint32_t spin_while(std::atomic<std::uint32_t> const& value, Condition const& holds) noexcept {
    using clock = std::chrono::steady_clock;
    std::uint32_t now = value.load(std::memory_order_acquire);
    if (!holds(now)) return now;
    for (auto const start = clock::now();
         clock::now() - start < std::chrono::microseconds(spin_microseconds);) {
      for (int i = 0; i < 16; ++i) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
        now = value.load(std::memory_order_acquire);
        if (!holds(now)) return now;
      }
    }
    return now;
  }

  // Is this the process that the workers were started in?
  bool is_at_home() const noexcept { return process_ == this_process(); }
  static long this_process() noexcept {
#if defined(__unix__) || defined(__APPLE__)
    return static_cast<long>(::getpid());
#else
    return 0;
#endif
  }

  int workers_ = 0;
  long process_ = this_process();
  int share_count_ = 0;  // one for each thread
  std::unique_ptr<share[]> shares_;
  std::unique_ptr<std::thread[]> threads_;
  std::mutex caller_;
  std::atomic<void (*)(void const*, index_t)> call_{nullptr};
  std::atomic<void const*> body_{nullptr};
  std::atomic<std::uint32_t> count_{0};
  std::atomic<std::uint32_t> left_{0};         // tasks that are not done
  std::atomic<std::uint32_t> call_number_{0};  // of the latest call; workers wait for it to change
  std::atomic<int> awake_{0};                  // workers that do not sleep
  std::atomic<bool> stopping_{false};
#if SAGE_EXCEPTIONS
  std::atomic<bool> failed_{false};
  std::exception_ptr error_;  // of the task that failed first; read when none is left
#endif
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
