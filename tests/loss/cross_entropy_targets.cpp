#include "loss/marked.hpp"
#include "reference/logit_losses.hpp"

#include <sage/loss/cross_entropy.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <vector>

namespace {

using namespace reference;

float const inf = std::numeric_limits<float>::infinity();
float const nan_f = std::numeric_limits<float>::quiet_NaN();

std::vector<std::int32_t> labels_for(index_t rows, index_t classes) {
  std::vector<std::int32_t> y;
  for (index_t i = 0; i < rows; ++i) y.push_back(static_cast<std::int32_t>((3 * i + 1) % classes));
  return y;
}

std::size_t at(std::vector<std::int32_t> const& y, index_t i) {
  return static_cast<std::size_t>(y[static_cast<std::size_t>(i)]);
}

auto class_weights_of(std::vector<double> const& w) {
  return [w](auto zero) { return std::tuple(sage::class_weights(to<decltype(zero)>(w))); };
}

// Logits, and probabilities that need not sum to 1, as PyTorch has it.
problem with_probabilities(index_t classes) {
  index_t const rows = rows_for(classes);
  auto const seed = static_cast<std::uint64_t>(classes);
  return {
      rows, classes, {normal_values(rows * classes, seed, 3), uniform_values(rows * classes, seed, 0, 1)}};
}

}  // namespace

TEST_CASE(
    "Cross entropy with class weights is that of the definition, its mean divided by the labels' weights") {
  for (index_t const classes : edge_lengths)
    for (double const smoothing : {0.0, 0.125}) {
      if (classes == 1) continue;  // zero
      auto const p = random_problem(1, rows_for(classes), classes, static_cast<std::uint64_t>(classes), 3);
      auto const y = labels_for(p.rows, classes);
      auto const w = uniform_values(classes, 5, 0.25, 4);
      auto expected = answers_of(p, false, [&](std::vector<row> const& x, index_t i) {
        return cross_entropy(x[0], one_hot(x[0].size(), at(y, i)), row_of(w), real(smoothing));
      });
      for (index_t i = 0; i < p.rows; ++i) expected.divisor += w[at(y, i)];
      CAPTURE(smoothing);
      sage::cross_entropy_loss const loss{.label_smoothing = smoothing};
      compare_in_float<1>(marked{loss, class_weights_of(w)}, p, expected, y);
    }
}

TEST_CASE(
    "Cross entropy with probabilities and both its gradients are those of differences of the definition") {
  for (index_t const classes : edge_lengths)
    for (double const smoothing : {0.0, 0.125}) {
      if (classes == 1) continue;
      auto const p = with_probabilities(classes);
      row const ones(static_cast<std::size_t>(classes), real(1));
      auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
        return cross_entropy(x[0], x[1], ones, real(smoothing));
      });
      CAPTURE(smoothing);
      compare_in_float<2>(sage::cross_entropy_loss{.label_smoothing = smoothing}, p, expected);
    }
}

TEST_CASE(
    "Cross entropy with probabilities and class weights is that of the definition, its mean over the "
    "samples") {
  for (index_t const classes : {3, 16, 33, 70}) {
    auto const p = with_probabilities(classes);
    auto const w = uniform_values(classes, 6, 0.25, 4);
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
      return cross_entropy(x[0], x[1], row_of(w), real(0.25));
    });
    sage::cross_entropy_loss const loss{.label_smoothing = 0.25};
    compare_in_float<2>(marked{loss, class_weights_of(w)}, p, expected);
  }
}

TEST_CASE("A confident prediction keeps its digits with class weights and with probabilities, too") {
  // z_y leads by 30: the loss is 2 e^−30, where 1 − p is 0 in float.
  std::vector<float> const z{30, 0, 0}, certain{1, 0, 0}, w{3, 1, 1};
  std::vector<int> const y{0};
  for (bool const given : {false, true}) {
    std::vector<float> g(3);
    sage::cross_entropy_loss const loss{.reduction = sage::reduction::sum};
    auto const r = given ? loss.value_and_grad(z, certain, g, sage::class_weights(w))
                         : loss.value_and_grad(z, y, g, sage::class_weights(w));
    CHECK(relative(r.value, cross_entropy({30, 0, 0}, {1, 0, 0}, {3, 1, 1}, 0)) <= tolerances<float>{}.value);
    CHECK(g[0] == Approx(-6 * std::exp(-30.0)));
    CHECK(g[1] == Approx(3 * std::exp(-30.0)));
  }
}

