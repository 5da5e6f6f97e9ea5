// Compares the answers of this translation unit, compiled with whatever flags, with the reference: of float, on every
// instruction set of this processor and on threads, and of double.
//
// Error: that of the whole answer, ‖x − r‖ / ‖r‖. HOST_FLAGS_ENTRY names the function, so that objects of several
// flags can stand in one program.

#include "answers.hpp"

#include <sage/exec/threads.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>

// Prints what is wrong; the number of wrong answers.
int HOST_FLAGS_ENTRY(char const* reference_file);

namespace {

using host_flags::answer;

std::vector<answer<long double>> read(char const* path) {
  std::vector<answer<long double>> all;
  std::ifstream file(path);
  std::size_t count = 0;
  while (file >> count) {
    answer<long double> a{{}, std::vector<long double>(count)};
    for (long double& x : a.numbers) file >> x;
    file.get();
    std::getline(file, a.name);
    all.push_back(a);
  }
  return all;
}

template <class T>
long double error_of(std::vector<T> const& x, std::vector<long double> const& r) {
  long double difference = 0, norm = 0;
  for (std::size_t i = 0; i < r.size(); ++i) {
    long double const d = static_cast<long double>(x[i]) - r[i];
    difference += d * d;
    norm += r[i] * r[i];
  }
  // A reference of nothing but zeros agrees with anything that returns zeros: that is no comparison.
  return norm > 0 && x.size() == r.size() ? std::sqrt(difference / norm) : 1e9L;
}

template <class T, class Executor>
int compare(std::string const& what, std::vector<answer<long double>> const& reference,
            Executor const& executor, long double allowed) {
  int failures = 0;
  std::size_t next = 0;
  long double worst = 0;
  for (auto [rows, length] : host_flags::shapes) {
    for (auto const& a : host_flags::answers<T>(executor, rows, length)) {
      if (next == reference.size() || reference[next].name != a.name) {
        std::printf("%s: %s is not in the reference\n", what.c_str(), a.name.c_str());
        return 1;
      }
      long double const error = error_of(a.numbers, reference[next++].numbers);
      worst = error > worst ? error : worst;
      if (error < allowed) continue;  // so written, NaN is wrong
      ++failures;
      std::printf("%s: %s is wrong by %.2Lg\n", what.c_str(), a.name.c_str(), error);
    }
  }
  std::printf("%-16s %zu answers, worst error %.2Lg, allowed %.2Lg\n", what.c_str(), next, worst, allowed);
  return next == reference.size() && next > 0 ? failures : failures + 1;
}

}  // namespace

int HOST_FLAGS_ENTRY(char const* reference_file) {
  auto const reference = read(reference_file);
  constexpr long double in_float = 1e-5L, in_double = 1e-12L;

  using enum sage::exec::isa;
  constexpr std::pair<sage::exec::isa, char const*> levels[] = {
      {baseline, "float baseline"}, {avx2, "float avx2"}, {avx512, "float avx512"}};
  // One type of executor for all: every loss is compiled once for float. One thread is the caller's.
  using sage::exec::simd, sage::exec::threads;
  int failures = 0;
  for (auto const& [level, name] : levels)
    if (sage::exec::has_isa(level))
      failures += compare<float>(name, reference, threads{1, simd{level}}, in_float);
  failures += compare<float>("float threads", reference, threads{2}, in_float);
  failures += compare<double>("double scalar", reference, sage::exec::scalar{}, in_double);
  return failures;
}
