#include "loss/compare.hpp"
#include "loss/marked.hpp"
#include "reference/logit_losses.hpp"

#include <sage/loss/consistency.hpp>
#include <sage/loss/degradation.hpp>
#include <sage/loss/divergences.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

namespace {

using namespace reference;

float const inf = std::numeric_limits<float>::infinity();

// Logits of standard deviation 2, and others at a perturbation of the given size.
problem near_pairs(index_t rows, index_t classes, double perturbation, std::uint64_t seed) {
  problem p{rows,
            classes,
            {normal_values(rows * classes, seed, 2), normal_values(rows * classes, seed + 1, perturbation)}};
  for (std::size_t j = 0; j < p.x[0].size(); ++j) p.x[1][j] = static_cast<float>(p.x[0][j] + p.x[1][j]);
  return p;
}

// The largest errors of one divergence over perturbations of its logits, numbers of classes and temperatures.
struct worst {
  double value = 0, gradient = 0;
  int compared = 0;  // gradients that are not lost in the rounding of the value
};

// What a divergence is of one pair of rows, by its definition.
struct answer {
  real value;
  std::vector<row> gradients;
  int exact;  // the operand whose gradient is the difference of the distributions alone; −1 for none
};

template <class T, class Executor, class Loss>
void measure(Executor const& executor, Loss const& loss, problem const& p, answer const& expected, worst& w) {
  tolerances<T> const tolerance;
  auto const z = to<T>(p.x[0]), other = to<T>(p.x[1]);
  std::vector<T> g[2]{std::vector<T>(z.size()), std::vector<T>(z.size())};
  T const value = loss.value_and_grad(executor, z, other, g[0], g[1]).value;
  // The definitions cancel in 113 bits too: they are off by some 2^−113, their differences by that over
  // 2^−24.
  real const resolution = 0x1p-106;
  relative_error of_value;
  of_value.add(value, expected.value);
  w.value = std::max(w.value, of_value.value(resolution));
  CHECK(value >= 0);
  CHECK(of_value.value(resolution) <= tolerance.jensen_shannon);
  for (std::size_t k = 0; k < 2; ++k) {
    relative_error e;
    for (std::size_t j = 0; j < z.size(); ++j) e.add(g[k][j], expected.gradients[k][j]);
    // p (log ratio − divergence): saturated, what is left is rounding of the value's order, see tolerances.
    real const order = static_cast<int>(k) == expected.exact ? real(0) : expected.value;
    real const rounding =
        tolerance.jensen_shannon_cancellation * order / real(loss.temperature) + resolution * (1 << 24);
    CAPTURE(k);
    if (rounding >= e.norm() / 2) {
      CHECK(e.difference() <= rounding + e.norm());
    } else {
      ++w.compared;
      w.gradient = std::max(w.gradient, e.value(rounding));
      CHECK(e.value(rounding) <= tolerance.jensen_shannon);
    }
  }
}

template <class Divergence>
void sweep(char const* name, Divergence const& of, divergence const& definition, int exact = -1,
           int first = -6) {
  worst single, twice;
  for (int decade = first; decade <= 2; ++decade)
    for (index_t const classes : {2, 7, 20})
      for (double const temperature : {0.5, 2.0}) {
        auto const p =
            near_pairs(1, classes, std::pow(10, decade), static_cast<std::uint64_t>(100 + classes + decade));
        auto const f = [&](std::vector<row> const& x) {
          return definition(softmax(x[0], real(temperature)), softmax(x[1], real(temperature)));
        };
        answer const expected{f(p.at(0)), gradient(f, p.at(0)), exact};
        sage::consistency_loss<Divergence> const loss{.temperature = temperature, .divergence = of};
        CAPTURE(decade, classes, temperature);
        measure<float>(sage::exec::simd{}, loss, p, expected, single);
        measure<double>(sage::exec::scalar{}, loss, p, expected, twice);
      }
  CHECK(single.compared > 40);
  if (std::getenv("SAGE_REPORT"))
    std::printf("%-28s float: value %.1e gradient %.1e  double: value %.1e gradient %.1e  compared %d\n",
                name, single.value, single.gradient, twice.value, twice.gradient, single.compared);
}

// Every executor and edge length.
template <class Divergence>
void everywhere(Divergence const& of, divergence const& definition) {
  for (index_t const classes : {2, 3, 16, 17, 33, 70}) {
    auto const p = random_problem(2, rows_for(classes), classes, static_cast<std::uint64_t>(classes));
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
      return 9 * definition(softmax(x[0], 2), softmax(x[1], 2));
    });
    // T = 3 and s = 1.5 are the temperature 2; the factor is that of T.
    sage::consistency_loss<Divergence> const loss{
        .temperature = 3, .temperature_squared = true, .logit_scale = 1.5, .divergence = of};
    compare_in_float<2>(loss, p, expected);
  }
}

}  // namespace

