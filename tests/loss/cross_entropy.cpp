#include "loss/compare.hpp"

#include <sage/loss/cross_entropy.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using namespace reference;

std::vector<std::int32_t> labels_for(index_t rows, index_t classes) {
  std::vector<std::int32_t> y;
  for (index_t i = 0; i < rows; ++i) y.push_back(static_cast<std::int32_t>((3 * i + 1) % classes));
  return y;
}

}  // namespace

TEST_CASE(
    "Cross entropy and its gradient are those of differences of the definition, with and without smoothing") {
  for (index_t const classes : edge_lengths) {
    if (classes == 1) continue;  // zero without smoothing, and with it
    for (double const smoothing : {0.0, 0.125}) {
      auto const p = random_problem(1, rows_for(classes), classes, static_cast<std::uint64_t>(classes), 3);
      auto const y = labels_for(p.rows, classes);
      auto const expected = answers_of(p, false, [&](std::vector<row> const& x, index_t i) {
        return cross_entropy(x[0], y[static_cast<std::size_t>(i)], real(smoothing));
      });
      CAPTURE(smoothing);
      compare_everywhere<1>(sage::cross_entropy_loss{.label_smoothing = smoothing}, p, expected, y);
    }
  }
}

TEST_CASE("A confident prediction keeps the digits of its loss and gradient") {
  // z_y leads by 30: the loss is e^−30, 2^19 times below what 1 − p could show in float.
  std::vector<float> const z{30, 0, 0};
  std::vector<int> const y{0};
  std::vector<float> g(3);
  auto const r = sage::cross_entropy_loss{}.value_and_grad(z, y, g);
  CHECK(relative(r.value, cross_entropy({30, 0, 0}, 0, 0)) <= tolerances<float>{}.value);
  CHECK(g[0] == Approx(-2 * std::exp(-30.0)));
  CHECK(g[1] == Approx(std::exp(-30.0)));
}

TEST_CASE("The gradient of cross entropy sums to zero") {
  for (index_t const classes : {2, 33, 1000}) {
    std::vector<double> const z = normal_values(classes, 1, 4);
    std::vector<double> g(z.size());
    std::vector<long> const y{classes / 2};
    sage::cross_entropy_loss{.label_smoothing = 0.1}.value_and_grad(z, y, g);
    double sum = 0, magnitude = 0;
    for (double const d : g) sum += d, magnitude += std::abs(d);
    CHECK(magnitude > 0.5);
    CHECK(std::abs(sum) <= tolerances<double>{}.gradient * magnitude);
  }
}

TEST_CASE("Ignored samples count for nothing, even if they hold NaN, and the mean is over the others") {
  float const nan = std::numeric_limits<float>::quiet_NaN();
  index_t const rows = 5;
  for (index_t const classes : {3, 40}) {
    matrix<float> z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 4)),
        g(rows, classes);
    for (index_t j = 0; j < classes; ++j) z(2, j) = nan;
    std::vector<std::int64_t> const y{0, 1, 7, 2, 7};
    sage::cross_entropy_loss const loss{.ignore_index = 7};
    auto const r = loss.value_and_grad(z.view(), y, g.view());
    real mean = 0;
    for (index_t const i : {0, 1, 3})
      mean += cross_entropy(z.row_at(i), y[static_cast<std::size_t>(i)], 0) / 3;
    CHECK(relative(r.value, mean) <= tolerances<float>{}.value);
    CHECK(r.active == 3);
    CHECK(r.non_finite == 0);
    for (index_t j = 0; j < classes; ++j) CHECK((g(2, j) == 0 && g(4, j) == 0));
    relative_error e;
    for (index_t const i : {0, 1, 3}) {
      auto const d = gradient(
          [&](std::vector<row> const& x) {
            return cross_entropy(x[0], y[static_cast<std::size_t>(i)], 0) / 3;
          },
          {z.row_at(i)});
      for (index_t j = 0; j < classes; ++j) e.add(g(i, j), d[0][static_cast<std::size_t>(j)]);
    }
    CHECK(e.value() <= tolerances<float>{}.gradient);
    std::vector<float> out(5, nan);
    loss.per_sample(z.view(), y, out);
    CHECK((out[2] == 0 && out[4] == 0 && out[0] > 0));
  }
  // torch.nn.CrossEntropyLoss: 0/0 where every sample is ignored.
  std::vector<float> const z{1, 2};
  CHECK(std::isnan(sage::cross_entropy_loss{}(z, std::vector<int>{-100}).value));
  CHECK(sage::cross_entropy_loss{.reduction = sage::reduction::sum}(z, std::vector<int>{-100}).value == 0);
}

TEST_CASE("Labels of every integer type and stride give the same bits") {
  index_t const rows = 4, classes = 6;
  matrix<float> const z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 5));
  std::vector<std::uint8_t> const small{5, 0, 3, 2};
  std::int64_t const spread[] = {2, -1, 3, -1, 0, -1, 5};  // reversed, every second
  std::vector<unsigned short> const square{5, 0, 3, 2};
  sage::cross_entropy_loss const loss;
  float const expected = loss(z.view(), small).value;
  CHECK(same_bits(loss(z.view(), sage::strided_view{spread + 6, sage::extents{4}, sage::strides{-2}}).value,
                  expected));
  CHECK(same_bits(loss(z.view(), sage::strided_view{square.data(), sage::extents{2, 2}}).value, expected));
}

TEST_CASE("A logit of minus infinity is a class of probability zero for cross entropy, too") {
  float const inf = std::numeric_limits<float>::infinity();
  std::vector<float> const z{1, -inf, 2};
  std::vector<float> g(3);
  std::vector<int> const y{2}, absent{1};
  auto const r = sage::cross_entropy_loss{}.value_and_grad(z, y, g);
  CHECK(relative(r.value, cross_entropy({1, -infinity(), 2}, 2, 0)) <= tolerances<float>{}.value);
  CHECK(g[1] == 0);
  CHECK(g[0] == Approx(-g[2]));
  auto const never = sage::cross_entropy_loss{}(z, absent);
  CHECK(never.value == inf);
  CHECK(never.non_finite == 1);
}

TEST_CASE("Exotic logits make their own sample non-finite and leave the others as they were, bit for bit") {
  using limits = std::numeric_limits<float>;
  index_t const rows = 18, bad = 9;
  for (index_t const classes : {3, 50}) {
    matrix<float> z(rows, classes, arrangement::contiguous, normal_values(rows * classes, 6)),
        g(rows, classes);
    auto const y = labels_for(rows, classes);
    sage::cross_entropy_loss const loss{.reduction = sage::reduction::sum};
    auto const run = [&](index_t& non_finite) {
      std::vector<float> kept(static_cast<std::size_t>(rows));
      non_finite = loss.value_and_grad(z.view(), y, g.view()).non_finite;
      loss.per_sample(z.view(), y, kept);
      kept[bad] = 0;
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < classes; ++j)
          if (i != bad) kept.push_back(g(i, j));
      return kept;
    };
    index_t non_finite = 0;
    auto const clean = run(non_finite);
    for (float const x : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()}) {
      CAPTURE(classes, x);
      for (index_t j = 0; j < classes; ++j) z(bad, j) = x;
      CHECK(same_bits(run(non_finite), clean));
      CHECK(non_finite == 1);
    }
    for (float const x : {limits::max(), limits::lowest(), limits::denorm_min()}) {
      CAPTURE(classes, x);
      for (index_t j = 0; j < classes; ++j) z(bad, j) = x;
      CHECK(same_bits(run(non_finite), clean));
      CHECK(non_finite == 0);  // equal logits, however large: the loss is log K
    }
  }
}
