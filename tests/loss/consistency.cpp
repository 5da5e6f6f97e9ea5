#include "loss/compare.hpp"
#include "loss/jensen_shannon_errors.hpp"

#include <sage/loss/consistency.hpp>
#include <sage/loss/degradation.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace reference;

double const ln_2 = std::log(2.0);

struct pairs {
  index_t rows, classes;
  std::vector<double> z, other;
};

// Logits of standard deviation 2, and others at a perturbation of the given size. All are exact in float.
pairs random_pairs(index_t rows, index_t classes, double perturbation, std::uint64_t seed) {
  pairs p{rows, classes, normal_values(rows * classes, seed, 2),
          normal_values(rows * classes, seed + 1, perturbation)};
  for (std::size_t j = 0; j < p.z.size(); ++j) p.other[j] = static_cast<float>(p.z[j] + p.other[j]);
  return p;
}

real js(std::vector<row> const& x, real temperature, real beta) {
  return jensen_shannon(softmax(x[0], temperature), softmax(x[1], temperature), beta);
}

}  // namespace

// DESIGN section 5: relative error at most 1e-5 in float for perturbations of the logits from 1e-6 to 1e2, against
// 113 bits; never negative; gradients finite. A small part of jensen_shannon_table.cpp.
TEST_CASE(
    "Jensen-Shannon keeps its digits at every perturbation, temperature, weight and number of classes") {
  using namespace jensen_shannon_errors;
  for (double const temperature : {1e-2, 1e-1, 1.0, 1e1, 1e2})
    for (int decade = -6; decade <= 2; ++decade) {
      errors in_float, in_double;
      int turn = decade + 6;
      for (index_t const classes : {2, 3, 10, 100, 1000, 5000})
        for (double const beta : {0.1, 0.5, 0.9})
          // All combinations of few classes; those of many take turns from decade to decade.
          if (classes <= 10 || turn++ % 9 == 0)
            measure(classes, decade, temperature, beta, classes <= 10 ? 4 : 1, in_float, in_double);
      CAPTURE(temperature, decade, in_float.value, in_float.gradient, in_double.value, in_double.gradient);
      CHECK(in_float.within(bound<float>()));
      CHECK(in_double.within(bound<double>()));
      // Distributions of one class only have no gradient to speak of: few, but where T is small.
      if (temperature >= 1) CHECK(in_float.saturated <= in_float.cases);
    }
}

TEST_CASE("The gradients of Jensen-Shannon that the reference sweeps from its record are its differences") {
  auto const z = normal_values(5, 3, 2), other = normal_values(5, 4, 2);
  jensen_shannon_errors::exact const swept(z, other, 0.5, 0.3);
  std::vector<row> const x{row_of(z, 5, 0), row_of(other, 5, 0)};
  auto const f = [](std::vector<row> const& o) { return js(o, real(0.5), real(0.3)); };
  CHECK(relative(swept.value, f(x)) < 1e-28);
  auto const g = gradient(f, x);
  for (std::size_t k = 0; k < 2; ++k) {
    relative_error e;
    for (std::size_t j = 0; j < 5; ++j) e.add(swept.gradient[k][j], g[k][j]);
    CHECK(e.value() < 1e-24);
  }
}

// Exponents below −745 are 0 in double, below −104 in float: p = q = 0 for the middle class.
TEMPLATE_TEST_CASE("A class that underflows in both distributions contributes nothing", "", float, double) {
  for (bool const scalar : {false, true}) {
    any_executor const executor{scalar ? any_executor::scalar : any_executor::baseline};
    for (TestType const far : {TestType(-200), TestType(-1000), TestType(-1e30)}) {
      std::vector<TestType> const z{1, far, TestType(0.25)}, other{-1, far, 2};
      std::vector<TestType> g(3), h(3);
      auto const r = sage::consistency_loss<>{}.value_and_grad(executor, z, other, g, h);
      CAPTURE(far, scalar);
      CHECK(relative(r.value, js({{1, real(0.25)}, {-1, 2}}, 1, real(0.5))) <= tolerances<TestType>{}.value);
      CHECK((g[1] == 0 || far == -200));
      CHECK((h[1] == 0 || far == -200));
      CHECK(g[0] == Approx(-g[2]));
      std::vector<TestType> const certain{0, far, far};
      CHECK(sage::degradation_loss<>{}.value_and_grad(executor, certain, g).value > 0);
      CHECK(std::isfinite(g[1]));
    }
  }
}

