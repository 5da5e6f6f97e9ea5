#include "loss/marked.hpp"
#include "reference/logit_losses.hpp"

#include <sage/loss/binary_consistency.hpp>
#include <sage/loss/binary_cross_entropy.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/divergences.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <tuple>
#include <type_traits>
#include <vector>

namespace {

using namespace reference;

float const inf = std::numeric_limits<float>::infinity();
float const nan_f = std::numeric_limits<float>::quiet_NaN();

problem with_targets(index_t labels) {
  index_t const rows = rows_for(labels);
  auto const seed = static_cast<std::uint64_t>(labels);
  return {rows, labels, {normal_values(rows * labels, seed, 3), uniform_values(rows * labels, seed, 0, 1)}};
}

row smoothed(row y, real smoothing) {
  for (auto& t : y) t = (1 - smoothing) * t + smoothing / 2;
  return y;
}

row ones(index_t n) { return row(static_cast<std::size_t>(n), real(1)); }

}  // namespace

TEST_CASE("Binary cross entropy and both its gradients are those of differences of the definition") {
  for (index_t const labels : {1, 2, 7, 8, 15, 16, 17, 32, 33, 65}) {
    auto const p = with_targets(labels);
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
      return binary_cross_entropy(x[0], x[1], ones(labels), ones(labels)) / static_cast<int>(labels);
    });
    compare_in_float<2>(sage::binary_cross_entropy_loss{}, p, expected);
  }
}

TEST_CASE("Binary cross entropy weighs elements and positives, smooths, and sums over the labels") {
  for (index_t const labels : {1, 3, 20, 33, 70}) {
    auto const p = with_targets(labels);
    auto const positive = uniform_values(labels, 3, 0.25, 4),
               weight = uniform_values(p.rows * labels, 4, 0, 2);
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t i) {
      return binary_cross_entropy(x[0], smoothed(x[1], real(0.25)), row_of(weight, labels, i),
                                  row_of(positive));
    });
    sage::binary_cross_entropy_loss const loss{.label_smoothing = 0.25, .over_labels = sage::reduction::sum};
    in_both_types const p_k(positive), w_ik(weight);
    auto const weights = [&](auto zero) {
      return std::tuple(
          sage::positive_weights(p_k.of(zero)),
          sage::element_weights(sage::strided_view{w_ik.of(zero).data(), sage::extents{p.rows, labels}}));
    };
    compare_in_float<2>(marked{loss, weights}, p, expected);
  }
}

TEST_CASE("A confident binary prediction keeps its digits, and no logit overflows") {
  for (float const z : {-60.0f, -30.0f, -8.0f, 8.0f, 30.0f, 60.0f, 3e38f, -3e38f})
    for (float const y : {0.0f, 1.0f}) {
      std::vector<float> const logit{z}, target{y};
      std::vector<float> g(1), d(1);
      auto const r = sage::binary_cross_entropy_loss{}.value_and_grad(logit, target, g, d);
      auto const f = [&](std::vector<row> const& x) { return binary_cross_entropy(x[0], {y}, {1}, {1}); };
      CAPTURE(z, y);
      if (std::abs(z) > 1000) {  // beyond the exponents of the reference, too: 0 or |z|, slope 0 or ±1
        bool const agrees = (z > 0) == (y > 0);
        CHECK(r.value == (agrees ? 0 : std::abs(z)));
        CHECK(g[0] == (agrees ? 0 : y > 0 ? -1 : 1));
        continue;
      }
      CHECK(relative(r.value, f({{z}})) <= tolerances<float>{}.value);
      // Next to 1 the differences of the reference have a resolution of 2^−113/2^−24 = 2e-27: at 60 too
      // coarse.
      bool const agrees = (z > 0) == (y > 0);
      if (std::abs(z) < 60) CHECK(relative(g[0], gradient(f, {{z}})[0][0]) <= tolerances<float>{}.gradient);
      if (std::abs(z) == 60 && agrees) CHECK(g[0] == Approx((y > 0 ? -1 : 1) * std::exp(-60.0)));
      CHECK(d[0] == -z);
    }
}

TEST_CASE("Infinite binary logits cost nothing where the target agrees, and everything where it does not") {
  for (float const z : {inf, -inf})
    for (float const y : {0.0f, 1.0f}) {
      std::vector<float> const logit{z}, target{y};
      std::vector<float> g(1);
      bool const agrees = (z > 0) == (y > 0);
      CAPTURE(z, y);
      CHECK(sage::binary_cross_entropy_loss{}.value_and_grad(logit, target, g).value == (agrees ? 0 : inf));
      CHECK(g[0] == (agrees ? 0 : y > 0 ? -1 : 1));
    }
}