TEST_CASE(
    "A certain label and its probabilities are one loss; the gradient to the probabilities may be left out") {
  index_t const rows = 6;
  for (index_t const classes : {4, 40}) {
    auto const z = to<float>(normal_values(rows * classes, 3, 2));
    auto const y = labels_for(rows, classes);
    std::vector<float> t(z.size()), g(z.size()), g_t(z.size()), g_only(z.size()), d_t(z.size());
    for (index_t i = 0; i < rows; ++i) t[static_cast<std::size_t>(i * classes) + at(y, i)] = 1;
    auto const view = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, classes}}; };
    sage::cross_entropy_loss const loss{.label_smoothing = 0.1};
    auto const by_label = loss.value_and_grad(view(z), y, view(g));
    auto const by_number = loss.value_and_grad(view(z), view(t), view(g_t), view(d_t));
    CHECK(relative(by_number.value, by_label.value) <= tolerances<float>{}.value);
    relative_error e;
    for (std::size_t j = 0; j < g.size(); ++j) e.add(g_t[j], g[j]);
    CHECK(e.value() <= tolerances<float>{}.gradient);
    CHECK(same_bits(loss.value_and_grad(view(z), view(t), view(g_only)).value, by_number.value));
    CHECK(same_bits(g_only, g_t));
    std::vector<float> twice(z.size());
    loss.backward(2.0f, view(z), view(t), view(twice));
    for (std::size_t j = 0; j < g.size(); ++j) CHECK(twice[j] == 2 * g_t[j]);
  }
}

TEST_CASE("Weights of samples and of classes stand in any order, and ignored samples count in neither sum") {
  index_t const rows = 5, classes = 4;
  auto const logits = normal_values(rows * classes, 9, 2);
  auto z = to<double>(logits);
  for (index_t j = 0; j < classes; ++j) z[static_cast<std::size_t>(2 * classes + j)] = std::nan("");
  std::vector<int> const y{1, 3, -100, 0, 1};
  std::vector<double> const w{0.5, 2, 1, 3}, s{1, 0.25, 8, 2, 0};
  auto const view = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, classes}}; };
  sage::cross_entropy_loss loss{.label_smoothing = 0.1};
  std::vector<double> g(z.size()), h(z.size());
  auto const r = loss.value_and_grad(view(z), y, view(g), sage::class_weights(w), sage::weights(s));
  auto const other = loss.value_and_grad(view(z), y, view(h), sage::weights(s), sage::class_weights(w));
  CHECK(same_bits(r.value, other.value));
  CHECK(same_bits(g, h));
  auto const mean = [&](std::vector<row> const& x) {
    real sum = 0, divisor = 0;
    for (std::size_t const i : {0u, 1u, 3u}) {
      auto const label = static_cast<std::size_t>(y[i]);
      sum += s[i] * cross_entropy(x[i], one_hot(4, label), row_of(w), real(0.1));
      divisor += s[i] * w[label];
    }
    return sum / divisor;
  };
  std::vector<row> x;
  for (index_t i = 0; i < rows; ++i) x.push_back(row_of(logits, classes, i));
  CHECK(relative(r.value, mean(x)) <= tolerances<double>{}.value);
  CHECK(r.active == 3);
  auto const expected = gradient(mean, x);
  relative_error e;
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < classes; ++j) {
      double const d = g[static_cast<std::size_t>(i * classes + j)];
      if (i == 2 || i == 4) CHECK(d == 0);
      e.add(d, expected[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]);
    }
  CHECK(e.value() <= tolerances<double>{}.gradient);
  loss.reduction = sage::reduction::mean_active;  // every sample has a loss > 0: the same mean
  CHECK(loss(view(z), y, sage::class_weights(w), sage::weights(s)).value == Approx(r.value));
  // torch.nn.CrossEntropyLoss: 0/0 where the weights of all labels are 0.
  std::vector<double> const none(4, 0.0);
  CHECK(std::isnan(sage::cross_entropy_loss{}(view(z), y, sage::class_weights(none)).value));
}

