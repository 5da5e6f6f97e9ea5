#pragma once

#include "repeated_batch.hpp"

#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace bench {

/// What one way of doing a workload took: the median over the repetitions and their coefficient of variation.
struct device_timing {
  std::string provider;  // "sage", "sage graph", "limit copy", or a peer's
  double seconds = 0, variation = 0;
  index runs = 0;  // of one repetition
  int repetitions = 0;
};

/// How the sets of a workload lay in the device's memory.
struct rotation {
  std::size_t sets = 0;
  bool beyond_cache = false;
};

using context_entries = std::vector<std::pair<std::string, std::string>>;

/// Results as Google Benchmark writes them, so that results.py, compare.py and chart.py read them.
class device_results {
 public:
  device_results(std::string const& path, context_entries const& context);
  void add(repeated_batch const& b, std::vector<device_timing> const& times, rotation const& r);
  ~device_results();

 private:
  std::ofstream file_;
  bool is_first_ = true;
};

void print_device_table(std::string const& title, repeated_batch const& b,
                        std::vector<device_timing> const& times, rotation const& r);

/// The targets that this workload has a word on, held or missed.
std::vector<std::string> device_verdicts(repeated_batch const& b, std::vector<device_timing> const& times,
                                         rotation const& r);

}  // namespace bench
