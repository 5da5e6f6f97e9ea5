#pragma once

#include "workload.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

/// One way of doing a workload. What `run` does is timed; the rest is not.
struct provider {
  std::string name;  // "LibTorch eager"
  // Does it, on one of the batch's sets.
  std::function<void(std::size_t set)> run;
  // The value of the last run; none where there is no value (blur_pair, backward).
  std::function<double()> value = nullptr;
  // Writes the last run's gradients to the set's outputs, unless `run` did.
  std::function<void(std::size_t set)> store = nullptr;
  // Comes before a row of runs: sets the number of threads.
  std::function<void()> before = nullptr;
  // How long so many runs take, for those that are timed in another process; `run` then fetches their answer.
  std::function<double(std::int64_t runs)> seconds = nullptr;
  std::vector<std::size_t> outputs = {};  // which it writes, where they are not the workload's
  // Providers that it is timed in turns with, to tell small differences.
  std::vector<std::string> in_turns_with = {};
  int threads = 1;
  bool is_limit = false;     // measures the machine; computes nothing that could be compared
  double first_seconds = 0;  // what its first run took, when its answer was compared
};

using providers = std::vector<provider>;

/// Runs a provider so many times, from `set` on through all sets.
inline void run_through(provider const& p, std::size_t& set, std::size_t sets, std::int64_t runs) {
  for (std::int64_t i = 0; i < runs; ++i) {
    p.run(set);
    if (++set == sets) set = 0;
  }
}

/// Runs before the timed ones: scripts are compiled in the second run, in LibTorch 1.13. Long runs need no third, for
/// they warm up themselves. Returns the set that is next.
inline std::size_t warm_up(provider const& p, std::size_t sets) {
  if (p.before) p.before();
  auto const start = std::chrono::steady_clock::now();
  auto const limit = std::chrono::milliseconds(20);
  std::size_t set = 0;
  for (int i = 0; i < 3 && (i == 0 || std::chrono::steady_clock::now() - start < limit); ++i)
    run_through(p, set, sets, 1);
  return set;
}

/// Which workloads: every one; those with targets; the curves; those that are quick to compare, and nothing timed.
enum class selection { all, quick, growth, smoke };

/// Calls body(thread, count) on so many of a host's threads, and returns when all are done.
using parallel_region = void (*)(int threads, std::function<void(int thread, int count)> const& body);
void openmp_region(int threads, std::function<void(int thread, int count)> const& body);

/// How much is asked.
struct settings {
  selection shapes = selection::all;
  int threads = 2;
  std::size_t rotate_bytes = 0;
  parallel_region openmp = nullptr;  // where the compiler has it
};

// Each adds what it can do of the batch's workload. One source file for each kind.
template <class T>
void add_sage(providers& list, batch<T>& b, settings const& s);
template <class T>
void add_plain(providers& list, batch<T>& b);
template <class T>
void add_limits(providers& list, batch<T>& b);
template <class T>
void add_eigen(providers& list, batch<T>& b);
template <class T>
void add_xtensor(providers& list, batch<T>& b);
/// On one thread, and on `threads`, if that is more.
template <class T>
void add_libtorch(providers& list, batch<T>& b, int threads);
void add_sage_eigen(providers& list, batch<float>& b);
void add_sage_xtensor(providers& list, batch<float>& b);
void add_sage_libtorch(providers& list, batch<float>& b);
void add_opencv(providers& list, batch<float>& b);

std::string libtorch_version();

}  // namespace bench
