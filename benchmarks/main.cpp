#include "functions.hpp"
#include "growth.hpp"
#include "machine.hpp"
#include "matching.hpp"
#include "measure.hpp"
#include "peer.hpp"
#include "reference.hpp"
#include "report.hpp"
#include "shapes.hpp"

#include <sage/exec/isa.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <stdexcept>
#include <thread>

#include <unistd.h>

namespace {

using namespace bench;

template <class T>
providers providers_of(batch<T>& b, settings const& s, peers const& others) {
  providers list;
  add_sage(list, b, s);
  if constexpr (std::is_same_v<T, float>) {
#if SAGE_BENCH_EIGEN
    add_sage_eigen(list, b);
#endif
#if SAGE_BENCH_XTENSOR
    add_sage_xtensor(list, b);
#endif
#if SAGE_BENCH_LIBTORCH
    add_sage_libtorch(list, b);
#endif
#if SAGE_BENCH_OPENCV
    add_opencv(list, b);
#endif
  }
  int const threads_of_peers = s.shapes == selection::quick ? 1 : s.threads;
#if SAGE_BENCH_LIBTORCH
  add_libtorch(list, b, threads_of_peers);
#endif
  for (auto const& p : others) p->add(list, b, threads_of_peers);
  if constexpr (!is_narrow<T>) {
#if SAGE_BENCH_EIGEN
    add_eigen(list, b);
#endif
#if SAGE_BENCH_XTENSOR
    add_xtensor(list, b);
#endif
  }
  add_plain(list, b);
  add_limits(list, b);
  if (b.what.beyond_cache)
    for (auto& p : list)
      if (p.name == "sage") p.in_turns_with = {"limit", "limit non-temporal"};
  return list;
}

/// Every provider's answer against the reference, on outputs that held NaN before.
template <class T>
void check(providers& list, batch<T>& b) {
  answer const expected = reference_answer(b);
  for (auto& p : list) {
    if (p.is_limit) continue;
    for (auto const& x : b.sets[0].outputs)
      std::fill(x.data, x.data + x.size(), T(std::numeric_limits<float>::quiet_NaN()));
    if (p.before) p.before();
    auto const start = std::chrono::steady_clock::now();
    p.run(0);
    p.first_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (p.store) p.store(0);
    double value = 0;
    if (p.value) value = p.value();
    auto const wrong =
        disagreement(expected, b, p.value ? &value : nullptr, p.outputs.empty() ? written(b) : p.outputs);
    if (!wrong.empty()) throw std::runtime_error(name_of(b.what) + ": " + p.name + " is wrong: " + wrong);
  }
}

/// What one run is asked for, and what it works with.
struct run {
  settings how;
  std::string json;
  int repetitions = 7;
  double seconds = 0;
  peers others;
  std::unique_ptr<session> to;  // none where nothing is timed
  rates functions;
  growth_report growth;
};

/// Returns the targets that are held and missed.
template <class T>
std::vector<std::string> run_workload(std::string const& title, workload const& w, run& r) {
  batch<T> b(w, sets_of<T>(w, r.how.rotate_bytes));
  auto list = providers_of(b, r.how, r.others);
  check(list, b);
  if (!r.to) return {};
  amounts const per_call{double(w.rows), double(b.bytes), seconds_of_functions(w, r.functions)};
  auto const times = r.to->measure(name_of(w), list, b.sets.size(), per_call);
  print_table(title, list, times, per_call);
  r.growth.add(w, list, times, per_call);
  return verdicts(w, list, times, per_call);
}

/// Measures exp and its like, and returns the best rates.
rates run_functions(session* to) {
  rates best;
  for (auto const& f : function_benchmarks()) {
    for (auto const& p : f.list) {
      p.before();
      p.run(0);
      for (std::size_t i = 0; i < f.x.size(); ++i) {
        double const expected = f.exact(double(f.x[i]));
        if (!(std::abs(double(f.y[i]) - expected) <= 1e-6 * std::abs(expected)))
          throw std::runtime_error(f.name + ": " + p.name + " is wrong at " + std::to_string(f.x[i]));
      }
    }
    if (to == nullptr) continue;
    auto const times = to->measure(f.name, f.list, 1, {double(f.x.size()), 8.0 * double(f.x.size()), 0});
    print_functions(f.name, times, double(f.x.size()));
    for (auto const& t : times) {
      double const rate = double(f.x.size()) / t.seconds;
      if (f.name.starts_with("function/exp/")) best.exp = std::max(best.exp, rate);
      if (f.name.starts_with("function/log/")) best.log = std::max(best.log, rate);
    }
  }
  return best;
}

void describe_machine(run const& r) {
  float volatile tiny = std::numeric_limits<float>::min();
  tiny = tiny / 2;
  auto const add = [](std::string const& key, std::string const& value) {
    benchmark::AddCustomContext(key, value);
    std::printf("%-12s %s\n", key.c_str(), value.c_str());
  };
  static char const* const levels[] = {"best", "sse2", "avx2", "avx512"};
  add("processor", SAGE_BENCH_PROCESSOR);
  add("instructions", levels[int(sage::exec::best_isa())]);
  add("compiler", SAGE_BENCH_COMPILER);
  add("flags", SAGE_BENCH_FLAGS);
  add("commit", SAGE_BENCH_COMMIT);
  add("denormals", tiny > 0 ? "kept by all" : "flushed to zero");
  add("threads", std::to_string(r.how.threads));
  add("rotation", std::to_string(r.how.rotate_bytes >> 20) + " MiB where the name ends in /memory");
#if SAGE_BENCH_LIBTORCH
  add("LibTorch", libtorch_version());
#endif
  for (std::size_t k = 0; k < r.others.size(); ++k) add("peer " + std::to_string(k + 1), r.others[k]->name());
}

/// How long a workload takes, for those who wait: what every row costs, what peers that compile take, and what grows with
/// the tensors, as it was on two cores of an EPYC.
double rough_seconds(workload const& w, run const& r) {
  double const megabytes =
      1e-6 * double(w.loss == loss::blur_pair ? 12 * w.rows * w.channels * w.length * w.classes
                                              : bytes_of(w.loss, w.rows, w.length, w.classes));
  double const repetitions = double(r.repetitions) * r.seconds / 0.07;
  if (!w.family.empty()) return repetitions + 0.1 * megabytes;
  bool const is_compiled = !r.others.empty() && w.mode != mode::value && w.mode != mode::backward;
  return 2 * repetitions + (is_compiled ? 4 : 0) + 0.4 * megabytes;
}

void run_all(run& r, std::vector<workload> const& workloads) {
  for (auto const l : {loss::triplet, loss::consistency, loss::cross_entropy, loss::sage})
    if (!(gradient_error(l) < 1e-6)) throw std::runtime_error("the reference's gradient is not its value's");
  describe_machine(r);
  if (r.how.shapes != selection::smoke) {
    double expected = 0;
    for (auto const& w : workloads) expected += rough_seconds(w, r);
    std::printf("workloads: %zu, in some %.1f minutes\n", workloads.size(), expected / 60);
    r.to = std::make_unique<session>(r.json, r.repetitions, r.seconds);
  }
  r.functions = run_functions(r.to.get());
  std::vector<std::string> all;
  for (std::size_t k = 0; k < workloads.size(); ++k) {
    auto const& w = workloads[k];
    auto const title =
        name_of(w) + "  (" + std::to_string(k + 1) + " of " + std::to_string(workloads.size()) + ")";
    auto const lines =
        with_element(w, [&]<class T>(std::type_identity<T>) { return run_workload<T>(title, w, r); });
    all.insert(all.end(), lines.begin(), lines.end());
  }
  auto const lines = r.growth.print();
  all.insert(all.end(), lines.begin(), lines.end());
  std::printf("\n");
  for (auto const& line : all) std::printf("%s\n", line.c_str());
  if (!r.to) std::printf("every provider agrees with the reference, in %zu workloads\n", workloads.size());
}

int memory_mib() { return int(double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGE_SIZE)) / (1 << 20)); }

}  // namespace

