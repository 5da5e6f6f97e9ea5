#pragma once

#include "measure.hpp"

#include <string>
#include <vector>

namespace bench {

/// Prints a group's table: time, rows/s, bytes/s, share of the limit, and how many times faster "sage" is.
void print_table(workload const& w, providers const& list, std::vector<timing> const& times,
                 amounts const& per_call);
void print_functions(std::string const& group, std::vector<timing> const& times, double per_call);

/// The targets of DESIGN section 9 that this group has a word on, held or missed.
std::vector<std::string> verdicts(workload const& w, providers const& list, std::vector<timing> const& times,
                                  amounts const& per_call);

}  // namespace bench
