#pragma once

#include "provider.hpp"

#include <benchmark/benchmark.h>

#include <fstream>
#include <map>
#include <string>
#include <vector>

namespace bench {

/// What one provider took: the median over the repetitions and their coefficient of variation; and its time over that of
/// each provider that it was timed in turns with.
struct timing {
  std::string provider;
  double seconds = 0, variation = 0;
  std::map<std::string, double> over = {};
};

/// What one call of a group does, for the columns that are derived from the time.
struct amounts {
  double rows = 0, bytes = 0;
  double limit_of_functions = 0;  // seconds that exp and log alone take; 0 where there are none
};

/// Runs groups of providers with Google Benchmark and keeps what it reports: a table on the terminal, and everything
/// in Google Benchmark's JSON, to which rows/s, bytes/s, share of the limit and ratios in turns are added as counters.
class session : private benchmark::BenchmarkReporter {
 public:
  session(std::string const& json_path, int repetitions, double seconds);
  ~session() override;

  /// Times all providers, their repetitions interleaved at random so that what slows the machine slows all of them.
  /// Each run takes the next of the sets.
  std::vector<timing> measure(std::string const& group, providers const& list, std::size_t sets,
                              amounts const& per_call);

 private:
  bool ReportContext(Context const& context) override;
  void ReportRuns(std::vector<Run> const& runs) override;
  void register_benchmark(std::string const& name, provider const& p, std::size_t sets) const;
  bool is_median(Run const& run) const;

  std::string json_path_;
  std::ofstream json_file_;
  benchmark::JSONReporter json_;
  bool has_context_ = false;
  int repetitions_;
  double seconds_;
  std::vector<Run> runs_;  // of the group in progress
};

}  // namespace bench
