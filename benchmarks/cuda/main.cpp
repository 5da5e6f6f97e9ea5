// Losses and the blurred pair on a CUDA device, beside a copy of as many bytes, and beside PyTorch where a peer is named:
// `cmake/run.sh bench --cuda`.
//
// Every answer is compared with the host's before it is timed. Times are those of events around batches of calls, which
// walk through equal sets of tensors that reach beyond the second-level cache, if any number of them does.

#include "device.hpp"
#include "report.hpp"
#include "shapes.hpp"

#include "../matching.hpp"
#include "../peer.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <exception>
#include <fstream>
#include <memory>
#include <numeric>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace {

using namespace bench;

struct run {
  cudaDeviceProp device{};
  std::string json = "benchmarks.json";
  int repetitions = 11;
  double seconds = 0.02;  // of a repetition, at least
  bool compares_only = false;
  int compared = 0;  // workloads
  peers others;
  std::optional<device_results> results;
};

/// One way of doing a workload.
struct contender {
  std::string name;
  std::function<double(index runs)> seconds;
};

/// Repetitions of all of them in turn, so that what slows the device slows all.
std::vector<device_timing> timings(std::vector<contender> const& list, index sets, run const& r) {
  std::vector<device_timing> times;
  std::vector<std::vector<double>> all(list.size());
  for (auto const& c : list) {
    double const once = c.seconds(sets) / double(sets);  // warms up, too
    index const wanted = once > 0 ? index(std::min(1e6, r.seconds / once)) + 1 : 1000;
    times.push_back({c.name, 0, 0, (wanted + sets - 1) / sets * sets, r.repetitions});
  }
  for (int repetition = 0; repetition < r.repetitions; ++repetition)
    for (std::size_t k = 0; k < list.size(); ++k)
      all[k].push_back(list[k].seconds(times[k].runs) / double(times[k].runs));
  for (std::size_t k = 0; k < list.size(); ++k) {
    auto& x = all[k];
    std::sort(x.begin(), x.end());
    double const n = double(x.size()), mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
    double squares = 0;
    for (double const t : x) squares += (t - mean) * (t - mean);
    std::size_t const middle = x.size() / 2;
    times[k].seconds = x.size() % 2 == 1 ? x[middle] : 0.5 * (x[middle - 1] + x[middle]);
    times[k].variation = x.size() > 1 && mean > 0 ? std::sqrt(squares / (n - 1)) / mean : 0;
  }
  return times;
}

void require_right(repeated_batch const& b, std::string const& provider, std::string const& wrong) {
  if (!wrong.empty()) throw std::runtime_error(name_of(b.what) + ": " + provider + " is wrong: " + wrong);
}

/// Compares, and times unless that is all that is wanted. The memory is free again for the peers when it returns.
std::vector<device_timing> time_sage(repeated_batch const& b, run const& r, rotation& to) {
  device_sets const sets(b, r.device);
  to = {sets.count(), sets.beyond_cache()};
  if (to.sets == 0) return {};
  require_right(b, "sage", sets.disagreement(0));
  if (to.sets > 1) require_right(b, "sage", sets.disagreement(to.sets - 1));
  if (r.compares_only) return {};
  auto const launch = [&](std::size_t set, cudaStream_t stream) { sets.launch(set, stream); };
  auto const copy = [&](std::size_t set, cudaStream_t stream) { sets.copy(set, stream); };
  timed_work launches(launch, to.sets, timed_work::way::launches),
      graph(launch, to.sets, timed_work::way::graph), copies(copy, to.sets, timed_work::way::graph);
  return timings({{"sage", [&](index n) { return launches.seconds(n); }},
                  {"sage graph", [&](index n) { return graph.seconds(n); }},
                  {"limit copy", [&](index n) { return copies.seconds(n); }}},
                 index(to.sets), r);
}

void write_inputs(repeated_batch const& b, std::string const& folder) {
  std::ofstream inputs(folder + "/inputs", std::ios::binary), labels(folder + "/labels", std::ios::binary);
  for (auto const& x : b.inputs)
    inputs.write(reinterpret_cast<char const*>(x.data()), std::streamsize(x.size() * sizeof(float)));
  labels.write(reinterpret_cast<char const*>(b.labels.data()),
               std::streamsize(b.labels.size() * sizeof(std::int64_t)));
  if (!inputs.flush() || !labels.flush()) throw std::runtime_error("cannot write to " + folder);
}

std::string disagreement_of_answer(repeated_batch const& b, std::string const& folder) {
  std::ifstream from(folder + "/answer", std::ios::binary);
  double value = 0;
  from.read(reinterpret_cast<char*>(&value), sizeof value);
  std::vector<std::vector<float>> outputs;
  for (index const columns : b.output_columns) {
    outputs.emplace_back(std::size_t(b.period * columns));
    from.read(reinterpret_cast<char*>(outputs.back().data()),
              std::streamsize(outputs.back().size() * sizeof(float)));
  }
  if (!from) return "it answered too little";
  std::vector<index> rows(std::size_t(b.period));
  std::iota(rows.begin(), rows.end(), index(0));
  return b.disagreement(value, outputs, rows);
}

std::vector<device_timing> time_peer(repeated_batch const& b, peer& p, std::size_t sets, run const& r) {
  write_inputs(b, p.folder());
  std::istringstream names(
      p.ask("open " + name_of(b.what) + " " + std::to_string(sets) + " 1 " + p.folder()));
  std::vector<contender> list;
  for (std::string name; std::getline(names, name, '\t');) {
    std::string const k = std::to_string(list.size());
    p.ask("answer " + k);
    require_right(b, name, disagreement_of_answer(b, p.folder()));
    list.push_back(
        {name, [&p, k](index n) { return std::stod(p.ask("time " + k + " " + std::to_string(n))); }});
  }
  auto times = r.compares_only ? std::vector<device_timing>{} : timings(list, index(sets), r);
  p.ask("close");
  return times;
}

