#include "reference/executors.hpp"
#include "catch.hpp"
#include "exec/census.hpp"
#include "reference/batch.hpp"

#include <sage/exec/executor.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

#if defined(__unix__)
#include <sys/wait.h>
#include <unistd.h>
#endif

// Executors know schedules and nothing of losses: they are tested with a row program of their own.

using namespace census_of_rows;

// Sums of small integers are exact: every instruction set gives what the definition gives, bit for bit.
TEST_CASE(
    "Every executor, with every instruction set, visits every element of every pass exactly once, at its own "
    "column, "
    "whatever the length of the rows and however they lie in memory") {
  for_each_executor([](any_executor const& executor) {
    CAPTURE(executor.name());
    auto const census_of = [&](index_t rows, index_t length, arrangement how) {
      take_census<float>(executor, rows, length, how);
      take_census<double>(executor, rows, length, how);
      take_census<float, keeping_census_formula>(executor, rows, length, how);
    };
    for (index_t const rows : {1, 2, 5, 16, 17, 33}) {
      census_of(rows, 0, arrangement::contiguous);
      for (index_t const length : edge_lengths) census_of(rows, length, arrangement::contiguous);
    }
    for (auto const how : all_arrangements)
      for (index_t const length : edge_lengths) census_of(9, length, how);
    // Few columns, of which several groups of rows are worked together, and all numbers of these.
    for (index_t const length : {1, 2, 3, 4, 5, 10, 31})
      for (index_t const rows : {63, 64, 65, 127, 130}) census_of(rows, length, arrangement::contiguous);
  });
}

TEST_CASE("The level of a simd executor is the widest instruction set it uses") {
  using enum sage::exec::isa;
  auto const width_of = [](sage::exec::isa level) {
    int bytes = 0;
    sage::exec::dispatch(level, [&](auto width) SAGE_INLINE_LAMBDA { bytes = decltype(width)::value; });
    return bytes;
  };
#if SAGE_X86_DISPATCH
  CHECK(width_of(baseline) == 16);
  CHECK(width_of(avx2) == (sage::exec::has_isa(avx2) ? 32 : 16));
  CHECK(width_of(avx512) == width_of(best));
#endif
  CHECK(width_of(best) == width_of(sage::exec::best_isa()));
}

TEST_CASE("Executors of blocks cover all rows of many blocks, and none twice") {
  for (index_t const length : {2, 31, 130})
    for (auto const kind : {any_executor::threads, any_executor::descending}) {
      index_t const rows = 150000 / length + 11;  // enough to wake threads; many blocks, the last one short
      take_census<float>(any_executor{kind}, rows, length, arrangement::contiguous);
    }
}

TEST_CASE("A parallel_for is given every block once, and none for a single block") {
  std::vector<int> calls;
  auto const counting = [&](index_t count, auto const& body) {
    for (index_t i = 0; i < count; ++i) calls.push_back(static_cast<int>(i)), body(i);
  };
  sage::exec::parallel const executor{counting};
  census<float> small(4, 8), large(5000, 10);
  executor(small.problem(true, sage::gradient_mode::write));
  CHECK(calls.empty());
  executor(large.problem(true, sage::gradient_mode::write));
  REQUIRE(calls.size() > 1);
  for (std::size_t i = 0; i < calls.size(); ++i) CHECK(calls[i] == static_cast<int>(i));
}

TEST_CASE("No rows are no work, for every executor") {
  for_each_executor([](any_executor const& executor) {
    census<float> c(0, 5);
    executor(c.problem(true, sage::gradient_mode::write));
    CHECK(c.losses.empty());
  });
}

TEST_CASE("Exact results agree bit for bit between all instruction sets") {
  // The census' sums are exact, so the schedule cannot show: any difference is a defect of a pack operation.
  std::vector<float> expected;
  for_each_executor([&](any_executor const& executor) {
    census<float> c(19, 45);
    executor(c.problem(true, sage::gradient_mode::write));
    auto all = c.losses;
    for (float const d : c.g.values()) all.push_back(d);
    if (expected.empty()) expected = all;
    CAPTURE(executor.name());
    CHECK(same_bits(all, expected));
  });
}

TEST_CASE(
    "A thread pool runs every task once, again and again, also when its callers are threads themselves") {
  sage::exec::thread_pool pool(3);
  CHECK(pool.size() == 3);
  CHECK(sage::exec::thread_pool(0).size() == 1);
  for (index_t const count : {0, 1, 2, 100}) {
    std::vector<std::atomic<int>> seen(static_cast<std::size_t>(count));
    for (int round = 0; round < 20; ++round)
      pool(count, [&](index_t i) { ++seen[static_cast<std::size_t>(i)]; });
    for (auto const& n : seen) CHECK(n == 20);
  }
  std::atomic<int> total = 0;
  {
    std::vector<std::thread> callers;
    for (int c = 0; c < 4; ++c)
      callers.emplace_back([&] {
        for (int round = 0; round < 50; ++round) pool(10, [&](index_t) { ++total; });
      });
    for (auto& t : callers) t.join();
  }
  CHECK(total == 4 * 50 * 10);
}

#if defined(__unix__)
TEST_CASE("A thread pool works in the child of a fork, where its threads are missing, and ends there") {
  auto pool = std::make_unique<sage::exec::thread_pool>(3);
  std::atomic<int> total = 0;
  (*pool)(50, [&](index_t) { ++total; });
  pid_t const child = fork();
  if (child == 0) {
    (*pool)(50, [&](index_t) { ++total; });
    pool.reset();
    _exit(total == 100 ? 0 : 1);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  (*pool)(50, [&](index_t) { ++total; });
  CHECK(total == 100);
}
#endif

// Run by ctest with SAGE_ISA in the environment, and what it must lead to in EXPECTED_ISA.
TEST_CASE("SAGE_ISA bounds the instruction set", "[.sage_isa]") {
  std::string_view const expected = std::getenv("EXPECTED_ISA");
  if (expected == "error") {
    CHECK_THROWS_WITH(sage::exec::best_isa(),
                      "the environment variable SAGE_ISA is 'avx', expected sse2, avx2 or avx512");
  } else {
    CHECK((sage::exec::best_isa() == sage::exec::isa::baseline) == (expected == "sse2"));
    CHECK(sage::exec::best_isa() <= (expected == "avx2" ? sage::exec::isa::avx2 : sage::exec::isa::avx512));
  }
}

TEST_CASE("The processor's instruction sets are nested, and the best one is among them") {
  using sage::exec::isa;
  CHECK(sage::exec::has_isa(isa::best));
  CHECK(sage::exec::has_isa(isa::baseline));
  CHECK(sage::exec::has_isa(sage::exec::best_isa()));
  CHECK((!sage::exec::has_isa(isa::avx512) || sage::exec::has_isa(isa::avx2)));
}

static_assert(sage::exec::executor<sage::exec::scalar> && sage::exec::executor<sage::exec::simd const&>);
static_assert(sage::exec::executor<sage::exec::threads> && sage::exec::executor<any_executor>);
static_assert(!sage::exec::executor<float> && !sage::exec::executor<std::vector<float>>);
static_assert(!sage::exec::executor<sage::strided_view<float, 2>>);
