#include "catch.hpp"
#include "reference/batch.hpp"

#include <sage/exec/parallel.hpp>
#include <sage/exec/threads.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <omp.h>

#include <cstddef>
#include <vector>

// A host that is itself parallel: losses inside its OpenMP regions, and OpenMP as the pool of exec::parallel.

namespace {

using namespace reference;

/// Any executor, so that the loss is compiled once.
struct on {
  enum { simd, threads, openmp } which;
  sage::exec::threads const* pool = nullptr;

  template <class Problem>
  void operator()(Problem const& p) const {
    if (which == simd) return sage::exec::simd{}(p);
    if (which == threads) return (*pool)(p);
    sage::exec::parallel{[](index_t count, auto const& body) {
#pragma omp parallel for schedule(dynamic)
      for (index_t i = 0; i < count; ++i) body(i);
    }}(p);
  }
};

/// Value and gradients of a batch of triplets.
struct triplets {
  index_t rows, length;
  std::vector<float> a, p, n;

  triplets(index_t rows_, index_t length_, std::uint64_t seed)
      : rows(rows_),
        length(length_),
        a(to<float>(normal_values(rows * length, seed))),
        p(to<float>(normal_values(rows * length, seed + 1))),
        n(to<float>(normal_values(rows * length, seed + 2))) {}

  std::vector<float> loss(on const& executor) const {
    std::vector<float> g[3]{a, p, n};
    auto const of = [this](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, length}}; };
    auto const r = sage::triplet_margin_loss<>{.margin = 1}.value_and_grad(executor, of(a), of(p), of(n),
                                                                           of(g[0]), of(g[1]), of(g[2]));
    std::vector<float> all{r.value};
    for (auto const& v : g) all.insert(all.end(), v.begin(), v.end());
    return all;
  }
};

// Each of four threads of the host computes losses of its own, three times; how many are not bit for bit the expected?
int wrong_in_a_region(on const& executor, triplets const& batch, std::vector<float> const& expected) {
  int wrong = 0;
#pragma omp parallel num_threads(4) reduction(+ : wrong)
  for (int round = 0; round < 3; ++round) wrong += !same_bits(batch.loss(executor), expected);
  return wrong;
}

}  // namespace

TEST_CASE("Inside a host's OpenMP region every executor gives the bits that it gives outside") {
  sage::exec::threads const pool(3);
  int teams = 0;
#pragma omp parallel num_threads(4) reduction(+ : teams)
  teams += omp_in_parallel() != 0;
  REQUIRE(teams == 4);               // else there is no region to be inside of
  for (int const levels : {1, 2}) {  // whether OpenMP's own loops divide again, inside
    omp_set_max_active_levels(levels);
    for (index_t const rows : {3, 700}) {  // little, and enough for blocks and for threads of ours
      triplets const batch(rows, 301, 5);
      auto const expected = batch.loss({on::simd});
      CHECK(same_bits(batch.loss({on::openmp}), expected));
      CHECK(wrong_in_a_region({on::simd}, batch, expected) == 0);
      CHECK(wrong_in_a_region({on::threads, &pool}, batch, expected) == 0);
      CHECK(wrong_in_a_region({on::openmp}, batch, expected) == 0);
    }
  }
}

TEST_CASE("An executor of threads may be made and ended inside an OpenMP region") {
  triplets const batch(700, 301, 6);
  auto const expected = batch.loss({on::simd});
  int wrong = 0;
#pragma omp parallel num_threads(3) reduction(+ : wrong)
  {
    sage::exec::threads const own(2);
    wrong += !same_bits(batch.loss({on::threads, &own}), expected);
  }
  CHECK(wrong == 0);
}