TEST_CASE("Reverse Kullback-Leibler and its gradients are exact at every perturbation, on every executor") {
  auto const d = [](row const& p, row const& q) { return kullback_leibler(q, p); };
  sweep("reverse_kullback_leibler", sage::reverse_kullback_leibler{}, d, 0);
  everywhere(sage::reverse_kullback_leibler{}, d);
}

TEST_CASE("Jeffreys' divergence and its gradients are exact at every perturbation, on every executor") {
  sweep("jeffreys", sage::jeffreys{}, jeffreys);
  everywhere(sage::jeffreys{}, jeffreys);
}

TEST_CASE(
    "The squared Hellinger distance and its gradients are exact at every perturbation, on every executor") {
  sweep("squared_hellinger", sage::squared_hellinger{}, squared_hellinger);
  everywhere(sage::squared_hellinger{}, squared_hellinger);
}

TEST_CASE("Total variation and its gradients are exact at every perturbation, on every executor") {
  sweep("total_variation", sage::total_variation{}, total_variation, -1,
        -4);  // below, differences cross its kinks
  everywhere(sage::total_variation{}, total_variation);
}

TEST_CASE("Soft cross entropy and its gradients are exact at every perturbation, on every executor") {
  sweep("soft_cross_entropy", sage::soft_cross_entropy{}, soft_cross_entropy, 1);
  everywhere(sage::soft_cross_entropy{}, soft_cross_entropy);
}

TEST_CASE("Generalised Jensen-Shannon is Kullback-Leibler at its ends and Jensen-Shannon between") {
  auto const forward = [](row const& p, row const& q) { return kullback_leibler(p, q); };
  auto const reverse = [](row const& p, row const& q) { return kullback_leibler(q, p); };
  auto const between = [](row const& p, row const& q) { return jensen_shannon(p, q, real(0.25)); };
  auto const p = random_problem(2, 4, 9, 7);
  auto const check = [&](double beta, divergence const& definition) {
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
      return definition(softmax(x[0], 1), softmax(x[1], 1));
    });
    sage::consistency_loss<sage::generalized_jensen_shannon> const loss{.divergence = {beta}};
    compare<float, 2>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous);
  };
  check(0, forward);
  check(1, reverse);
  check(0.25, between);
  CHECK_THROWS_WITH((sage::consistency_loss<sage::generalized_jensen_shannon>{.divergence = {1.5}})(
                        sage::exec::scalar{}, std::vector<float>{1}, std::vector<float>{1}),
                    "consistency_loss: beta is 1.5, expected between 0 and 1");
}

TEST_CASE(
    "Jensen-Shannon over beta goes to Kullback-Leibler as beta goes to 0, and the other way round at 1") {
  std::vector<double> const z{1, -0.5, 2}, other{0, 1, 1.5};
  auto const js = [&](double beta) {
    return sage::consistency_loss<sage::skewed_jensen_shannon>{.divergence = {.beta = beta}}(z, other).value;
  };
  double const forward = sage::consistency_loss<sage::kullback_leibler>{}(z, other).value;
  double const reverse = sage::consistency_loss<sage::reverse_kullback_leibler>{}(z, other).value;
  CHECK(js(1e-7) / 1e-7 == Approx(forward).epsilon(1e-6));  // the next term is of order beta
  CHECK(js(1 - 1e-7) / 1e-7 == Approx(reverse).epsilon(1e-6));
}

