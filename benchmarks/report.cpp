#include "report.hpp"

#include "shapes.hpp"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace bench {

double seconds_of(std::vector<timing> const& times, std::string const& provider) {
  for (auto const& t : times)
    if (t.provider == provider) return t.seconds;
  return 0;
}

limits limits_of(providers const& list, std::vector<timing> const& times, amounts const& per_call) {
  limits r{.memory = std::numeric_limits<double>::infinity(), .functions = per_call.limit_of_functions};
  for (std::size_t k = 0; k < list.size(); ++k)
    if (list[k].is_limit) r.memory = std::min(r.memory, times[k].seconds);
  return r;
}

std::string verdict(std::string const& name, std::string const& what, double got, double target,
                    bool at_least) {
  bool const holds = at_least ? got >= target : got <= target;
  char line[256];
  std::snprintf(line, sizeof line, "%-6s %-48s %-44s %8.2f (target %s %g)", holds ? "holds" : "MISSED",
                name.c_str(), what.c_str(), got, at_least ? ">=" : "<=", target);
  return line;
}

namespace {

/// How many times faster than the peer the limit itself is: whether what was missed can be had on this machine.
std::string at_the_limit(double times, double target) {
  char text[96];
  std::snprintf(text, sizeof text, "; the limit itself: %.3g%s", times,
                times < target ? ", out of this machine's reach" : "");
  return text;
}

/// Of the memory's limit, which is the faster one of its providers.
double share_in_turns(timing const& t) {
  double slowest = 0;
  for (auto const& [limit, ratio] : t.over) slowest = std::max(slowest, ratio);
  return 1 / slowest;
}

}  // namespace

void print_table(std::string const& title, providers const& list, std::vector<timing> const& times,
                 amounts const& per_call) {
  limits const l = limits_of(list, times, per_call);
  double const ours = seconds_of(times, "sage");
  std::printf("\n%s   %.3g MB, memory %.4g us", title.c_str(), per_call.bytes * 1e-6, l.memory * 1e6);
  if (l.functions > 0) std::printf(", exp and log %.4g us", l.functions * 1e6);
  std::printf("\n  %-32s %12s %7s %12s %9s %7s %12s\n", "", "us", "+- %", "rows/s", "GB/s", "limit",
              "sage faster");
  for (std::size_t k = 0; k < times.size(); ++k) {
    auto const& t = times[k];
    std::printf("  %-32s %12.2f %7.1f %12.4g %9.2f ", t.provider.c_str(), t.seconds * 1e6, t.variation * 100,
                per_call.rows / t.seconds, per_call.bytes / t.seconds * 1e-9);
    // The limits are one thread's: several may well be faster.
    if (list[k].threads == 1 && !list[k].is_limit) {
      std::printf("%6.0f%% ", 100 * l.seconds() / t.seconds);
    } else {
      std::printf("%7s ", "");
    }
    if (list[k].is_limit || t.provider == "sage") {
      std::printf("\n");
    } else {
      std::printf("%11.2fx\n", t.seconds / ours);
    }
  }
  std::fflush(stdout);
}

void print_functions(std::string const& group, std::vector<timing> const& times, double per_call) {
  std::printf("\n%s\n", group.c_str());
  for (auto const& t : times)
    std::printf("  %-32s %8.3f 10^9/s\n", t.provider.c_str(), per_call / t.seconds * 1e-9);
  std::fflush(stdout);
}

std::vector<std::string> verdicts(workload const& w, providers const& list, std::vector<timing> const& times,
                                  amounts const& per_call) {
  std::string const name = name_of(w);
  double const ours = seconds_of(times, "sage");
  std::vector<std::string> r;
  if (!(ours > 0)) return r;
  limits const l = limits_of(list, times, per_call);
  double const reachable = std::min(l.seconds(), ours);  // noise may have slowed the limit alone
  for (auto const& t : targets)
    if (double const peer = seconds_of(times, t.peer); name == t.workload && peer > 0)
      r.push_back(verdict(name, std::string("times faster than ") + t.peer, peer / ours, t.times, true) +
                  (peer / ours < t.times ? at_the_limit(peer / reachable, t.times) : ""));
  for (auto const& t : times) {
    if (w.beyond_cache && t.provider == "sage") {
      bool const by_functions = l.functions > l.memory;
      r.push_back(verdict(name, by_functions ? "of the limit by exp and log" : "of the memory's limit",
                          by_functions ? l.functions / ours : share_in_turns(t), limit_target, true));
    }
    // What an adapter does once per call is no share of a short one.
    if (auto const over = t.over.find("sage"); over != t.over.end() && ours > 20e-6)
      r.push_back(
          verdict(name, t.provider + ", time over raw pointers'", over->second, adapter_target, false));
    if (t.provider == "sage 2 threads" && ours > 50e-6 && !w.beyond_cache && l.memory < 0.5 * ours)
      r.push_back(verdict(name, "two threads faster than one", ours / t.seconds, threads_target, true));
  }
  return r;
}

}  // namespace bench
