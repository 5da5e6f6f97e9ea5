#include "measure.hpp"

#include <algorithm>
#include <limits>
#include <sstream>
#include <stdexcept>

namespace bench {

namespace {

void run_benchmark(benchmark::State& state, provider const& p, std::size_t sets) {
  if (p.seconds) {
    double const each = p.seconds(state.max_iterations) / double(state.max_iterations);
    for (auto _ : state) state.SetIterationTime(each);
    return;
  }
  std::size_t set = warm_up(p, sets);
  for (auto _ : state) {
    p.run(set);  // what it computes lies in memory that others read: it cannot be left out
    benchmark::ClobberMemory();
    if (++set == sets) set = 0;
  }
}

}  // namespace

session::session(std::string const& json_path, int repetitions, double seconds)
    : json_file_(json_path), repetitions_(repetitions), seconds_(seconds) {
  if (!json_file_) throw std::runtime_error("cannot write " + json_path);
  json_.SetOutputStream(&json_file_);
  json_.SetErrorStream(&json_file_);
}

session::~session() {
  if (has_context_) json_.Finalize();
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

std::vector<timing> session::measure(std::string const& group, providers const& list, std::size_t sets,
                                     amounts const& per_call) {
  benchmark::ClearRegisteredBenchmarks();
  runs_.clear();
  for (auto const& p : list) {
    auto* const registered =
        benchmark::RegisterBenchmark((group + "/" + p.name).c_str(),
                                     [&p, sets](benchmark::State& state) { run_benchmark(state, p, sets); });
    registered->Unit(benchmark::kMicrosecond)
        ->Repetitions(repetitions_)
        ->MinTime(seconds_)
        ->ReportAggregatesOnly();
    if (p.seconds) {
      registered->UseManualTime();
    } else {
      registered->UseRealTime();
    }
  }
  benchmark::RunSpecifiedBenchmarks(this, "all");

  std::vector<timing> r;
  for (auto const& p : list) {
    timing t{p.name};
    for (auto const& run : runs_) {
      if (run.run_name.function_name != group + "/" + p.name) continue;
      if (run.run_type != Run::RT_Aggregate && repetitions_ > 1) continue;
      double const seconds = run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit);
      if (repetitions_ == 1 || run.aggregate_name == "median") t.seconds = seconds;
      if (run.aggregate_name == "cv") t.variation = run.real_accumulated_time;
    }
    r.push_back(t);
  }

  double limit = std::numeric_limits<double>::infinity();
  for (std::size_t k = 0; k < list.size(); ++k)
    if (list[k].is_limit) limit = std::min(limit, r[k].seconds);
  limit = std::max(limit, per_call.limit_of_functions);
  std::vector<Run> kept;
  for (auto& run : runs_) {
    bool const is_median = repetitions_ == 1 || run.aggregate_name == "median";
    if (!is_median && run.aggregate_name != "cv") continue;
    if (is_median) {
      double const seconds = run.GetAdjustedRealTime() / benchmark::GetTimeUnitMultiplier(run.time_unit);
      run.counters["rows_per_second"] = per_call.rows / seconds;
      run.counters["bytes_per_second"] = per_call.bytes / seconds;
      if (limit < std::numeric_limits<double>::infinity()) run.counters["share_of_limit"] = limit / seconds;
    }
    kept.push_back(run);
  }
  if (!kept.empty()) json_.ReportRuns(kept);
  json_file_.flush();
  return r;
}

}  // namespace bench
