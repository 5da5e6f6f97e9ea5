#include "functions.hpp"
#include "machine.hpp"
#include "measure.hpp"
#include "reference.hpp"
#include "report.hpp"
#include "shapes.hpp"

#include <sage/exec/isa.hpp>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <limits>
#include <regex>
#include <stdexcept>
#include <thread>

namespace {

using namespace bench;

template <class T>
providers providers_of(batch<T>& b, settings const& s) {
  providers list;
  add_sage(list, b, s);
  if constexpr (sizeof(T) == 4) {
#if SAGE_BENCH_EIGEN
    add_sage_eigen(list, b);
#endif
#if SAGE_BENCH_XTENSOR
    add_sage_xtensor(list, b);
#endif
#if SAGE_BENCH_LIBTORCH
    add_sage_libtorch(list, b, s);
#endif
#if SAGE_BENCH_OPENCV
    add_opencv(list, b);
#endif
  }
#if SAGE_BENCH_LIBTORCH
  add_libtorch(list, b, s);
#endif
#if SAGE_BENCH_EIGEN
  add_eigen(list, b);
#endif
#if SAGE_BENCH_XTENSOR
  add_xtensor(list, b);
#endif
  add_plain(list, b);
  add_limits(list, b);
  return list;
}

/// Every provider's answer against the reference, on outputs that held NaN before.
template <class T>
void check(providers const& list, batch<T>& b) {
  answer const expected = reference_answer(b);
  for (auto const& p : list) {
    if (p.is_limit) continue;
    for (auto const& x : b.sets[0].outputs)
      std::fill(x.data, x.data + x.size(), std::numeric_limits<T>::quiet_NaN());
    if (p.before) p.before();
    p.run(0);
    if (p.store) p.store(0);
    double value = 0;
    if (p.value) value = p.value();
    auto const wrong =
        disagreement(expected, b, p.value ? &value : nullptr, p.outputs.empty() ? written(b) : p.outputs);
    if (!wrong.empty()) throw std::runtime_error(name_of(b.what) + ": " + p.name + " is wrong: " + wrong);
  }
}

/// How many exps and logs one element of the inputs needs at least: of each softmax an exp, of each log m a log.
double functions_per_call(workload const& w) {
  double const logits = double(w.rows * w.classes);
  switch (w.loss) {
    case loss::consistency:
      return 4 * logits;  // p, q, log(p/m), log(q/m)
    case loss::cross_entropy:
      return logits;
    case loss::sage:
      return w.is_double ? 0 : 6 * logits;
    default:
      return 0;
  }
}

template <class T>
std::vector<std::string> run_workload(workload const& w, settings const& s, session* to,
                                      double exps_per_second) {
  batch<T> b(w, s.rotate_bytes);
  auto const list = providers_of(b, s);
  check(list, b);
  if (to == nullptr) return {};
  amounts per_call{double(w.rows), double(b.bytes), 0};
  if (!w.is_double) per_call.limit_of_functions = functions_per_call(w) / exps_per_second;
  auto const times = to->measure(name_of(w), list, b.sets.size(), per_call);
  print_table(w, list, times, per_call);
  return verdicts(w, list, times, per_call);
}

/// Measures exp and its like, and returns the best exp's rate.
double run_functions(session* to) {
  double best = 0;
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
    if (f.name.rfind("function/exp/", 0) == 0)
      for (auto const& t : times) best = std::max(best, double(f.x.size()) / t.seconds);
  }
  return best;
}

void describe_machine(settings const& s) {
  float volatile tiny = std::numeric_limits<float>::min();
  tiny = tiny / 2;
  auto const add = [](char const* key, std::string const& value) {
    benchmark::AddCustomContext(key, value);
    std::printf("%-12s %s\n", key, value.c_str());
  };
  static char const* const levels[] = {"best", "sse2", "avx2", "avx512"};
  add("processor", SAGE_BENCH_PROCESSOR);
  add("instructions", levels[int(sage::exec::best_isa())]);
  add("compiler", SAGE_BENCH_COMPILER);
  add("flags", SAGE_BENCH_FLAGS);
  add("commit", SAGE_BENCH_COMMIT);
  add("denormals", tiny > 0 ? "kept by all" : "flushed to zero");
  add("threads", std::to_string(s.threads));
  add("rotation", std::to_string(s.rotate_bytes >> 20) + " MiB where the name ends in /memory");
#if SAGE_BENCH_LIBTORCH
  add("LibTorch", libtorch_version());
#endif
}

void run_all(settings const& s, std::string const& filter, std::string const& json, int repetitions,
             double seconds) {
  for (auto const l : {loss::triplet, loss::consistency, loss::cross_entropy, loss::sage})
    if (!(gradient_error(l) < 1e-6)) throw std::runtime_error("the reference's gradient is not its value's");
  describe_machine(s);
  std::unique_ptr<session> to;
  if (!s.smoke) to = std::make_unique<session>(json, repetitions, seconds);
  double const exps_per_second = run_functions(to.get());
  std::regex const wanted(filter);
  std::vector<std::string> all;
  bool is_any = false;
  for (auto const& w : s.smoke ? smoke_workloads() : s.quick ? quick_workloads() : all_workloads()) {
    if (!std::regex_search(name_of(w), wanted)) continue;
    is_any = true;
    auto const r = w.is_double ? run_workload<double>(w, s, to.get(), exps_per_second)
                               : run_workload<float>(w, s, to.get(), exps_per_second);
    all.insert(all.end(), r.begin(), r.end());
  }
  if (!is_any) throw std::runtime_error("no workload's name matches " + filter);
  std::printf("\n");
  for (auto const& line : all) std::printf("%s\n", line.c_str());
  if (s.smoke) std::printf("every provider agrees with the reference\n");
}

}  // namespace

int main(int argc, char** argv) try {
  std::vector<char*> arguments(argv, argv + argc);
  char interleave[] = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleave);
  int count = int(arguments.size());
  benchmark::Initialize(&count, arguments.data());

  settings s{.threads = int(std::max(1u, std::thread::hardware_concurrency()))};
  std::string json = "benchmarks.json";
  int repetitions = 7;
  double seconds = 0;
  std::size_t rotate = 1024;
  CLI::App app{"Times SAGE's losses beside LibTorch, Eigen, xtensor, OpenCV and the machine's limits"};
  app.add_flag("--quick", s.quick, "the shapes that the project has set itself targets for, in two minutes");
  app.add_flag("--smoke", s.smoke, "times nothing; compares every provider's answer with the reference");
  app.add_option("--json", json, "where the results go")->capture_default_str();
  app.add_option("--threads", s.threads, "of the rows with threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 1024));
  app.add_option("--repetitions", repetitions, "of which the median counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", seconds,
                 "that one repetition takes at least (default 0.02, or 0.01 with all shapes)");
  app.add_option("--rotate-mib", rotate,
                 "memory that the inputs of the shapes beyond the cache are spread over")
      ->capture_default_str();
  app.footer("Google Benchmark's --benchmark_filter=REGEX chooses workloads by name.");
  CLI11_PARSE(app, count, arguments.data());
  s.rotate_bytes = rotate << 20;
  if (seconds <= 0) seconds = s.quick ? 0.02 : 0.01;

  auto const filter = benchmark::GetBenchmarkFilter();
  run_all(s, filter.empty() || filter == "all" ? "." : filter, json, repetitions, seconds);
} catch (std::exception const& e) {
  std::fprintf(stderr, "sage_bench: %s\n", e.what());
  return 1;
}
