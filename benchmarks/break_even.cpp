// From which work on are two threads faster than one? Prints what a call of the pool costs, and for some losses the
// times of one thread and of two, by the amount of work: the figures behind the constants of exec/threads.hpp and
// exec/row_blocks.hpp. For a machine that does nothing else; on a noisy one the minima are still of use.
//
//   cmake --build build/default --target sage_break_even && build/default/benchmarks/sage_break_even

#include <sage/exec/row_blocks.hpp>
#include <sage/exec/thread_pool.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace {

using sage::index_t;
using clock_type = std::chrono::steady_clock;

double microseconds_since(clock_type::time_point start) {
  return std::chrono::duration<double, std::micro>(clock_type::now() - start).count();
}
void work_for(double microseconds) {
  for (auto const start = clock_type::now(); microseconds_since(start) < microseconds;) {
  }
}

double quantile(std::vector<double>& v, double q) {
  std::sort(v.begin(), v.end());
  return v.empty() ? -1 : v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1))];
}

// After `pause` µs in which nobody called: when do the caller and the worker begin their tasks?
void print_call(sage::exec::thread_pool& pool, double pause) {
  int const rounds = 200;
  std::vector<double> empty, caller, worker;
  auto const me = std::this_thread::get_id();
  for (int r = 0; r < rounds; ++r) {
    work_for(pause);
    auto const start = clock_type::now();
    pool(2, [](index_t) {});
    empty.push_back(microseconds_since(start));
  }
  for (int r = 0; r < rounds; ++r) {
    work_for(pause);
    auto const start = clock_type::now();
    std::atomic<bool> both{false};
    double of_caller = -1, of_worker = -1;
    pool(2, [&](index_t) {
      if (std::this_thread::get_id() != me) {
        of_worker = microseconds_since(start);
        both = true;
      } else if (of_caller < 0) {
        of_caller = microseconds_since(start);
        while (!both && microseconds_since(start) < 500) {
        }
      }
    });
    if (of_caller >= 0) caller.push_back(of_caller);
    if (of_worker >= 0) worker.push_back(of_worker);
  }
  std::printf(
      "%6.0f us after the last call: an empty one takes %5.2f (median %5.2f) us; the caller begins after "
      "%4.1f "
      "(%4.1f), the worker, in %3zu of %d calls, after %5.1f (%5.1f) us\n",
      pause, quantile(empty, 0), quantile(empty, 0.5), quantile(caller, 0), quantile(caller, 0.5),
      worker.size(), rounds, quantile(worker, 0), quantile(worker, 0.5));
}

/// Divides all work, however small, as exec::threads does with what is large enough.
struct always_divides {
  sage::exec::thread_pool& pool;

  template <class Problem>
  void operator()(Problem const& p) const {
    auto const blocks = sage::exec::detail::division_policy::blocks_for(p, pool.size());
    pool(blocks.count, [&](index_t b) {
      blocks(p, b, [&](index_t first, index_t last) { sage::exec::simd{}(p, first, last); });
    });
  }
};

// The least of many, each after a pause: one thread and two have their turns side by side.
template <class One, class Two>
void time_both(One& one, Two& two, double pause, double& of_one, double& of_two) {
  std::vector<double> first, second;
  auto const until = clock_type::now() + std::chrono::milliseconds(60);
  for (int r = 0; r < 20 || clock_type::now() < until; ++r) {
    work_for(pause);
    auto start = clock_type::now();
    one();
    first.push_back(microseconds_since(start));
    work_for(pause);
    if (pause == 0) two();  // wakes the workers
    start = clock_type::now();
    two();
    second.push_back(microseconds_since(start));
  }
  // A tenth from below: what a quiet moment gives, without the luck of one.
  of_one = quantile(first, 0.1);
  of_two = quantile(second, 0.1);
}

// `make(rows)` gives a function of an executor that computes the loss and its gradients.
template <class Make>
void print_loss(sage::exec::thread_pool& pool, char const* name, index_t length, index_t weight,
                Make const& make) {
  std::printf("%s\n%12s %9s | %22s | %22s\n", name, "work", "rows", "awake: 1, 2 threads us", "asleep");
  for (index_t work = 1024; work <= 262144; work *= 2) {
    index_t const rows = std::max<index_t>(2, work / (length * weight));
    auto run = make(rows);
    auto one = [&] { run(sage::exec::simd{}); };
    auto two = [&] { run(always_divides{pool}); };
    double awake_1, awake_2, asleep_1, asleep_2;
    one();
    two();
    time_both(one, two, 0, awake_1, awake_2);
    time_both(one, two, 100, asleep_1, asleep_2);
    std::printf("%12ld %9ld | %8.1f %8.1f %s | %8.1f %8.1f %s\n", static_cast<long>(rows * length * weight),
                static_cast<long>(rows), awake_1, awake_2, awake_2 < awake_1 ? "gain" : "    ", asleep_1,
                asleep_2, asleep_2 < asleep_1 ? "gain" : "    ");
  }
}

std::vector<float> numbers(index_t n) {
  static std::mt19937 generator(1);
  std::normal_distribution<float> normal;
  std::vector<float> v(static_cast<std::size_t>(n));
  for (float& x : v) x = normal(generator);
  return v;
}

}  // namespace

int main() {
  sage::exec::thread_pool pool(2);
  for (double const pause : {0.0, 5.0, 10.0, 20.0, 30.0, 50.0, 100.0, 1000.0}) print_call(pool, pause);

  auto const of = [](auto& v, index_t rows) {
    return sage::strided_view{v.data(), sage::extents{rows, static_cast<index_t>(v.size()) / rows}};
  };
  auto const consistency = [&](index_t classes) {
    return [&of, classes](index_t n) {
      return [&of, n, z = numbers(n * classes), w = numbers(n * classes), dz = numbers(n * classes),
              dw = numbers(n * classes)](auto const& executor) mutable {
        sage::consistency_loss<>{}.value_and_grad(executor, of(z, n), of(w, n), of(dz, n), of(dw, n));
      };
    };
  };
  print_loss(pool, "triplet, D = 512", 512, 1, [&](index_t n) {
    return [&of, n, a = numbers(n * 512), p = numbers(n * 512), q = numbers(n * 512), da = numbers(n * 512),
            dp = numbers(n * 512), dq = numbers(n * 512)](auto const& executor) mutable {
      sage::triplet_margin_loss<>{.margin = 1}.value_and_grad(executor, of(a, n), of(p, n), of(q, n),
                                                              of(da, n), of(dp, n), of(dq, n));
    };
  });
  print_loss(pool, "consistency, K = 1000", 1000, 7, consistency(1000));
  print_loss(pool, "consistency, K = 10", 10, 7, consistency(10));
  print_loss(pool, "cross entropy, K = 100", 100, 2, [&](index_t n) {
    return [&of, n, z = numbers(n * 100), dz = numbers(n * 100),
            labels = std::vector<int>(static_cast<std::size_t>(n), 3)](auto const& executor) mutable {
      sage::cross_entropy_loss{}.value_and_grad(executor, of(z, n), labels, of(dz, n));
    };
  });
}