TEST_CASE("Jensen-Shannon and its gradients are those of differences of the definition at every row length") {
  for (index_t const classes : edge_lengths) {
    if (classes == 1) continue;  // exactly zero, tested below
    auto const p = random_problem(2, rows_for(classes), classes, static_cast<std::uint64_t>(classes));
    auto const expected =
        answers_of(p, false, [](std::vector<row> const& x, index_t) { return js(x, real(2), real(0.5)); });
    compare_everywhere<2>(sage::consistency_loss<>{.temperature = 2}, p, expected);
    auto const skewed =
        answers_of(p, false, [](std::vector<row> const& x, index_t) { return js(x, real(2), real(0.25)); });
    compare_everywhere<2>(
        sage::consistency_loss<sage::skewed_jensen_shannon>{.temperature = 2, .divergence = {.beta = 0.25}},
        p, skewed);
  }
}

TEST_CASE("Kullback-Leibler and its gradients are those of differences of the definition") {
  sage::consistency_loss<sage::kullback_leibler> const loss{.temperature = 0.5};
  for (double const perturbation : {1e-4, 1.0})
    for (index_t const classes : {2, 17, 65}) {
      auto const data =
          random_pairs(rows_for(classes), classes, perturbation, static_cast<std::uint64_t>(classes));
      problem const p{data.rows, data.classes, {data.z, data.other}};
      auto const expected = answers_of(p, false, [](std::vector<row> const& x, index_t) {
        return kullback_leibler(softmax(x[0], real(0.5)), softmax(x[1], real(0.5)));
      });
      CAPTURE(perturbation, classes);
      compare<float, 2>(sage::exec::simd{}, loss, p, expected, arrangement::contiguous);
      compare<double, 2>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous);
    }
}

TEST_CASE("Inputs may be broadcast along rows or columns, while outputs may not") {
  index_t const rows = 6, classes = 9;
  for (auto const how : {arrangement::broadcast_rows, arrangement::broadcast_columns}) {
    matrix<float> const z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 1));
    matrix<float> const other(rows, classes, how, normal_values(rows * classes, 2));
    matrix<float> g(rows, classes), h(rows, classes),
        spread(rows, classes, arrangement::contiguous, other.values());
    sage::consistency_loss<> const loss;
    auto const r = loss.value_and_grad(z.view(), other.view(), g.view(), h.view());
    real mean = 0;
    for (index_t i = 0; i < rows; ++i)
      mean += js({z.row_at(i), other.row_at(i)}, 1, real(0.5)) / static_cast<int>(rows);
    CHECK(relative(r.value, mean) <= tolerances<float>{}.value);
    matrix<float> g2(rows, classes), h2(rows, classes);
    CHECK(same_bits(loss.value_and_grad(z.view(), spread.view(), g2.view(), h2.view()).value, r.value));
    CHECK(same_bits(g.values(), g2.values()));
    CHECK(same_bits(h.values(), h2.values()));
    matrix<float> wide(rows, classes, how);
    CHECK_THROWS_WITH(
        loss.value_and_grad(z.view(), other.view(), g.view(), wide.view()),
        "consistency_loss: d_other_logits is a broadcast view (a stride is 0), expected elements of its own");
  }
}

