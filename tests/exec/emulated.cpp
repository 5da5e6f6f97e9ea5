#include "catch.hpp"
#include "exec/census.hpp"
#include "exec/layouts.hpp"
#include "exec/threaded_launch.hpp"
#include "reference/batch.hpp"

#include <sage/exec/emulated.hpp>
#include <sage/exec/executor.hpp>
#include <sage/exec/simd.hpp>
#include <sage/formula/cross_entropy.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/softmax_divergence.hpp>
#include <sage/formula/triplet.hpp>
#include <sage/formula/two_class_jensen_shannon.hpp>

#include <cstdint>
#include <string>
#include <vector>

// The schedules of a GPU, on the host.

namespace {

using namespace census_of_rows;
using layouts::any_layout;
using layouts::for_each_layout;

/// The blocks of a launch from the last to the first.
struct descending_launch {
  template <class Work>
  void operator()(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    sage::exec::detail::row_scratch<unsigned char> shared(shared_bytes);
    for (index_t b = blocks; b-- > 0;)
      work(sage::exec::detail::emulated_block(b, blocks, threads, shared.data()));
  }
};

/// Rows of normal numbers, and what a launch makes of them: losses and gradients.
template <class Formula>
struct batch {
  index_t rows, length;
  std::vector<std::vector<float>> x, g;
  std::vector<float> losses;
  std::vector<sage::row_parameters<float>> parameters;
  sage::row_problem<Formula, float> p;

  batch(Formula const& formula, index_t rows_, index_t length_)
      : rows(rows_), length(length_), losses(static_cast<std::size_t>(rows_)) {
    p.formula = formula;
    p.rows = rows;
    p.length = length;
    for (int k = 0; k < Formula::inputs; ++k)
      x.push_back(to<float>(normal_values(rows * length, static_cast<std::uint64_t>(k))));
    g.assign(Formula::gradients, std::vector<float>(static_cast<std::size_t>(rows * length)));
    for (index_t i = 0; i < rows; ++i)
      parameters.push_back({1.0f + static_cast<float>(i), i % length, false});
    auto const view = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, length}}; };
    for (int k = 0; k < Formula::inputs; ++k)
      p.in[k] = sage::read_only(sage::as_rows(view(x[static_cast<std::size_t>(k)])));
    for (int k = 0; k < Formula::gradients; ++k)
      p.out[k] = {sage::as_rows(view(g[static_cast<std::size_t>(k)])), sage::gradient_mode::write};
    p.with_gradient = true;
    p.losses = losses.data();
    p.parameters = parameters.data();
  }

  template <class Launch>
  std::vector<float> run(Launch const& launch) {
    using namespace sage::exec::detail;
    auto const layout = any_layout::layout_of(shape_of(p));
    std::vector<float> states(static_cast<std::size_t>(part_bytes(p, layout)) / sizeof(float) + 1);
    launch_rows(launch, p, layout, reinterpret_cast<unsigned char*>(states.data()));
    std::vector<float> all = losses;
    for (auto const& v : g) all.insert(all.end(), v.begin(), v.end());
    return all;
  }
};

/// Calls f(formula) for one that has one pass, one that keeps values, and one with labels.
template <class F>
void for_some_formulas(F const& f) {
  f(sage::triplet_formula<sage::euclidean, true>{});
  f(sage::softmax_divergence<sage::jensen_shannon>{});
  f(sage::cross_entropy_formula{});
}

}  // namespace

TEST_CASE("Every layout visits every element of every pass exactly once, at its own column") {
  for_each_layout([] {
    CAPTURE(any_layout::name());
    sage::exec::emulated<any_layout> const executor;
    for (index_t const length : edge_lengths)
      for (index_t const rows : {1, 2, 5}) {
        take_census<float>(executor, rows, length, arrangement::contiguous);
        take_census<double>(executor, rows, length, arrangement::contiguous);
      }
    take_census<float>(executor, 3, 1100, arrangement::misaligned);
  });
}

TEST_CASE("A row may be divided among more blocks than it has elements") {
  any_layout::which = any_layout::most_divided;
  for (index_t const length : {1, 5, 33, 300})
    take_census<float>(sage::exec::emulated<any_layout>{}, 3, length, arrangement::contiguous);
  any_layout::which = any_layout::of_policy;
}

TEST_CASE("Chunks of 16 bytes have the right heads and tails, whatever the alignment and the stride") {
  for_each_layout([] {
    CAPTURE(any_layout::name());
    sage::exec::emulated<any_layout> const executor;
    for (auto const how : all_arrangements)
      for (index_t const length : {0, 1, 3, 4, 5, 33, 70}) {
        take_census<float>(executor, 5, length, how);
        take_census<double>(executor, 5, length, how);
      }
  });
}

TEST_CASE("A member of a group plays the same part as a thread of its own: the results agree bit for bit") {
  for_some_formulas([](auto const& formula) {
    for_each_layout([&] {
      for (index_t const length : {3, 300}) {
        batch one(formula, 3, length), other(formula, 3, length);
        CAPTURE(any_layout::name(), length);
        CHECK(same_bits(one.run(sage::exec::detail::emulated_launch{}), other.run(threaded_launch{})));
      }
    });
  });
}

TEST_CASE("No result depends on the order in which blocks run") {
  for_some_formulas([](auto const& formula) {
    for_each_layout([&] {
      batch one(formula, 9, 70), other(formula, 9, 70);
      CAPTURE(any_layout::name());
      CHECK(same_bits(one.run(sage::exec::detail::emulated_launch{}), other.run(descending_launch{})));
    });
  });
}

TEST_CASE("Passes that sum nothing are concluded in every layout as on the scalar executor") {
  sage::two_class_jensen_shannon const formula{.temperature = 0.5, .factor = 2};
  batch scalar(formula, 5, 2);
  sage::exec::scalar{}(scalar.p);
  REQUIRE(scalar.losses[0] > 0);
  for_each_layout([&] {
    batch one(formula, 5, 2);
    one.run(sage::exec::detail::emulated_launch{});
    CAPTURE(any_layout::name());
    CHECK(same_bits(one.losses, scalar.losses));
    CHECK(same_bits(one.g[0], scalar.g[0]));
    CHECK(same_bits(one.g[1], scalar.g[1]));
  });
}

TEST_CASE(
    "Members of a warp are joined as by shuffles: the first with the one half a warp further, and so on") {
  // The combiner writes down who was joined with whom: a state is an interval of a tree of additions, as text.
  struct written {
    std::string text = "";
  };
  struct joiner {
    void combine(written& a, written const& b) const { a.text = "(" + a.text + "+" + b.text + ")"; }
  };
  sage::exec::detail::emulated_group<8> const group{};
  sage::exec::detail::emulated_group<8>::own<written> part;
  for (int rank = 0; rank < 8; ++rank) part[rank].text = std::to_string(rank);
  CHECK(sage::exec::detail::combined<written>(group, joiner{}, part).text == "(((0+4)+(2+6))+((1+5)+(3+7)))");
}

static_assert(sage::exec::cooperative_group<sage::exec::detail::emulated_group<1>>);
static_assert(sage::exec::cooperative_group<sage::exec::detail::emulated_group<256>>);
static_assert(sage::exec::executor<sage::exec::emulated<>> &&
              !sage::exec::device_executor<sage::exec::emulated<>>);
static_assert(sage::exec::executor<sage::exec::emulated_device<>>);
static_assert(sage::exec::device_executor<sage::exec::emulated_device<>>);
static_assert(!sage::exec::device_executor<sage::exec::simd>);
