#pragma once

#include "measure.hpp"

#include <string>
#include <vector>

namespace bench {

/// Prints a group's table: time, rows/s, bytes/s, share of the limit, and how many times faster "sage" is.
void print_table(std::string const& title, providers const& list, std::vector<timing> const& times,
                 amounts const& per_call);
void print_functions(std::string const& group, std::vector<timing> const& times, double per_call);

/// One line: a target that is held, or MISSED.
std::string verdict(std::string const& name, std::string const& what, double got, double target,
                    bool at_least);

/// Seconds: what the machine needs at least for a group, by its memory and by exp and log, which may overlap; and what a
/// provider took, 0 if there is none of that name.
struct limits {
  double memory, functions = 0;
  double seconds() const { return memory > functions ? memory : functions; }
};
limits limits_of(providers const& list, std::vector<timing> const& times, amounts const& per_call);
double seconds_of(std::vector<timing> const& times, std::string const& provider);

/// The targets of DESIGN section 9 that this group has a word on, held or missed; beside a missed ratio to a peer stands
/// the ratio that the limit itself would have.
std::vector<std::string> verdicts(workload const& w, providers const& list, std::vector<timing> const& times,
                                  amounts const& per_call);

/// What the limit is, for --help.
inline constexpr char const* limits_explained =
    "The column `limit`, and what stands beside a missed ratio as that of the limit itself, is the slower\n"
    "of two times, which may overlap: that of reading and writing the same tensors in as many streams,\n"
    "and that of the elementary functions which no formula can do without, at the fastest rates found: of\n"
    "the consistency and of the complete loss two exps and one log for each pair of logits, of cross\n"
    "entropy one exp for each. Of doubles, and of the blurred pair, it is the streams alone.";

}  // namespace bench