TEST_CASE("The squared error of logits and its gradients are those of differences of the definition") {
  for (index_t const classes : {1, 3, 17, 70}) {
    auto const p = random_problem(2, rows_for(classes), classes, static_cast<std::uint64_t>(classes));
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
      real s = 0;  // torch.nn.functional.mse_loss(z/2, z⁺/2), times T² = 9
      for (std::size_t k = 0; k < x[0].size(); ++k)
        s += 9 * (x[0][k] - x[1][k]) * (x[0][k] - x[1][k]) / 4 / static_cast<int>(x[0].size());
      return s;
    });
    sage::consistency_loss<sage::squared_error> const loss{
        .temperature = 3, .temperature_squared = true, .logit_scale = 1.5};
    compare_in_float<2>(loss, p, expected);
  }
  std::vector<float> const z{-inf, 1}, other{-inf, 3};
  std::vector<float> g(2), h(2);
  CHECK(sage::consistency_loss<sage::squared_error>{}.value_and_grad(z, other, g, h).value == 2);
  CHECK((g[0] == 0 && h[0] == 0 && g[1] == -2 && h[1] == 2));
}

namespace {

// What every divergence does with exotic logits: (value of disjoint distributions, a class that neither has,
// one class).
template <class Executor, class Divergence>
void edges(Executor const& ex, Divergence const& of, double disjoint, double at_equal = 0) {
  sage::consistency_loss<Divergence> const loss{.divergence = of};
  std::vector<float> const yes{0, -inf}, no{-inf, 0}, both{0.5f, 0.25f, -inf}, other{0.25f, 1, -inf}, one{3},
      single{-2};
  std::vector<float> g(3), h(3);
  CHECK(loss(ex, yes, no).value == Approx(disjoint).epsilon(1e-6));
  auto const r = loss.value_and_grad(ex, both, other, g, h);
  std::vector<float> const without(both.begin(), both.begin() + 2),
      other_without(other.begin(), other.begin() + 2);
  CHECK(r.value == Approx(loss(ex, without, other_without).value).epsilon(1e-6));
  CHECK((g[2] == 0 && h[2] == 0 && std::isfinite(g[0]) && std::isfinite(h[0])));
  CHECK(loss(ex, one, single).value == 0);
  // A distribution with itself, of any kind.
  std::vector<float> const z{1, -2, 0.5f};
  CHECK(loss.value_and_grad(ex, z, z, g, h).value == Approx(at_equal).margin(0));
  if (at_equal == 0)
    for (float const d : {g[0], g[1], g[2], h[0], h[1], h[2]}) CHECK(d == 0);
  // A bad row changes no other.
  using limits = std::numeric_limits<float>;
  index_t const rows = 18, bad = 9, classes = 5;
  matrix<float> a(rows, classes, arrangement::contiguous, normal_values(rows * classes, 6)), b(rows, classes);
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < classes; ++j) b(i, j) = a(rows - 1 - i, j);
  auto const run = [&](index_t& non_finite) {
    matrix<float> d(rows, classes), e(rows, classes);
    non_finite = loss.value_and_grad(ex, a.view(), b.view(), d.view(), e.view()).non_finite;
    d(bad, 0) = e(bad, 0) = 0;
    std::vector<float> kept;
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < classes; ++j)
        if (i != bad) kept.push_back(d(i, j)), kept.push_back(e(i, j));
    return kept;
  };
  index_t non_finite = 0;
  auto const clean = run(non_finite);
  CHECK(non_finite == 0);
  for (auto* const m : {&a, &b})
    for (float const x : {limits::quiet_NaN(), inf}) {
      CAPTURE(x, m == &b);
      auto const before = *m;
      (*m)(bad, 2) = x;
      CHECK(same_bits(run(non_finite), clean));
      CHECK(non_finite == 1);
      *m = before;
    }
  for (float const x : {limits::max(), limits::denorm_min()}) {
    auto const before = a;
    for (index_t j = 0; j < classes; ++j) a(bad, j) = x;
    CHECK(same_bits(run(non_finite), clean));
    CHECK(non_finite == 0);
    a = before;
  }
}

}  // namespace