TEST_CASE(
    "An element of weight 0 contributes nothing, even if it holds NaN; without the weight it spoils its row "
    "only") {
  index_t const rows = 18, bad = 9;
  for (index_t const labels : {1, 3, 50}) {
    matrix<float> z(rows, labels, arrangement::contiguous, normal_values(rows * labels, 6));
    matrix<float> const y(rows, labels, arrangement::contiguous, uniform_values(rows * labels, 7, 0, 1));
    matrix<float> w(rows, labels), g(rows, labels), h(rows, labels);
    w.fill(1);
    w(bad, 0) = 0;
    sage::binary_cross_entropy_loss const loss;
    auto const clean = loss.value_and_grad(z.view(), y.view(), g.view(), sage::element_weights(w.view()));
    std::vector<float> values(static_cast<std::size_t>(rows)), spoilt(values);
    loss.per_sample(z.view(), y.view(), values);
    z(bad, 0) = nan_f;
    auto const silenced = loss.value_and_grad(z.view(), y.view(), h.view(), sage::element_weights(w.view()));
    CHECK(same_bits(silenced.value, clean.value));
    CHECK(silenced.non_finite == 0);
    CHECK(same_bits(g.values(), h.values()));
    loss.per_sample(z.view(), y.view(), spoilt);
    CHECK(std::isnan(spoilt[bad]));
    spoilt[bad] = values[bad];
    CHECK(same_bits(spoilt, values));
  }
}

TEST_CASE("A mistake in the arguments of binary cross entropy is one sentence") {
  std::vector<float> const z(6, 0.0f), w{1, 1}, negative{1, -1, 1};
  auto const logits = sage::strided_view{z.data(), sage::extents{2, 3}};
  auto const transposed = sage::strided_view{z.data(), sage::extents{3, 2}};
  sage::binary_cross_entropy_loss const loss;
  CHECK_THROWS_WITH(loss(logits, transposed),
                    "binary_cross_entropy_loss: targets has shape (3, 2), logits (2, 3)");
  CHECK_THROWS_WITH(loss(logits, logits, sage::positive_weights(w)),
                    "binary_cross_entropy_loss: positive_weights has shape (2), expected (3)");
  CHECK_THROWS_WITH(loss(logits, logits, sage::positive_weights(negative)),
                    "binary_cross_entropy_loss: positive_weights[1] is -1, expected finite and >= 0");
  CHECK_THROWS_WITH(loss(logits, logits, sage::element_weights(transposed)),
                    "binary_cross_entropy_loss: element_weights has shape (3, 2), logits (2, 3)");
  CHECK_THROWS_WITH(
      (sage::binary_cross_entropy_loss{.over_labels = sage::reduction::mean_active})(logits, logits),
      "binary_cross_entropy_loss: over_labels is mean_active, expected mean or sum");
  std::vector<float> const empty;
  auto const none = sage::strided_view{empty.data(), sage::extents{0, 3}};
  CHECK(std::isnan(loss(none, none).value));  // as in PyTorch
}

// Consistency ----------------------------------------------------------------------------------------------------

namespace {

// The distribution of one label, by the definition.
row of_logit(real z) { return {sigmoid(z), sigmoid(-z)}; }

real consistency(divergence const& d, row const& z, row const& other, real temperature) {
  real s = 0;
  for (std::size_t k = 0; k < z.size(); ++k)
    s += d(of_logit(z[k] / temperature), of_logit(other[k] / temperature));
  return s;
}

real js(row const& p, row const& q) { return jensen_shannon(p, q, real(0.5)); }

// One label in float: relative errors of value and gradients at every perturbation of a logit of any size up
// to 20, beyond which differences in 113 bits are too coarse.
template <class Executor, class Divergence>
void sweep(Executor const& ex, Divergence const& of, divergence const& definition) {
  tolerances<float> const tolerance;
  reference::random r(3);
  for (int decade = -6; decade <= 1; ++decade)
    for (float const z : {-20.0f, -3.0f, 0.0f, 0.7f, 9.0f, 20.0f}) {
      auto const other =
          static_cast<float>(z + std::pow(10, decade) * (0.5 + r.uniform()) * (z > 0 ? -1 : 1));
      if (other == z) continue;
      std::vector<float> const a{z}, b{other};
      std::vector<float> g(1), h(1);
      auto const value =
          sage::binary_consistency_loss<Divergence>{.divergence = of}.value_and_grad(ex, a, b, g, h).value;
      auto const f = [&](std::vector<row> const& x) { return consistency(definition, x[0], x[1], 1); };
      std::vector<row> const x{{z}, {other}};
      real const expected = f(x), resolution = 0x1p-106;
      CAPTURE(decade, z, other);
      relative_error e;
      e.add(value, expected);
      CHECK(value >= 0);
      if (expected > resolution * 10000) CHECK(e.value(resolution) <= tolerance.jensen_shannon);
      auto const slope = gradient(f, x);
      // p (log ratio − divergence) rounds to the order of the probability times both.
      for (std::size_t k = 0; k < 2; ++k) {
        relative_error of_slope;
        of_slope.add((k == 0 ? g : h)[0], slope[k][0]);
        real const rounding = tolerance.jensen_shannon_cancellation * expected + resolution * (1 << 24);
        CAPTURE(k);
        if (rounding < of_slope.norm() / 2) CHECK(of_slope.value(rounding) <= tolerance.jensen_shannon);
      }
    }
}

}  // namespace

