#include "report.hpp"

#include "shapes.hpp"

#include <cstdio>
#include <stdexcept>

namespace bench {

namespace {

double time_of(std::vector<device_timing> const& times, std::string const& provider) {
  for (auto const& t : times)
    if (t.provider == provider) return t.seconds;
  return 0;
}

std::string quoted(std::string const& text) {
  std::string r = "\"";
  for (char const c : text) {
    if (c == '"' || c == '\\') r += '\\';
    r += static_cast<unsigned char>(c) < ' ' ? ' ' : c;
  }
  return r + '"';
}

std::string number(double x) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9e", x);
  return text;
}

// Launch is compared with launch, graph with graph.
std::string ours_beside(std::string const& provider) {
  return provider.ends_with(" graph") ? "sage graph" : "sage";
}

std::string verdict(std::string const& name, std::string const& what, double got, double target) {
  char line[256];
  std::snprintf(line, sizeof line, "%-6s %-48s %-48s %8.2f (target >= %g)",
                got >= target ? "holds" : "MISSED", name.c_str(), what.c_str(), got, target);
  return line;
}

}  // namespace

device_results::device_results(std::string const& path, context_entries const& context) : file_(path) {
  if (!file_) throw std::runtime_error("cannot write " + path);
  file_ << "{\n  \"context\": {\n    \"executable\": \"sage_bench_cuda\"";
  for (auto const& [key, value] : context) file_ << ",\n    " << quoted(key) << ": " << quoted(value);
  file_ << "\n  },\n  \"benchmarks\": [";
}

device_results::~device_results() { file_ << "\n  ]\n}\n"; }

void device_results::add(repeated_batch const& b, std::vector<device_timing> const& times,
                         rotation const& r) {
  double const copy = time_of(times, "limit copy");
  for (auto const& t : times) {
    std::string const name = name_of(b.what) + "/" + t.provider;
    for (bool const is_median : {true, false}) {
      file_ << (is_first_ ? "\n" : ",\n")
            << "    {\n      \"name\": " << quoted(name + (is_median ? "_median" : "_cv"))
            << ",\n      \"run_name\": " << quoted(name)
            << ",\n      \"run_type\": \"aggregate\",\n      \"repetitions\": " << t.repetitions
            << ",\n      \"threads\": 1,\n      \"aggregate_name\": " << (is_median ? "\"median\"" : "\"cv\"")
            << ",\n      \"aggregate_unit\": " << (is_median ? "\"time\"" : "\"percentage\"")
            << ",\n      \"iterations\": " << t.runs
            << ",\n      \"real_time\": " << number(is_median ? t.seconds * 1e6 : t.variation)
            << ",\n      \"cpu_time\": " << number(is_median ? t.seconds * 1e6 : t.variation)
            << ",\n      \"time_unit\": \"us\"";
      if (is_median) {
        file_ << ",\n      \"sets\": " << r.sets
              << ",\n      \"beyond_cache\": " << (r.beyond_cache ? "true" : "false")
              << ",\n      \"bytes\": " << b.bytes()
              << ",\n      \"rows_per_second\": " << number(double(b.rows()) / t.seconds)
              << ",\n      \"bytes_per_second\": " << number(double(b.bytes()) / t.seconds);
        if (copy > 0) file_ << ",\n      \"share_of_limit\": " << number(copy / t.seconds);
      }
      file_ << "\n    }";
      is_first_ = false;
    }
  }
  file_.flush();
}

void print_device_table(std::string const& title, repeated_batch const& b,
                        std::vector<device_timing> const& times, rotation const& r) {
  double const copy = time_of(times, "limit copy");
  std::printf("\n%s   %.4g MB, %zu sets%s\n  %-40s %12s %7s %12s %9s %7s %12s\n", title.c_str(),
              double(b.bytes()) * 1e-6, r.sets, r.beyond_cache ? "" : ", within the cache", "", "us", "+- %",
              "rows/s", "GB/s", "copy", "sage faster");
  for (auto const& t : times) {
    std::printf("  %-40s %12.2f %7.1f %12.4g %9.1f %6.0f%% ", t.provider.c_str(), t.seconds * 1e6,
                t.variation * 100, double(b.rows()) / t.seconds, double(b.bytes()) / t.seconds * 1e-9,
                100 * copy / t.seconds);
    bool const is_peer = t.provider.rfind("sage", 0) != 0 && t.provider.rfind("limit", 0) != 0;
    if (is_peer) {
      std::printf("%11.2fx\n", t.seconds / time_of(times, ours_beside(t.provider)));
    } else {
      std::printf("\n");
    }
  }
  std::fflush(stdout);
}

std::vector<std::string> device_verdicts(repeated_batch const& b, std::vector<device_timing> const& times,
                                         rotation const& r) {
  std::vector<std::string> lines;
  std::string const name = name_of(b.what);
  if (b.bytes() >= large_bytes && r.beyond_cache)
    lines.push_back(verdict(name, "of the speed of a device copy",
                            time_of(times, "limit copy") / time_of(times, "sage"), copy_target));
  for (auto const& t : times)
    if (t.provider.find(" compiled") != std::string::npos)
      lines.push_back(verdict(name, "times faster than " + t.provider,
                              t.seconds / time_of(times, ours_beside(t.provider)), 1));
  return lines;
}

}  // namespace bench
