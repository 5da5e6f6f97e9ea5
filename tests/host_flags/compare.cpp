// Compares the answers of this translation unit, compiled with whatever flags, with the reference: of float, on every
// instruction set of this processor and on threads, and of double.
//
// Error: that of the whole answer, ‖x − r‖ / ‖r‖. Without a reference, counts what every call allocates.
// HOST_FLAGS_ENTRY names the function, so that objects of several flags can stand in one program.

#include "allocations.hpp"
#include "answers.hpp"

#include <sage/exec/threads.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>

// Prints what is wrong; the number of wrong answers. Null: what every call allocates, and the number of calls that
// allocate too much.
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

// Counts the allocations of every call, and calls that make more than is promised: none for `rows` that the stack has
// room for; else few, and of so many bytes for each row.
struct allocation_meter {
  int* excesses = nullptr;  // null: counts nothing
  long calls_allowed = 0;
  std::size_t bytes_allowed = 0;
  bool to_losses_of_rows = true;  // else only to those among samples, and of pictures

  template <class Call>
  auto operator()(std::string const& name, Call const& call) const {
    allocation_count const before = allocations();
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      count(name, before, allocations());
    } else {
      auto const result = call();
      count(name, before, allocations());
      return result;
    }
  }

 private:
  void count(std::string const& name, allocation_count before, allocation_count after) const {
    if (excesses == nullptr) return;
    long const calls = after.calls - before.calls;
    std::size_t const bytes = after.bytes - before.bytes;
    bool const is_of_rows = !name.starts_with("info nce") && !name.starts_with("mined triplet") &&
                            !name.starts_with("cam alignment");
    bool const none = is_of_rows && !to_losses_of_rows && calls > 0;
    bool const too_much = none || calls > calls_allowed || bytes > bytes_allowed;
    *excesses += too_much;
    if (calls > 0 || too_much)
      std::printf("%-50s %ld allocations, %zu bytes%s\n", name.c_str(), calls, bytes,
                  too_much ? ": too much" : "");
  }
};
constexpr allocation_meter unless_counted{};

template <class T, class Executor>
int compare(std::string const& what, std::vector<answer<long double>> const& reference,
            Executor const& executor, long double allowed) {
  int failures = 0;
  std::size_t next = 0;
  long double worst = 0;
  for (auto [rows, length] : host_flags::shapes) {
    for (auto const& a : host_flags::answers<T>(executor, rows, length, unless_counted)) {
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

// Batches of up to 512 rows, of up to 8192 values that a row is worked with, are worked on the stack. Beyond that, O(N)
// numbers (for losses among the samples of a batch 64 rows of N), and as many copies of the longest row as it has
// operands, gradients and kept values.
int excessive_allocations() {
  int excesses = 0;
  std::size_t calls = 0;
  auto const count = [&](std::size_t rows, std::size_t length, long calls_allowed, std::size_t bytes_allowed,
                         bool to_losses_of_rows = true) {
    using sage::exec::simd, sage::exec::threads;
    allocation_meter const meter{&excesses, calls_allowed, bytes_allowed, to_losses_of_rows};
    calls += host_flags::answers<float>(threads{1, simd{}}, rows, length, meter).size();
  };
  for (auto [rows, length] : host_flags::shapes) count(rows, length, 0, 0);
  count(512, 5, 6, 4096 * 512, false);
  count(1500, 5, 11, 4096 * 1500);
  count(3, 20000, 5, 128 * 20000);
  return calls > 0 ? excesses : 1;
}

}  // namespace

int HOST_FLAGS_ENTRY(char const* reference_file) {
  if (reference_file == nullptr) return excessive_allocations();
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