TEST_CASE(
    "A logit of minus infinity costs nothing where its probability is 0, and everything where it is not") {
  std::vector<float> const z{1, -inf, 2}, without{0.25f, 0, 0.75f}, with{0.25f, 0.25f, 0.5f};
  std::vector<float> g(3), d(3);
  sage::cross_entropy_loss const loss;
  auto const r = loss.value_and_grad(z, without, g, d);
  CHECK(relative(r.value, cross_entropy({1, 2}, {real(0.25), real(0.75)}, {1, 1}, 0)) <=
        tolerances<float>{}.value);
  CHECK(g[1] == 0);
  CHECK(g[0] == Approx(-g[2]));
  CHECK(d[1] == inf);  // what its probability would cost
  CHECK(loss(z, with).value == inf);
  std::vector<float> const one{-3}, sure{1};
  std::vector<float> single(1, 1.0f);
  CHECK(loss.value_and_grad(one, sure, single).value == 0);
  CHECK(single[0] == 0);
}

TEST_CASE("Exotic logits and probabilities make their own sample non-finite and no other") {
  using limits = std::numeric_limits<float>;
  index_t const rows = 18, bad = 9;
  for (index_t const classes : {3, 50}) {
    matrix<float> z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 6));
    matrix<float> t(rows, classes, arrangement::contiguous, uniform_values(rows * classes, 7, 0, 1));
    std::vector<float> const w(static_cast<std::size_t>(classes), 2.0f);
    sage::cross_entropy_loss const loss{.reduction = sage::reduction::sum};
    auto const run = [&](index_t& non_finite) {
      matrix<float> g(rows, classes), d(rows, classes);
      std::vector<float> kept(static_cast<std::size_t>(rows));
      non_finite =
          loss.value_and_grad(z.view(), t.view(), g.view(), d.view(), sage::class_weights(w)).non_finite;
      loss.per_sample(z.view(), t.view(), kept, sage::class_weights(w));
      kept[bad] = 0;
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < classes; ++j)
          if (i != bad) kept.push_back(g(i, j)), kept.push_back(d(i, j));
      return kept;
    };
    index_t non_finite = 0;
    auto const clean = run(non_finite);
    CHECK(non_finite == 0);
    for (auto* const m : {&z, &t})
      for (float const x : {nan_f, inf, -inf, limits::max(), limits::denorm_min()}) {
        CAPTURE(classes, x, m == &t);
        auto const before = *m;
        for (index_t j = 0; j < classes; ++j) (*m)(bad, j) = x;
        CHECK(same_bits(run(non_finite), clean));
        bool const harmless = m == &z ? std::isfinite(x) : x == limits::denorm_min();
        CHECK(non_finite == (harmless ? 0 : 1));
        *m = before;
      }
  }
}

TEST_CASE("Cross entropy with class weights takes halves and dual numbers") {
  auto const p = with_probabilities(7);
  auto const only_z = random_problem(1, 5, 7, 4, 2);
  auto const y = labels_for(5, 7);
  marked const weighted{sage::cross_entropy_loss{.label_smoothing = 0.125},
                        class_weights_of({0.25, 0.5, 1, 2, 3, 1.5, 4})};  // exact in half precision
  halves_are_rounded_once<2>(weighted, p);
  duals_carry_the_gradients<2>(weighted, p);
  duals_carry_the_gradients<1>(weighted, only_z, y);
}

TEST_CASE("An empty batch of probabilities has the mean NaN; a mistake is one sentence") {
  std::vector<float> const empty;
  auto const none = sage::strided_view{empty.data(), sage::extents{0, 3}};
  CHECK(std::isnan(sage::cross_entropy_loss{}(none, none).value));
  std::vector<float> const z(6, 0.0f), w{1, 1}, negative{1, -1, 1};
  std::vector<int> const y{0, 1};
  auto const logits = sage::strided_view{z.data(), sage::extents{2, 3}};
  sage::cross_entropy_loss const loss;
  CHECK_THROWS_WITH(loss(logits, y, sage::class_weights(w)),
                    "cross_entropy_loss: class_weights has shape (2), expected (3)");
  CHECK_THROWS_WITH(loss(logits, y, sage::class_weights(negative)),
                    "cross_entropy_loss: class_weights[1] is -1, expected finite and >= 0");
  auto const transposed = sage::strided_view{z.data(), sage::extents{3, 2}};
  CHECK_THROWS_WITH(loss(logits, transposed),
                    "cross_entropy_loss: probabilities has shape (3, 2), logits (2, 3)");
  CHECK_THROWS_WITH((sage::cross_entropy_loss{.label_smoothing = 2})(logits, logits),
                    "cross_entropy_loss: label_smoothing is 2, expected between 0 and 1");
}