int main(int argc, char** argv) try {
  run r;
  r.how.threads = int(std::max(1u, std::thread::hardware_concurrency()));
#if SAGE_BENCH_OPENMP
  r.how.openmp = openmp_region;
#endif
  r.json = "benchmarks.json";
  std::size_t rotate = 1024;
  std::string filter = ".";
  std::vector<std::string> commands;
  CLI::App app{"Times SAGE's losses beside LibTorch, Eigen, xtensor, OpenCV and the machine's limits"};
  app.footer(limits_explained);
  bool quick = false, growth = false, smoke = false, list = false;
  auto* const only_quick =
      app.add_flag("--quick", quick, "only the shapes that the project has set itself targets for");
  auto* const only_growth =
      app.add_flag("--growth", growth, "only the curves: growth with N, D, K and batch, and with threads")
          ->excludes(only_quick);
  app.add_flag("--smoke", smoke, "time nothing: compare every provider's answer with the reference")
      ->excludes(only_quick)
      ->excludes(only_growth);
  app.add_option("--filter", filter, "only workloads whose name matches this regular expression")
      ->type_name("REGEX");
  app.add_flag("--list", list, "print the names of the workloads, and nothing else");
  app.add_option("--json", r.json, "where the results go")->capture_default_str();
  app.add_option("--threads", r.how.threads, "of the rows with threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--repetitions", r.repetitions,
                 "of which the median counts; of what takes longer than 0.1 s, three at least")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", r.seconds,
                 "that one repetition takes at least (default 0.02 with --quick, else 0.01)")
      ->check(CLI::Range(1e-6, 100.0));
  app.add_option("--rotate-mib", rotate,
                 "memory that the sets of the shapes beyond the cache are spread over")
      ->capture_default_str()
      ->check(CLI::Range(1, memory_mib() / 2));
  app.add_option("--peer", commands,
                 "program that takes part in a process of its own (benchmarks/peer.hpp); repeatable")
      ->type_name("COMMAND")
      ->allow_extra_args(false);
  CLI11_PARSE(app, argc, argv);
  r.how.rotate_bytes = rotate << 20;
  r.how.shapes = quick    ? selection::quick
                 : growth ? selection::growth
                 : smoke  ? selection::smoke
                          : selection::all;
  if (r.seconds <= 0) r.seconds = quick ? 0.02 : 0.01;

  auto const workloads = matching(workloads_of(r.how.shapes), filter);
  if (list) {
    for (auto const& w : workloads) std::printf("%s\n", name_of(w).c_str());
    return 0;
  }
  char program[] = "sage_bench", interleave[] = "--benchmark_enable_random_interleaving=true";
  char* arguments[] = {program, interleave, nullptr};
  int count = 2;
  benchmark::Initialize(&count, arguments);
  for (auto const& command : commands) r.others.push_back(std::make_unique<peer>(command));
  run_all(r, workloads);
} catch (std::exception const& e) {
  std::fprintf(stderr, "sage_bench: %s\n", e.what());
  return 1;
}