// Multiples of 1/64 below 4: their sums with integers are exact in float, and so is all that follows.
TEST_CASE("A constant added to a row of logits changes no bit of loss and gradients") {
  for (index_t const classes : {5, 70}) {
    index_t const rows = 9;
    reference::random r(3);
    matrix<float> z(rows, classes), other(rows, classes), shifted(rows, classes),
        other_shifted(rows, classes);
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < classes; ++j) {
        z(i, j) = static_cast<float>(std::floor(512 * r.uniform()) / 64 - 4);
        other(i, j) = static_cast<float>(std::floor(512 * r.uniform()) / 64 - 4);
        shifted(i, j) = z(i, j) + static_cast<float>(100 + i);
        other_shifted(i, j) = other(i, j) - static_cast<float>(7 * i);
      }
    matrix<float> g[2]{{rows, classes}, {rows, classes}}, h[2]{g[0], g[1]};
    sage::consistency_loss<> const loss{.temperature = 3};
    auto const a = loss.value_and_grad(z.view(), other.view(), g[0].view(), g[1].view());
    auto const b = loss.value_and_grad(shifted.view(), other_shifted.view(), h[0].view(), h[1].view());
    CHECK(same_bits(a.value, b.value));
    CHECK(same_bits(g[0].values(), h[0].values()));
    CHECK(same_bits(g[1].values(), h[1].values()));
  }
}

TEST_CASE("Jensen-Shannon at beta one half is symmetric, bounded by ln 2, and its gradients sum to zero") {
  auto const test = [&]<class T>(T) {
    tolerances<T> const tolerance;
    sage::consistency_loss<> const loss{.temperature = 0.7, .reduction = sage::reduction::sum};
    for (index_t const classes : {2, 10, 33, 200})
      for (double const scale : {1e-3, 1.0, 30.0}) {
        index_t const rows = 7;
        matrix<T> const z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 11, scale));
        matrix<T> const other(rows, classes, arrangement::contiguous,
                              normal_values(rows * classes, 12, scale));
        matrix<T> g[2]{{rows, classes}, {rows, classes}}, h[2]{g[0], g[1]};
        std::vector<T> one(static_cast<std::size_t>(rows)), two(one);
        CAPTURE(classes, scale, sizeof(T));
        loss.value_and_grad(z.view(), other.view(), g[0].view(), g[1].view());
        loss.value_and_grad(other.view(), z.view(), h[0].view(), h[1].view());
        loss.per_sample(z.view(), other.view(), one);
        loss.per_sample(other.view(), z.view(), two);
        for (index_t i = 0; i < rows; ++i) {
          CHECK(relative(one[static_cast<std::size_t>(i)], two[static_cast<std::size_t>(i)]) <=
                tolerance.value);
          CHECK(one[static_cast<std::size_t>(i)] <= ln_2 * (1 + 2 * tolerance.epsilon));
          for (int k = 0; k < 2; ++k) {
            double sum = 0, magnitude = 0;
            relative_error swapped;
            for (index_t j = 0; j < classes; ++j) {
              sum += static_cast<double>(g[k](i, j));
              magnitude += std::abs(static_cast<double>(g[k](i, j)));
              swapped.add(h[1 - k](i, j), g[k](i, j));
            }
            if (scale <= 1) CHECK(swapped.value() <= tolerance.gradient);
            // Each coordinate carries rounding of the order of the value, ≤ ln 2, times its probability.
            CHECK(std::abs(sum) <= tolerance.gradient * magnitude + 8 * tolerance.epsilon);
            if (scale <= 1) CHECK(magnitude > 1e-7);
          }
        }
      }
  };
  test(float());
  test(double());
}

TEST_CASE("Equal logits have divergence zero and gradient zero, exactly; so has one class") {
  for (index_t const classes : {1, 2, 40}) {
    std::vector<float> const z = to<float>(normal_values(3 * classes, 1, 5)),
                             other = to<float>(normal_values(3 * classes, 2));
    std::vector<float> g(z.size(), 1.0f), h(z.size(), 1.0f);
    auto const view = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{3, classes}}; };
    auto const r =
        sage::consistency_loss<>{}.value_and_grad(view(z), view(classes == 1 ? other : z), view(g), view(h));
    CHECK(r.value == 0);
    CHECK(r.active == 3);  // without a hinge: all samples that count
    for (auto const* v : {&g, &h})
      for (float const d : *v) CHECK(d == 0);
  }
}