/// Returns the targets that are held and missed.
std::vector<std::string> run_workload(device_workload const& w, std::string const& title, run& r) {
  repeated_batch const b(w);
  rotation how;
  auto times = time_sage(b, r, how);
  if (how.sets == 0) {
    std::printf("\n%s   left out: %.4g MB for one set of tensors, and the device has less to spare\n",
                title.c_str(), double(b.bytes()) * 1e-6);
    return {};
  }
  for (auto const& p : r.others) {
    auto const more = time_peer(b, *p, how.sets, r);
    times.insert(times.end(), more.begin(), more.end());
  }
  ++r.compared;
  if (r.compares_only) return {};
  r.results->add(b, times, how);
  print_device_table(title, b, times, how);
  return device_verdicts(b, times, how);
}

/// "580.65.06, ", where the driver tells.
std::string driver_release() {
  std::ifstream file("/proc/driver/nvidia/version");
  std::string line;
  std::getline(file, line);
  std::smatch found;
  return std::regex_search(line, found, std::regex("[0-9]+[.][0-9.]+")) ? found.str() + ", " : "";
}

std::string version(int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); }

context_entries context_of(run const& r) {
  int driver = 0, runtime = 0, clock = 0, memory_clock = 0;
  require(cudaDriverGetVersion(&driver), "the driver");
  require(cudaRuntimeGetVersion(&runtime), "the runtime");
  require(cudaDeviceGetAttribute(&clock, cudaDevAttrClockRate, 0), "the clock");
  require(cudaDeviceGetAttribute(&memory_clock, cudaDevAttrMemoryClockRate, 0), "the clock");
  auto const& d = r.device;
  context_entries c{
      {"processor", d.name},
      {"instructions", "compute capability " + std::to_string(d.major) + "." + std::to_string(d.minor)},
      {"multiprocessors", std::to_string(d.multiProcessorCount)},
      {"memory", std::to_string(d.totalGlobalMem >> 20) + " MiB, cache " +
                     std::to_string(d.l2CacheSize >> 10) + " KiB"},
      {"clock",
       std::to_string(clock / 1000) + " MHz, memory " + std::to_string(memory_clock / 1000) + " MHz"},
      {"driver", driver_release() + "CUDA " + version(driver)},
      {"runtime", "CUDA " + version(runtime)},
      {"compiler", SAGE_BENCH_COMPILER},
      {"flags", SAGE_BENCH_FLAGS},
      {"commit", SAGE_BENCH_COMMIT}};
  for (std::size_t k = 0; k < r.others.size(); ++k)
    c.emplace_back("peer " + std::to_string(k + 1), r.others[k]->name());
  return c;
}

void run_all(run& r, std::vector<device_workload> const& workloads) {
  auto const context = context_of(r);
  for (auto const& [key, value] : context) std::printf("%-16s %s\n", key.c_str(), value.c_str());
  if (!r.compares_only) r.results.emplace(r.json, context);
  std::vector<std::string> all;
  for (std::size_t k = 0; k < workloads.size(); ++k) {
    auto const title = name_of(workloads[k]) + "  (" + std::to_string(k + 1) + " of " +
                       std::to_string(workloads.size()) + ")";
    auto const lines = run_workload(workloads[k], title, r);
    all.insert(all.end(), lines.begin(), lines.end());
  }
  std::printf("\n");
  for (auto const& line : all) std::printf("%s\n", line.c_str());
  if (r.compares_only) std::printf("every answer agrees with the host's, in %d workloads\n", r.compared);
}

}  // namespace

int main(int argc, char** argv) try {
  run r;
  std::string filter = ".";
  std::vector<std::string> commands;
  bool list = false;
  CLI::App app{"Times SAGE's losses on a CUDA device, beside a copy of as many bytes and beside PyTorch"};
  app.add_flag("--smoke", r.compares_only, "time nothing: compare every answer with the host's");
  app.add_option("--filter", filter, "only workloads whose name matches this regular expression")
      ->type_name("REGEX");
  app.add_flag("--list", list, "print the names of the workloads, and nothing else");
  app.add_option("--json", r.json, "where the results go")->capture_default_str();
  app.add_option("--repetitions", r.repetitions, "of which the median counts")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", r.seconds, "that one repetition takes at least")
      ->capture_default_str()
      ->check(CLI::Range(1e-6, 100.0));
  app.add_option("--peer", commands,
                 "program that takes part in a process of its own (benchmarks/peer.hpp), as "
                 "\"python3 benchmarks/torch_compile.py --device cuda\"; repeatable")
      ->type_name("COMMAND")
      ->allow_extra_args(false);
  CLI11_PARSE(app, argc, argv);

  auto const workloads = matching(device_workloads(), filter);
  if (list) {
    for (auto const& w : workloads) std::printf("%s\n", name_of(w).c_str());
    return 0;
  }
  int devices = 0;
  if (auto const e = cudaGetDeviceCount(&devices); e != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "sage_bench_cuda: no GPU to measure: %s\n",
                 e != cudaSuccess ? cudaGetErrorString(e) : "no CUDA device");
    return 77;
  }
  require(cudaGetDeviceProperties(&r.device, 0), "the device");
  for (auto const& command : commands) r.others.push_back(std::make_unique<peer>(command));
  run_all(r, workloads);
  return 0;
} catch (std::exception const& e) {
  std::fprintf(stderr, "sage_bench_cuda: %s\n", e.what());
  return 1;
}
