#include "measure.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace bench {

namespace {

/// Seconds: what takes longer is warm from the first part of its own run, and is repeated fewer times.
constexpr double long_run = 0.1;

/// The shortest of up to three runs, of which the first was the comparison's: frameworks compile in the first two.
double seconds_of_run(provider const& p) {
  double least = p.first_seconds;
  if (p.before) p.before();
  for (int i = 0; i < 2 && least >= long_run; ++i) {
    auto const start = std::chrono::steady_clock::now();
    double seconds = 0;
    if (p.seconds) {
      seconds = p.seconds(1);
    } else {
      p.run(0);
      seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    least = std::min(least, seconds);
  }
  return least;
}

/// Fewer where a run takes so many seconds, but three.
int repetitions_of(double seconds, int wanted) {
  constexpr int least = 3;
  constexpr double enough = 0.7;  // seconds of all repetitions
  if (seconds < long_run || wanted <= least) return wanted;
  return std::clamp(int(enough / seconds), least, wanted);
}

void run_benchmark(benchmark::State& state, provider const& p, std::size_t sets, bool is_long) {
  if (p.seconds) {
    double const each = p.seconds(state.max_iterations) / double(state.max_iterations);
    for (auto _ : state) state.SetIterationTime(each);
    return;
  }
  std::size_t set = 0;
  if (!is_long) {
    set = warm_up(p, sets);
  } else if (p.before) {
    p.before();
  }
  for (auto _ : state) {
    run_through(p, set, sets, 1);  // what it computes lies in memory that others read: it cannot be left out
    benchmark::ClobberMemory();
  }
}

double seconds_of(benchmark::BenchmarkReporter::Run const& run) {
  return run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit);
}

/// The time of one provider over that of another: the median over pairs of short runs, of which now the one comes first
/// and now the other. What slows the machine for longer than a pair slows both alike; medians of repetitions that lie
/// seconds apart differ by 2 or 3 % where the very same code runs.
double ratio_in_turns(provider const& above, provider const& below, std::size_t sets, double seconds) {
  using clock = std::chrono::steady_clock;
  constexpr std::size_t least_pairs = 51;
  constexpr double least_run = 2e-4;  // seconds
  std::size_t set = 0;
  int runs = 1;
  auto const time = [&](provider const& p) {
    if (p.before) p.before();
    auto const start = clock::now();
    run_through(p, set, sets, runs);
    return std::chrono::duration<double>(clock::now() - start).count();
  };
  time(above);
  runs += int(least_run / time(below));

  std::vector<double> ratios;
  for (auto const start = clock::now();
       ratios.size() < least_pairs || clock::now() - start < std::chrono::duration<double>(seconds);) {
    if (ratios.size() % 2 == 0) {
      double const first = time(above);
      ratios.push_back(first / time(below));
    } else {
      double const first = time(below);
      ratios.push_back(time(above) / first);
    }
  }
  auto const middle = ratios.begin() + std::ptrdiff_t(ratios.size() / 2);
  std::nth_element(ratios.begin(), middle, ratios.end());
  return *middle;
}

// A run that is interrupted leaves the results of the last one as they are.
std::string part_of(std::string const& path) { return path + ".part"; }

}  // namespace

session::session(std::string const& json_path, int repetitions, double seconds)
    : json_path_(json_path), json_file_(part_of(json_path)), repetitions_(repetitions), seconds_(seconds) {
  if (!json_file_) throw std::runtime_error("cannot write " + part_of(json_path));
  json_.SetOutputStream(&json_file_);
  json_.SetErrorStream(&json_file_);
}

session::~session() {
  if (has_context_) json_.Finalize();
  json_file_.close();
  std::error_code failed;
  if (!has_context_) {
    std::filesystem::remove(part_of(json_path_), failed);
  } else if (std::uncaught_exceptions() == 0) {
    std::filesystem::rename(part_of(json_path_), json_path_, failed);
  }
  if (failed) std::cerr << "cannot finish " << part_of(json_path_) << ": " << failed.message() << '\n';
}

bool session::ReportContext(Context const& context) {
  if (has_context_) return true;
  // Results are published: the machine's name and its folders are nobody's business.
  Context::executable_name = "sage_bench";
  std::stringstream text;
  json_.SetOutputStream(&text);
  json_.ReportContext(context);
  json_.SetOutputStream(&json_file_);
  for (std::string line; std::getline(text, line);)
    if (line.find("\"host_name\"") == std::string::npos) json_file_ << line << '\n';
  return has_context_ = true;
}

void session::ReportRuns(std::vector<Run> const& runs) {
  runs_.insert(runs_.end(), runs.begin(), runs.end());
}

void session::register_benchmark(std::string const& name, provider const& p, std::size_t sets) const {
  double const seconds = seconds_of_run(p);
  auto* const registered = benchmark::RegisterBenchmark(
      name.c_str(),
      [&p, sets, seconds](benchmark::State& state) { run_benchmark(state, p, sets, seconds >= long_run); });
  registered->Unit(benchmark::kMicrosecond)
      ->Repetitions(repetitions_of(seconds, repetitions_))
      ->MinTime(seconds_)
      ->ReportAggregatesOnly();
  if (p.seconds) {
    registered->UseManualTime();
  } else {
    registered->UseRealTime();
  }
}

bool session::is_median(Run const& run) const { return repetitions_ == 1 || run.aggregate_name == "median"; }

std::vector<timing> session::measure(std::string const& group, providers const& list, std::size_t sets,
                                     amounts const& per_call) {
  benchmark::ClearRegisteredBenchmarks();
  runs_.clear();
  for (auto const& p : list) register_benchmark(group + "/" + p.name, p, sets);
  benchmark::RunSpecifiedBenchmarks(this, "all");

  std::vector<timing> r;
  double limit = std::numeric_limits<double>::infinity();
  for (auto const& p : list) {
    timing t{p.name};
    for (auto const& run : runs_) {
      if (run.run_name.function_name != group + "/" + p.name) continue;
      if (is_median(run)) t.seconds = seconds_of(run);
      if (run.aggregate_name == "cv") t.variation = run.real_accumulated_time;
    }
    for (auto const& other : list)
      if (std::ranges::find(p.in_turns_with, other.name) != p.in_turns_with.end())
        t.over[other.name] = ratio_in_turns(p, other, sets, 2 * repetitions_ * seconds_);
    if (p.is_limit) limit = std::min(limit, t.seconds);
    r.push_back(t);
  }

  limit = std::max(limit, per_call.limit_of_functions);
  std::vector<Run> kept;
  for (auto& run : runs_) {
    if (!is_median(run) && run.aggregate_name != "cv") continue;
    if (is_median(run)) {
      double const seconds = seconds_of(run);
      run.counters["rows_per_second"] = per_call.rows / seconds;
      run.counters["bytes_per_second"] = per_call.bytes / seconds;
      if (limit < std::numeric_limits<double>::infinity()) run.counters["share_of_limit"] = limit / seconds;
      for (auto const& t : r)
        if (run.run_name.function_name == group + "/" + t.provider)
          for (auto const& [other, ratio] : t.over) run.counters["over " + other] = ratio;
    }
    kept.push_back(run);
  }
  if (!kept.empty()) json_.ReportRuns(kept);
  json_file_.flush();
  return r;
}

}  // namespace bench