TEST_CASE("A logit of minus infinity is a class of probability zero") {
  float const inf = std::numeric_limits<float>::infinity();
  sage::consistency_loss<> const loss;
  auto const with_zeros = [&](index_t extra) {
    // Two classes, and `extra` more that neither distribution has.
    std::vector<float> z(static_cast<std::size_t>(2 + extra), -inf), other(z), g(z), h(z);
    z[0] = 1, z[1] = 0.25f, other[0] = -1, other[1] = 2;
    auto const r = loss.value_and_grad(z, other, g, h);
    CHECK(relative(r.value, js({{1, real(0.25)}, {-1, 2}}, 1, real(0.5))) <= tolerances<float>{}.value);
    for (std::size_t j = 2; j < g.size(); ++j) CHECK((g[j] == 0 && h[j] == 0));
    CHECK(g[0] == Approx(-g[1]));
    CHECK(g[0] > 0.01f);
  };
  for (index_t const extra : {0, 1, 30, 31, 60}) with_zeros(extra);

  // Disjoint distributions: ln 2 exactly, no gradient.
  std::vector<float> const z{3, -inf}, other{-inf, -8};
  std::vector<float> g(2), h(2);
  CHECK(loss.value_and_grad(z, other, g, h).value == Approx(ln_2).epsilon(1e-6));
  for (auto const* v : {&g, &h})
    for (float const d : *v) CHECK(d == Approx(0).margin(1e-7));
  // p has a class that q lacks: KL(p‖q) is infinite, JS is not. ½ ln 2 + ½ ln(4/3)·… by the definition.
  std::vector<float> const half{0, 0}, one{0, -inf};
  auto const r = loss.value_and_grad(half, one, g, h);
  CHECK(relative(r.value, js({{0, 0}, {0, -infinity()}}, 1, real(0.5))) <= tolerances<float>{}.value);
  CHECK((std::isfinite(g[0]) && std::isfinite(g[1]) && std::isfinite(h[0]) && h[1] == 0));
  CHECK(sage::consistency_loss<sage::kullback_leibler>{}(half, one).value == inf);
  CHECK(sage::consistency_loss<sage::kullback_leibler>{}(one, half).value == Approx(ln_2));
}

