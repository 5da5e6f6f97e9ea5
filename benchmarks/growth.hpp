#pragma once

#include "report.hpp"

#include <map>
#include <string>
#include <vector>

namespace bench {

/// The curves: how the time of "sage" grows with each extent, and how many times faster threads are.
class growth_report {
 public:
  void add(workload const& w, providers const& list, std::vector<timing> const& times,
           amounts const& per_call);

  /// Prints the curves. Returns the verdicts: is the growth linear, or no steeper than the machine's own, which has a
  /// step wherever a cache ends?
  std::vector<std::string> print() const;

 private:
  struct point {
    double extent, seconds, limit;
  };
  std::map<std::string, std::vector<point>> curves_;                 // by "growth_N/triplet"
  std::map<std::string, std::map<int, double>> seconds_by_threads_;  // by the workload's name
};

}  // namespace bench
