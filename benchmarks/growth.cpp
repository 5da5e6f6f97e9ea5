#include "growth.hpp"

#include "shapes.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace bench {

namespace {

double extent_of(workload const& w) {
  return double(w.family == "growth_D" ? w.length : w.family == "growth_K" ? w.classes : w.rows);
}

/// The exponent of growth: least squares of log y over log x, over the larger half of the sizes. Calls and threads cost
/// the smaller ones more than the rows do.
template <class Points, class Y>
double slope(Points const& points, Y const& y) {
  std::size_t const first = points.size() / 2;
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (std::size_t i = first; i < points.size(); ++i) {
    double const u = std::log(points[i].extent), v = std::log(y(points[i]));
    ++n, sx += u, sy += v, sxx += u * u, sxy += u * v;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

}  // namespace

void growth_report::add(workload const& w, providers const& list, std::vector<timing> const& times,
                        amounts const& per_call) {
  if (w.family.empty()) return;
  if (w.family == "threads") {
    for (std::size_t k = 0; k < list.size(); ++k)
      if (list[k].name == "sage" || (list[k].name.rfind("sage ", 0) == 0 && list[k].threads > 1))
        seconds_by_threads_[name_of(w)][list[k].threads] = times[k].seconds;
    return;
  }
  std::string const name = name_of(w);
  curves_[name.substr(0, name.find('/', name.find('/') + 1))].push_back(
      {extent_of(w), seconds_of(times, "sage"), limits_of(list, times, per_call).seconds()});
}

std::vector<std::string> growth_report::print() const {
  std::vector<std::string> r;
  for (auto const& [name, points] : curves_) {
    std::printf("\n%s\n  %10s %12s %12s %12s\n", name.c_str(), "size", "us", "ns each", "limit us");
    for (auto const& p : points)
      std::printf("  %10.0f %12.2f %12.3f %12.2f\n", p.extent, p.seconds * 1e6, p.seconds / p.extent * 1e9,
                  p.limit * 1e6);
    if (points.size() < 4) continue;  // a filter left too few
    double const ours = slope(points, [](auto const& p) { return p.seconds; });
    double const machine = slope(points, [](auto const& p) { return p.limit; });
    std::printf("  time ~ size^%.2f, the limit ~ size^%.2f, over the larger half of the sizes\n", ours,
                machine);
    r.push_back(verdict(name, "exponent of growth", ours, std::max(1.0, machine) + growth_tolerance, false));
  }
  for (auto const& [name, seconds] : seconds_by_threads_) {
    std::printf("\n%s\n", name.c_str());
    for (auto const& [threads, t] : seconds)
      std::printf("  %2d thread%s %12.2f us %7.2f times as fast as one\n", threads, threads == 1 ? " " : "s",
                  t * 1e6, seconds.begin()->second / t);
  }
  std::fflush(stdout);
  return r;
}

}  // namespace bench