TEST_CASE(
    "Binary consistency and its gradients are those of differences of the definition, on every executor") {
  for (index_t const labels : {1, 3, 16, 17, 33, 65}) {
    auto const p = random_problem(2, rows_for(labels), labels, static_cast<std::uint64_t>(labels), 2);
    auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
      return 9 * consistency(js, x[0], x[1], 2) / static_cast<int>(labels);
    });
    // T = 3 and s = 1.5 are the temperature 2; the factor is that of T.
    sage::binary_consistency_loss<> const loss{
        .temperature = 3, .temperature_squared = true, .logit_scale = 1.5};
    compare_in_float<2>(loss, p, expected);
  }
  auto const p = random_problem(2, 5, 20, 2, 2);
  auto const summed = answers_of(p, false, [&](std::vector<row> const& x, index_t) {
    return consistency([](row const& a, row const& b) { return kullback_leibler(a, b); }, x[0], x[1], 1);
  });
  sage::binary_consistency_loss<sage::kullback_leibler> const kl{.over_labels = sage::reduction::sum};
  compare<float, 2>(sage::exec::scalar{}, kl, p, summed, arrangement::contiguous);
}

TEST_CASE("Binary consistency keeps its digits at every perturbation, also where the sigmoid is saturated") {
  sweep(sage::exec::simd{}, sage::jensen_shannon{}, js);
  sweep(sage::exec::scalar{}, sage::kullback_leibler{},
        [](row const& p, row const& q) { return kullback_leibler(p, q); });
}

TEST_CASE("One label is the softmax of two classes with the logits z and 0, for every divergence") {
  std::vector<float> const z{1.25f, -0.5f, 30}, other{0.75f, 2, 28};
  sage::exec::scalar const ex;
  auto const same = [&](auto const& of) {
    using divergence = std::remove_cvref_t<decltype(of)>;
    for (std::size_t i = 0; i < z.size(); ++i) {
      std::vector<float> const a{z[i]}, b{other[i]}, a2{z[i], 0}, b2{other[i], 0};
      std::vector<float> g(1), h(1), g2(2), h2(2);
      auto const one =
          sage::binary_consistency_loss<divergence>{.divergence = of}.value_and_grad(ex, a, b, g, h);
      auto const two =
          sage::consistency_loss<divergence>{.divergence = of}.value_and_grad(ex, a2, b2, g2, h2);
      CHECK(one.value == Approx(two.value).epsilon(1e-5));
      CHECK(g[0] == Approx(g2[0]).epsilon(1e-4));
      CHECK(h[0] == Approx(h2[0]).epsilon(1e-4));
    }
  };
  same(sage::jensen_shannon{});
  same(sage::jeffreys{});
  same(sage::total_variation{});
}

TEST_CASE(
    "Equal binary logits agree, infinite ones too; certainty against certainty of the opposite is ln 2") {
  sage::binary_consistency_loss<> const loss;
  for (float const z : {0.0f, -3.5f, 3e38f, inf, -inf, std::numeric_limits<float>::denorm_min()}) {
    std::vector<float> const a{z};
    std::vector<float> g(1, 1.0f), h(1, 1.0f);
    CAPTURE(z);
    CHECK(loss.value_and_grad(a, a, g, h).value == 0);
    CHECK((g[0] == 0 && h[0] == 0));
  }
  std::vector<float> const yes{inf}, no{-inf}, high{3e38f}, low{-3e38f}, bad{nan_f};
  CHECK(loss(yes, no).value == Approx(std::log(2.0)));
  CHECK(loss(high, low).value == Approx(std::log(2.0)));
  CHECK(std::isnan(loss(yes, bad).value));
  CHECK(sage::binary_consistency_loss<sage::kullback_leibler>{}(sage::exec::scalar{}, yes, no).value == inf);
}
