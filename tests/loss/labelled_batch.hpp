#pragma once

#include "loss/batch.hpp"

#include <sage/tensor/gradient.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

/// What holds for every loss that finds its pairs or triplets in a batch of rows with labels.
namespace reference {

/// Three labels of any value, and one sample that is alone in its own.
inline std::vector<int> labels_of(index_t rows) {
  int const classes[] = {7, -3, 1000000007};
  std::vector<int> y;
  for (index_t i = 0; i < rows; ++i) y.push_back(classes[i * i % 7 % 3]);
  y.back() = 42;
  return y;
}

template <class T>
auto batch_view(std::vector<T>& v, index_t rows) {
  return sage::strided_view{v.data(), sage::extents{rows, static_cast<index_t>(v.size()) / rows}};
}

struct batch_answer {
  real value = 0;
  index_t counted = 0, active = 0;  // triplets or pairs
};

/// How many triplets or pairs a result counts.
template <class Result>
index_t counted_by(Result const& r) {
  if constexpr (requires { r.pairs; }) {
    return r.pairs;
  } else {
    return r.triplets;
  }
}

/// A batch with the answer of a definition, `definition(rows, labels)`, once for all executors.
struct labelled_batch {
  std::vector<int> labels;
  batch_data x;
  batch_answer expected;
  batch_gradient gradient;

  template <class Definition>
  labelled_batch(Definition const& definition, index_t rows, index_t length)
      : labels(labels_of(rows)),
        x(batch_of(rows, length, static_cast<std::uint64_t>(rows + length))),
        expected(definition(x.rows, labels)),
        gradient([&](std::vector<row> const& at) { return definition(at, labels).value; }, x.rows) {}
};

template <class T, class Executor, class Loss>
void compare_batch(Executor const& executor, Loss const& loss, labelled_batch const& b) {
  auto const rows = static_cast<index_t>(b.labels.size());
  matrix<T> const x(rows, b.x.length, arrangement::pitched, b.x.values(0, rows));
  matrix<T> dx(rows, b.x.length, arrangement::reversed);
  auto const r = loss.value_and_grad(executor, x.view(), b.labels, dx.view());
  CAPTURE(rows, b.x.length);
  CHECK(relative(r.value, b.expected.value) <= tolerances<T>{}.value);
  CHECK(counted_by(r) == b.expected.counted);
  CHECK(r.active == b.expected.active);
  CHECK(r.non_finite == 0);
  CHECK(same_bits(loss(executor, x.view(), b.labels).value, r.value));
  auto const g = [&](std::size_t i, std::size_t j) {
    return real(dx(static_cast<index_t>(i), static_cast<index_t>(j)));
  };
  CHECK(b.gradient.error(g) <= tolerances<T>{}.gradient);
  CHECK(dx.gaps_are_untouched());
}

template <class Loss>
void compare_batch_everywhere(Loss const& loss, labelled_batch const& b) {
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name());
    compare_batch<float>(executor, loss, b);
  });
}

/// A row with NaN or infinity is NaN for its own sample and no candidate of the others, which stay as without it; left
/// out by its weight it may hold anything. `sum` has the reduction sum.
template <class Loss>
void check_bad_row(Loss const& sum) {
  using limits = std::numeric_limits<float>;
  index_t const rows = 9, length = 4, bad = 4;
  auto const b = batch_of(rows, length, 71);
  auto const y = labels_of(rows);
  std::vector<unsigned char> without(static_cast<std::size_t>(rows), 1);
  without[bad] = 0;
  auto x = to<float>(b.values(0, rows));
  std::vector<float> clean(x.size()), g(x.size()), out(static_cast<std::size_t>(rows)), clean_out(out);
  auto const expected =
      sum.value_and_grad(batch_view(x, rows), y, batch_view(clean, rows), sage::weights(without));
  CHECK(counted_by(expected) > 0);
  sum.per_sample(batch_view(x, rows), y, clean_out, sage::weights(without));
  for (float const value : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()}) {
    x[bad * length + 1] = value;
    auto const masked = sum.value_and_grad(batch_view(x, rows), y, batch_view(g, rows), sage::weights(without));
    CHECK(same_bits(masked.value, expected.value));
    CHECK(same_bits(g, clean));
    auto const r = sum.value_and_grad(batch_view(x, rows), y, batch_view(g, rows));
    CHECK(r.non_finite == 1);
    CHECK(std::isnan(r.value));
    sum.per_sample(batch_view(x, rows), y, out);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i == bad) {
        CHECK(std::isnan(out[i]));
        CHECK(std::isnan(g[i * length]));
      } else {
        CHECK(same_bits(out[i], clean_out[i]));
        for (std::size_t j = 0; j < length; ++j) CHECK(same_bits(g[i * length + j], clean[i * length + j]));
      }
    }
  }
}

/// Of eight samples, three of label 0 and of 1, two of 2: weights multiply the terms of a sample, of which there are
/// `counts[label]`, and upstream values its gradient. `mean` has the reduction mean.
template <class Loss>
void check_weights(Loss const& mean, std::vector<double> const& counts) {
  index_t const rows = 8, length = 3;
  std::vector<int> const y{0, 0, 1, 1, 2, 2, 0, 1};
  auto const x = to<double>(batch_of(rows, length, 72).values(0, rows));
  auto const as_matrix = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, length}}; };
  sage::exec::scalar const scalar;
  std::vector<double> const w{1, 2, 0.5, 3, 1, 1, 0.25, 1};
  std::vector<double> losses(8), weighted(8), g(24), h(24);
  mean.per_sample(scalar, as_matrix(x), y, losses);
  mean.per_sample(scalar, as_matrix(x), y, weighted, sage::weights(w));
  double total = 0, count = 0, all = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    double const terms = counts[static_cast<std::size_t>(y[i])];
    CHECK(weighted[i] == Approx(w[i] * losses[i]));
    total += weighted[i];
    count += w[i] * terms;
    all += terms;
  }
  auto const r = mean.value_and_grad(scalar, as_matrix(x), y, as_matrix(g), sage::weights(w));
  CHECK(r.value == Approx(total / count));
  CHECK(static_cast<double>(counted_by(r)) == all);
  std::vector<double> upstream(w);
  for (auto& u : upstream) u /= count;
  mean.backward(scalar, upstream, as_matrix(x), y, as_matrix(h));
  for (std::size_t i = 0; i < 24; ++i) CHECK(h[i] == Approx(g[i]));
  mean.backward(scalar, -2.0, as_matrix(x), y, sage::add_to(as_matrix(h)), sage::weights(w));
  for (std::size_t i = 0; i < 24; ++i) CHECK(h[i] == Approx(-g[i]));
}

/// Bitwise the same for any number of threads and any order of the tasks.
template <class Loss>
void check_schedules(Loss const& loss) {
  index_t const rows = 150, length = 40;  // more than two tiles
  auto const b = batch_of(rows, length, 73);
  auto const y = labels_of(rows);
  matrix<float> const x(rows, length, arrangement::contiguous, b.values(0, rows));
  auto const run = [&](any_executor const& e) {
    matrix<float> g(rows, length);
    auto all = std::vector<float>{loss.value_and_grad(e, x.view(), y, g.view()).value};
    for (float const v : g.values()) all.push_back(v);
    return all;
  };
  auto const once = run(widest_executor());
  CHECK(same_bits(run({any_executor::threads}), once));
  CHECK(same_bits(run({any_executor::descending}), once));
}

}  // namespace reference
