// Prints the largest errors of the Jensen-Shannon consistency loss over everything that DESIGN section 5 names, the
// table of docs in loss/consistency.hpp; fails where the bound does not hold. Minutes: the 113-bit reference of
// 100 000 classes takes seconds.
//
//   jensen_shannon_table [largest number of classes]

#include "loss/jensen_shannon_errors.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

int main(int argc, char** argv) {
  using namespace jensen_shannon_errors;
  long const largest = argc > 1 ? std::atol(argv[1]) : 100000;
  double const temperatures[] = {1e-2, 1e-1, 1, 1e1, 1e2};
  double const betas[] = {0.1, 0.5, 0.9};
  bool holds = true;
  auto const print = [&](std::string const& what, errors const& f, errors const& d) {
    bool const good = f.within(bound<float>()) && d.within(bound<double>());
    holds = holds && good;
    std::printf("%-18s %8.1e %8.1e  %8.1e %8.1e  %5d of %5d  %5d%s\n", what.c_str(), f.value, f.gradient,
                d.value, d.gradient, f.saturated, 2 * f.cases, f.underflows, good ? "" : "  TOO LARGE");
    std::fflush(stdout);
  };
  std::printf("%-18s %17s  %17s  %14s  %5s\n", "", "float: l, gradient", "double: l, gradient", "saturated",
              "l ~ 0");
  errors by_decade[9][2], by_temperature[5][2], by_beta[3][2];
  for (index_t const classes : {1, 2, 3, 10, 100, 1000, 10000, 100000}) {
    if (classes > largest) continue;
    errors by_classes[2];
    for (int decade = -6; decade <= 2; ++decade)
      for (int t = 0; t < 5; ++t)
        for (int b = 0; b < 3; ++b) {
          errors e[2];
          measure(classes, decade, temperatures[t], betas[b],
                  classes <= 10    ? 40
                  : classes <= 100 ? 8
                                   : 1,
                  e[0], e[1]);
          for (int k = 0; k < 2; ++k) {
            by_classes[k].add(e[k]);
            by_decade[decade + 6][k].add(e[k]);
            by_temperature[t][k].add(e[k]);
            by_beta[b][k].add(e[k]);
          }
        }
    print("K = " + std::to_string(classes), by_classes[0], by_classes[1]);
  }
  for (int i = 0; i < 9; ++i)
    print("perturbation 1e" + std::to_string(i - 6), by_decade[i][0], by_decade[i][1]);
  for (int t = 0; t < 5; ++t)
    print("T = 1e" + std::to_string(t - 2), by_temperature[t][0], by_temperature[t][1]);
  for (int b = 0; b < 3; ++b)
    print("beta = 0." + std::to_string(4 * b + 1), by_beta[b][0], by_beta[b][1]);
  return holds ? 0 : 1;
}
