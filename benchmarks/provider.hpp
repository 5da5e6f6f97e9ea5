#pragma once

#include "workload.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

/// One way of doing a workload. What `run` does is timed; the rest is not.
struct provider {
  std::string name;                          // "LibTorch eager"
  std::function<void(std::size_t set)> run;  // on one of the batch's sets
  std::function<double()> value =
      nullptr;  // of the last run; none where there is no value (blur_pair, backward)
  std::function<void(std::size_t set)> store =
      nullptr;  // writes the last run's gradients to the set's outputs, unless run did
  std::function<void()> before = nullptr;  // before a row of runs: the number of threads
  std::vector<std::size_t> outputs = {};   // which it writes, where they are not the workload's
  int threads = 1;
  bool is_limit = false;  // measures the machine; computes nothing that could be compared
};

using providers = std::vector<provider>;

/// How much is asked.
struct settings {
  bool quick = false, smoke = false;
  int threads = 2;
  std::size_t rotate_bytes = 0;
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
template <class T>
void add_libtorch(providers& list, batch<T>& b, settings const& s);
void add_sage_eigen(providers& list, batch<float>& b);
void add_sage_xtensor(providers& list, batch<float>& b);
void add_sage_libtorch(providers& list, batch<float>& b, settings const& s);
void add_opencv(providers& list, batch<float>& b);

std::string libtorch_version();

}  // namespace bench