TEST_CASE(
    "Every divergence has its documented outcome at infinite, absent and equal logits, and keeps rows "
    "apart") {
  row const p = softmax({1, -2, real(0.5)});
  sage::exec::simd const simd;
  edges(sage::exec::scalar{}, sage::kullback_leibler{}, inf);
  edges(simd, sage::reverse_kullback_leibler{}, inf);
  edges(simd, sage::jeffreys{}, inf);
  edges(simd, sage::squared_hellinger{}, 1);
  edges(simd, sage::total_variation{}, 1);
  edges(simd, sage::soft_cross_entropy{}, inf, static_cast<double>(soft_cross_entropy(p, p)));
  edges(sage::exec::scalar{}, sage::generalized_jensen_shannon{0}, inf);
}

TEST_CASE("A nearly certain teacher keeps the digits of its soft cross entropy") {
  // 1 − p_0 = 2e-9: what the largest class adds to the entropy, 2e-9 of 4e-8, is lost where its logarithm is
  // of 1 − p.
  std::vector<float> const z{20, 0, -1}, other{19, 0.5f, 0};
  std::vector<float> g(3), h(3);
  auto const f = [](std::vector<row> const& x) { return soft_cross_entropy(softmax(x[0]), softmax(x[1])); };
  std::vector<row> const x{{20, 0, -1}, {19, real(0.5), 0}};
  auto const r = sage::consistency_loss<sage::soft_cross_entropy>{}.value_and_grad(z, other, g, h);
  CHECK(relative(r.value, f(x)) <= tolerances<float>{}.value);
  auto const expected = gradient(f, x);
  relative_error of_z, of_other;
  for (std::size_t j = 0; j < 3; ++j) of_z.add(g[j], expected[0][j]), of_other.add(h[j], expected[1][j]);
  CHECK(of_z.value() <= tolerances<float>{}.gradient);
  CHECK(of_other.value() <= tolerances<float>{}.gradient);
}

TEST_CASE(
    "The degradation checks run with other divergences and are those of differences of the definition") {
  for (index_t const classes : {3, 20, 40}) {
    auto const one = random_problem(1, 6, classes, 2, 2), two = random_problem(2, 6, classes, 3),
               three = random_problem(3, 6, classes, 4);
    auto const uniform = answers_of(
        one, false, [](std::vector<row> const& x, index_t) { return toward_uniform(jeffreys, x[0], 1); });
    compare<float, 1>(sage::exec::scalar{}, sage::degradation_loss<sage::toward_uniform<sage::jeffreys>>{},
                      one, uniform, arrangement::contiguous);
    auto const apart = answers_of(two, true, [](std::vector<row> const& x, index_t) {
      return repel(squared_hellinger, x[0], x[1], 1, real(0.2));
    });
    compare<float, 2>(sage::exec::scalar{},
                      sage::degradation_loss<sage::repel<sage::squared_hellinger>>{.check = {0.2}}, two,
                      apart, arrangement::contiguous);
    auto const ranked = answers_of(three, true, [](std::vector<row> const& x, index_t) {
      return rank([](row const& p, row const& q) { return kullback_leibler(p, q); }, x[0], x[1], x[2], 1,
                  real(0.5));
    });
    compare<float, 3>(sage::exec::scalar{},
                      sage::degradation_loss<sage::rank<sage::kullback_leibler>>{.check = {0.5}}, three,
                      ranked, arrangement::contiguous);
  }
}