// Rows of two classes have a formula of their own.
TEMPLATE_TEST_CASE("Two classes diverge as they do beside a third one of probability zero", "", float,
                   double) {
  constexpr TestType inf = std::numeric_limits<TestType>::infinity(),
                     nan = std::numeric_limits<TestType>::quiet_NaN(),
                     largest = std::numeric_limits<TestType>::max();
  std::vector<TestType> const exotic{
      0, TestType(1e-30), 1, -3, TestType(88.5), -200, TestType(1e30), largest, -largest, inf, -inf, nan};
  auto const n = static_cast<index_t>(exotic.size()), rows = n * n * n * n;
  std::vector<TestType> z, other, z_3, other_3;
  for (index_t i = 0; i < rows; ++i) {
    auto const of = [&](index_t divisor) { return exotic[static_cast<std::size_t>(i / divisor % n)]; };
    z.insert(z.end(), {of(1), of(n)});
    other.insert(other.end(), {of(n * n), of(n * n * n)});
    z_3.insert(z_3.end(), {of(1), of(n), -inf});
    other_3.insert(other_3.end(), {of(n * n), of(n * n * n), -inf});
  }
  // Probabilities below the smallest normal number may be 0.
  auto const close = [](TestType x, TestType y, TestType scale) {
    using limits = std::numeric_limits<TestType>;
    return (std::isnan(x) && std::isnan(y)) ||
           std::abs(x - y) <=
               std::max(32 * limits::epsilon() * std::max(std::abs(y), scale), 4 * limits::min());
  };
  for (TestType const temperature : {TestType(1e-18), TestType(0.5), TestType(1), TestType(1e18)}) {
    sage::consistency_loss<> const loss{.temperature = temperature};
    std::vector<TestType> values(static_cast<std::size_t>(rows)), values_3 = values;
    std::vector<TestType> g(z.size()), h = g, g_3(z_3.size()), h_3 = g_3;
    std::vector<TestType> const upstream(values.size(), temperature);
    auto const matrix = [&](auto& x, index_t classes) {
      return sage::strided_view<std::remove_reference_t<decltype(x[0])>, 2>(x.data(), {rows, classes});
    };
    loss.per_sample(matrix(z, 2), matrix(other, 2), values);
    loss.per_sample(matrix(z_3, 3), matrix(other_3, 3), values_3);
    loss.backward(upstream, matrix(z, 2), matrix(other, 2), matrix(g, 2), matrix(h, 2));
    loss.backward(upstream, matrix(z_3, 3), matrix(other_3, 3), matrix(g_3, 3), matrix(h_3, 3));
    for (std::size_t i = 0; i < values.size(); ++i) {
      CAPTURE(temperature, z[2 * i], z[2 * i + 1], other[2 * i], other[2 * i + 1], values[i], values_3[i]);
      REQUIRE(close(values[i], values_3[i], 0));
      for (std::size_t j = 0; j < 2; ++j) {
        CAPTURE(j, g[2 * i + j], g_3[3 * i + j], h[2 * i + j], h_3[3 * i + j]);
        REQUIRE(close(g[2 * i + j], g_3[3 * i + j], values[i]));
        REQUIRE(close(h[2 * i + j], h_3[3 * i + j], values[i]));
      }
    }
  }
}

TEST_CASE("Exotic logits make their own row NaN and leave the others as they were, bit for bit") {
  using limits = std::numeric_limits<float>;
  index_t const rows = 21, bad = 17;
  sage::consistency_loss<> const loss{.reduction = sage::reduction::sum};
  for (index_t const classes : {2, 5, 40, 100}) {
    matrix<float> z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 1));
    matrix<float> const other(rows, classes, arrangement::contiguous, normal_values(rows * classes, 2));
    auto const run = [&](index_t& non_finite) {
      matrix<float> g[2]{{rows, classes}, {rows, classes}};
      std::vector<float> kept(static_cast<std::size_t>(rows));
      non_finite = loss.value_and_grad(z.view(), other.view(), g[0].view(), g[1].view()).non_finite;
      loss.per_sample(z.view(), other.view(), kept);
      CHECK((non_finite == 0 || std::isnan(kept[bad])));
      kept[bad] = 0;
      for (auto const& m : g)
        for (index_t i = 0; i < rows; ++i)
          for (index_t j = 0; j < classes; ++j)
            if (i != bad) kept.push_back(m(i, j));
      return kept;
    };
    index_t non_finite = 0;
    auto const clean = run(non_finite);
    CHECK(non_finite == 0);
    struct exotic {
      float x;
      bool whole_row;
      index_t non_finite;
    };
    float const inf = limits::infinity();
    for (auto const& e : {exotic{limits::quiet_NaN(), false, 1},
                          {inf, false, 1},
                          {-inf, true, 1},
                          {-inf, false, 0},
                          {limits::max(), false, 0},
                          {limits::lowest(), false, 0},
                          {limits::denorm_min(), true, 0},
                          {limits::quiet_NaN(), true, 1},
                          {inf, true, 1}}) {
      CAPTURE(classes, e.x, e.whole_row);
      auto const before = z;
      for (index_t j = 0; j < classes; ++j)
        if (e.whole_row || j == classes - 1) z(bad, j) = e.x;
      CHECK(same_bits(run(non_finite), clean));
      CHECK(non_finite == e.non_finite);
      z = before;
    }
  }
}
