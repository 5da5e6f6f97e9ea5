#include "loss/compare.hpp"

#include <sage/loss/contrastive.hpp>

#include <limits>
#include <vector>

namespace {

using namespace reference;

real pytorch_distance(row const& u, row const& v) { return euclidean(u, v, real(1e-6)); }

std::vector<int> alternating(index_t rows) {
  std::vector<int> y(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = i % 2 == 0;
  return y;
}

}  // namespace

// Margin 5 is between the distances of these rows: of the pairs that do not belong together some violate it.
TEST_CASE("Contrastive loss and gradients are those of differences of the definition") {
  for (index_t const length : edge_lengths) {
    auto const p = random_problem(2, 6, length, static_cast<std::uint64_t>(900 + length));
    auto const y = alternating(6);
    auto const expected = answers_of(p, true, [&](std::vector<row> const& x, index_t i) {
      return contrastive(half_square, pytorch_distance(x[0], x[1]), y[static_cast<std::size_t>(i)], 5);
    });
    for_each_executor([&](any_executor const& executor) {
      CAPTURE(executor.name(), length);
      compare<float, 2>(executor, sage::contrastive_loss<>{.margin = 5}, p, expected, arrangement::contiguous,
                        y);
      compare<double, 2>(executor, sage::contrastive_loss<>{.margin = 5}, p, expected, arrangement::pitched,
                         y);
    });
  }
}

TEST_CASE("The linear contrastive loss with a positive margin follows pytorch-metric-learning's formula") {
  auto const p = random_problem(2, 6, 7, 41);
  auto const y = alternating(6);
  auto const expected = answers_of(p, true, [&](std::vector<row> const& x, index_t i) {
    return contrastive(clamp, pytorch_distance(x[0], x[1]), y[static_cast<std::size_t>(i)], 4, real(0.5));
  });
  sage::contrastive_loss<sage::euclidean, sage::hinge::clamp> const loss{.margin = 4, .positive_margin = 0.5};
  compare<float, 2>(any_executor{any_executor::baseline}, loss, p, expected, arrangement::contiguous, y);
}

TEST_CASE("Equal rows that do not belong together have the loss of the whole margin and gradient 0") {
  sage::contrastive_loss<sage::euclidean_distance<sage::eps::none>> const loss{.margin = 3};
  std::vector<float> const x{1, 2, 3};
  std::vector<float> du(3, 9), dv(3, 9);
  CHECK(loss.value_and_grad(x, x, std::vector<int>{0}, du, dv).value == 4.5f);
  for (std::size_t j = 0; j < 3; ++j) CHECK((du[j] == 0 && dv[j] == 0));
  CHECK(loss(x, x, std::vector<int>{1}).value == 0);
}

TEST_CASE("Ignored pairs contribute nothing even if they hold NaN, and NaN in another pair stays there") {
  auto const p = random_problem(2, 4, 5, 42);
  auto u = to<float>(p.x[0]);
  auto const v = to<float>(p.x[1]);
  auto const view = [](auto& m) { return sage::strided_view{m.data(), sage::extents{4, 5}}; };
  sage::contrastive_loss<> const loss{.margin = 5, .reduction = sage::reduction::sum};
  std::vector<int> y{1, -100, 0, 1};
  std::vector<float> clean(20), g(20);
  auto const value = loss.value_and_grad(view(u), view(v), y, view(clean), sage::skip).value;
  u[7] = std::numeric_limits<float>::quiet_NaN();
  auto const r = loss.value_and_grad(view(u), view(v), y, view(g), sage::skip);
  CHECK(same_bits(r.value, value));
  CHECK(r.non_finite == 0);
  CHECK(same_bits(g, clean));
  y[1] = 1;
  CHECK(loss.value_and_grad(view(u), view(v), y, view(g), sage::skip).non_finite == 1);
  for (std::size_t j = 0; j < 20; ++j)
    if (j / 5 != 1) CHECK(same_bits(g[j], clean[j]));
}

TEST_CASE("Labels other than 0 and 1, and negative margins, are refused in a sentence") {
  std::vector<float> const x(8);
  sage::strided_view const v{x.data(), sage::extents{2, 4}};
  CHECK_THROWS_WITH(sage::contrastive_loss<>{}(v, v, std::vector<int>{0, 2}),
                    "contrastive_loss: labels[1] is 2, expected 0 <= label < 2 or the ignored index -100");
  CHECK_THROWS_WITH((sage::contrastive_loss<>{.margin = -1}(v, v, std::vector<int>{0, 1})),
                    "contrastive_loss: margin is -1, expected >= 0");
  CHECK_THROWS_WITH((sage::contrastive_loss<>{.positive_margin = -1}(v, v, std::vector<int>{0, 1})),
                    "contrastive_loss: positive_margin is -1, expected >= 0");
}
