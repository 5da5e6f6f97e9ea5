#include "loss/compare.hpp"

#include <limits>
#include <sage/loss/degradation.hpp>

#include <cmath>
#include <vector>

namespace {

using namespace reference;

real const beta = real(0.5);
real js(row const& p, row const& q) { return jensen_shannon(p, q, beta); }

// Float on the vectors and double on the scalar schedule: each check is a row program of its own to compile.
template <std::size_t Operands, class Loss>
void compare_both(Loss const& loss, problem const& p, answers const& expected) {
  CAPTURE(p.length);
  compare<float, Operands>(sage::exec::simd{}, loss, p, expected, arrangement::contiguous);
  compare<float, Operands>(sage::exec::simd{}, loss, p, expected, arrangement::strided);
  compare<double, Operands>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous);
}

}  // namespace

TEST_CASE("toward_uniform and its gradient are those of differences of the definition") {
  for (index_t const classes : {2, 3, 16, 33, 65}) {
    auto const p = random_problem(1, rows_for(classes), classes, static_cast<std::uint64_t>(classes), 2);
    auto const expected =
        answers_of(p, false, [](std::vector<row> const& x, index_t) { return toward_uniform(js, x[0], 2); });
    compare_both<1>(sage::degradation_loss<sage::toward_uniform<>>{.temperature = 2}, p, expected);
  }
}

TEST_CASE("toward_uniform vanishes with its gradient at equal logits, whatever they are") {
  std::vector<float> const z(6, -3.5f);
  std::vector<float> g(6, 1.0f);
  CHECK(sage::degradation_loss<>{}.value_and_grad(z, g).value == 0);
  for (float const d : g) CHECK(d == 0);
}

TEST_CASE("toward_uniform keeps its digits next to the uniform distribution") {
  // Perturbation 1e-5: the divergence is of order 1e-11, the textbook formula's error in float 1e-7.
  std::vector<double> const z = normal_values(10, 1, 1e-5);
  std::vector<float> const single = to<float>(z);
  real const expected = toward_uniform(js, row_of(z, 10, 0), 1);
  CHECK(relative(sage::degradation_loss<>{}(single).value, expected) <= tolerances<float>{}.jensen_shannon);
}

TEST_CASE("repel and its gradients are those of differences of the definition, active and not") {
  // Margin 0.3 among divergences between 0 and ln 2: both sides of the hinge occur.
  sage::degradation_loss<sage::repel<>> const loss{.check = {.margin = 0.3}};
  for (index_t const classes : {2, 7, 33, 65}) {
    auto const p = random_problem(2, 6, classes, static_cast<std::uint64_t>(classes));
    auto const expected = answers_of(
        p, true, [](std::vector<row> const& x, index_t) { return repel(js, x[0], x[1], 1, real(0.3)); });
    compare_both<2>(loss, p, expected);
  }
}

TEST_CASE("rank and its gradients are those of differences of the definition, active and not") {
  sage::degradation_loss<sage::rank<>> const loss{.temperature = 0.5, .check = {.margin = 0.1}};
  for (index_t const classes : {2, 7, 33, 65}) {
    auto const p = random_problem(3, 6, classes, static_cast<std::uint64_t>(classes));
    auto const expected = answers_of(p, true, [](std::vector<row> const& x, index_t) {
      return rank(js, x[0], x[1], x[2], real(0.5), real(0.1));
    });
    compare_both<3>(loss, p, expected);
  }
}

TEST_CASE("A check exactly on its hinge passes the gradient") {
  // Equal logits: the divergences are exactly 0, and with margin 0 the hinge is exactly 0; JS has no slope there, so
  // rank with x⁺ = x and x⁻ = x is 0 and inactive. With x⁺ and x⁻ equal but apart from x the slopes show.
  std::vector<double> const z{0, 1, 2}, apart{2, 0, 1};
  std::vector<double> d(3), plus(3), minus(3);
  auto const r = sage::degradation_loss<sage::rank<>>{.check = {.margin = 0}}.value_and_grad(
      sage::exec::scalar{}, z, apart, apart, d, plus, minus);
  CHECK(r.value == 0);
  CHECK(r.active == 0);
  std::vector<row> const at{{0, 1, 2}, {2, 0, 1}};
  auto const slope = gradient([](std::vector<row> const& x) { return js(softmax(x[0]), softmax(x[1])); }, at);
  relative_error e;
  for (std::size_t j = 0; j < 3; ++j) {
    CHECK(d[j] == 0);  // the two pull the image's logits to opposite sides
    CHECK(plus[j] == -minus[j]);
    e.add(plus[j], slope[1][j]);
  }
  CHECK(e.value() <= tolerances<double>{}.gradient);
}

TEST_CASE("Without a margin violated, repel has loss and gradient zero") {
  std::vector<float> const z{9, 0}, minus{0, 9};  // JS ≈ ln 2 > 0.1
  std::vector<float> g(2, 1.0f), h(2, 1.0f);
  auto const r = sage::degradation_loss<sage::repel<>>{}.value_and_grad(z, minus, g, h);
  CHECK((r.value == 0 && r.active == 0));
  CHECK((g[0] == 0 && g[1] == 0 && h[0] == 0 && h[1] == 0));
}

TEST_CASE("An inactive hinge has gradient 0, even where the divergence is infinite") {
  float const inf = std::numeric_limits<float>::infinity();
  std::vector<float> const z{0, 0}, plus{1, 0}, minus{0, -inf};
  std::vector<float> d(2, 42), d_plus(2, 42), d_minus(2, 42);
  sage::degradation_loss<sage::repel<sage::kullback_leibler>> const repel{};
  CHECK(repel.value_and_grad(z, minus, d, d_minus).value == 0);
  for (auto const& g : {d, d_minus})
    for (float const x : g) CHECK(x == 0);
  sage::degradation_loss<sage::rank<sage::kullback_leibler>> const rank{};
  CHECK(rank.value_and_grad(z, plus, minus, d, d_plus, d_minus).value == 0);
  for (auto const& g : {d, d_plus, d_minus})
    for (float const x : g) CHECK(x == 0);
}
