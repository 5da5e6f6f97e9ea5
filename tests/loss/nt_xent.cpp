#include "loss/batch.hpp"

#include <sage/formula/dot_product.hpp>
#include <sage/loss/nt_xent.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace reference;
using sage::extents;

real cosine_of(row const& u, row const& v) { return cosine_distance(u, v, real(1e-8)); }
real minus_dot(row const& u, row const& v) { return -dot(u, v); }

// Three labels of any value, and one sample that is alone in its own.
std::vector<int> labels_of(index_t rows) {
  int const classes[] = {7, -3, 1000000007};
  std::vector<int> y;
  for (index_t i = 0; i < rows; ++i) y.push_back(classes[i * i % 7 % 3]);
  y.back() = 42;
  return y;
}

struct answer {
  real value = 0;
  index_t pairs = 0;
};

answer definition(distance const& d, std::vector<row> const& x, std::vector<int> const& y, double temperature,
                  sage::reduction reduction) {
  answer r;
  real sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (real const l : nt_xent_pairs(d, x, y, i, real(temperature))) {
      sum += l;
      ++r.pairs;
    }
  r.value = reduction == sage::reduction::sum ? sum : sum / static_cast<int>(r.pairs);
  return r;
}

/// A batch with the answers for one loss, once for all executors.
struct labelled_batch {
  std::vector<int> labels;
  batch_data x;
  answer expected;
  batch_gradient gradient;

  template <class Loss>
  labelled_batch(Loss const& loss, distance const& d, index_t rows, index_t length, double scale = 1)
      : labels(labels_of(rows)),
        x(batch_of(rows, length, static_cast<std::uint64_t>(rows + length), scale)),
        expected(definition(d, x.rows, labels, loss.temperature, loss.reduction)),
        gradient(
            [&](std::vector<row> const& at) {
              return definition(d, at, labels, loss.temperature, loss.reduction).value;
            },
            x.rows) {}
};

template <class T, class Executor, class Loss>
void compare(Executor const& executor, Loss const& loss, labelled_batch const& b) {
  auto const rows = static_cast<index_t>(b.labels.size());
  matrix<T> const x(rows, b.x.length, arrangement::pitched, b.x.values(0, rows));
  matrix<T> dx(rows, b.x.length, arrangement::reversed);
  auto const r = loss.value_and_grad(executor, x.view(), b.labels, dx.view());
  CAPTURE(rows, b.x.length);
  CHECK(relative(r.value, b.expected.value) <= tolerances<T>{}.value);
  CHECK(r.pairs == b.expected.pairs);
  CHECK(r.active == b.expected.pairs);  // exp(−2/T) of two unit rows is far from underflow
  CHECK(r.non_finite == 0);
  CHECK(same_bits(loss(executor, x.view(), b.labels).value, r.value));
  auto const g = [&](std::size_t i, std::size_t j) {
    return real(dx(static_cast<index_t>(i), static_cast<index_t>(j)));
  };
  CHECK(b.gradient.error(g) <= tolerances<T>{}.gradient);
  CHECK(dx.gaps_are_untouched());
}

auto view(std::vector<float>& v, index_t rows) {
  return sage::strided_view{v.data(), extents{rows, static_cast<index_t>(v.size()) / rows}};
}

}  // namespace

// Temperature 1 in float: at 0.07 the exponents have fourteen times the rounding errors of the distances.
TEST_CASE("NT-Xent is its definition, and its gradient is differences of it") {
  using sage::reduction;
  auto const everywhere = [](reduction by, index_t rows, index_t length) {
    sage::nt_xent_loss<> const loss{.temperature = 1, .reduction = by};
    labelled_batch const b(loss, cosine_of, rows, length);
    for_each_executor([&](any_executor const& executor) {
      CAPTURE(executor.name());
      compare<float>(executor, loss, b);
    });
  };
  for (index_t const length : {2, 7, 33}) everywhere(reduction::mean, 9, length);
  everywhere(reduction::mean_active, 17, 5);
  everywhere(reduction::sum, 12, 5);
  // More rows than a tile holds.
  sage::nt_xent_loss<> const loss;
  compare<double>(sage::exec::scalar{}, loss, labelled_batch(loss, cosine_of, 67, 3));
}

TEST_CASE("NT-Xent with scalar products keeps every digit of a loss near 0, and overflows at no temperature") {
  // Distances of a hundred over a temperature of 0.01: exponents of 10 000, and many losses underflow.
  std::vector<int> const y{0, 0, 1, 1, 0};
  auto const b = batch_of(5, 9, 81, 3);
  for (double const temperature : {100.0, 1.0, 0.01}) {
    sage::nt_xent_loss<sage::dot_product> const loss{.temperature = temperature};
    auto const value = [&](std::vector<row> const& at) {
      return definition(minus_dot, at, y, temperature, loss.reduction).value;
    };
    matrix<double> const x(5, 9, arrangement::contiguous, b.values(0, 5));
    matrix<double> dx(5, 9);
    CAPTURE(temperature);
    CHECK(relative(loss.value_and_grad(sage::exec::scalar{}, x.view(), y, dx.view()).value, value(b.rows)) <=
          tolerances<double>{}.value);
    CHECK(batch_gradient(value, b.rows).error([&](std::size_t i, std::size_t j) {
      return real(dx(static_cast<index_t>(i), static_cast<index_t>(j)));
    }) <= tolerances<double>{}.gradient);
  }
  // Of either row of the pair: −log(e^20/(e^20 + 2)) = log1p(2 e^−20) = 4.12e-9.
  std::vector<float> x{20, 0, 1, 0, 0, 1, 0, -1};
  CHECK(sage::nt_xent_loss<sage::dot_product>{.temperature = 1}(view(x, 4), std::vector<int>{0, 0, 1, 2}).value ==
        Approx(4.1223072e-9).epsilon(1e-6));
}

TEST_CASE("NT-Xent of pictures in two views is the loss of SimCLR, and of rows in one direction log 3") {
  // Chen et al., ICML 2020, equation 1: cross entropy of the other view among all rows but oneself.
  auto const b = batch_of(8, 5, 82);
  std::vector<int> const y{0, 1, 2, 3, 0, 1, 2, 3};
  real sum = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    row distances{cosine_of(b.rows[i], b.rows[(i + 4) % 8])};
    for (std::size_t k = 0; k < 8; ++k)
      if (k != i && k != (i + 4) % 8) distances.push_back(cosine_of(b.rows[i], b.rows[k]));
    sum += info_nce(distances, real(0.5));
  }
  matrix<double> const x(8, 5, arrangement::contiguous, b.values(0, 8));
  auto const r = sage::nt_xent_loss<>{.temperature = 0.5}(sage::exec::scalar{}, x.view(), y);
  CHECK(relative(r.value, sum / 8) <= tolerances<double>{}.value);
  CHECK(r.pairs == 8);
  // The example of optax.ntxent: 1.0986123.
  std::vector<float> line{0.08969027f, 1.6291292f, 0.8622629f, 0.13612625f};
  CHECK(sage::nt_xent_loss<>{}(view(line, 4), std::vector<int>{0, 0, 1, 1}).value == Approx(std::log(3.0)));
}

TEST_CASE("NT-Xent without pairs or without negatives is 0, and so is its gradient") {
  std::vector<float> x{1, 2, 3, 4, 5, 6}, dx(6, 42);
  sage::nt_xent_loss<> const loss;
  auto const without_pairs = loss.value_and_grad(view(x, 3), std::vector<int>{1, 2, 3}, view(dx, 3));
  CHECK((without_pairs.value == 0 && without_pairs.pairs == 0 && without_pairs.non_finite == 0));
  for (float const d : dx) CHECK(d == 0);
  dx.assign(6, 42);
  auto const without_negatives = loss.value_and_grad(view(x, 3), std::vector<int>{5, 5, 5}, view(dx, 3));
  CHECK((without_negatives.value == 0 && without_negatives.pairs == 6 && without_negatives.active == 0));
  for (float const d : dx) CHECK(d == 0);
  std::vector<float> none;
  sage::strided_view const empty{none.data(), extents{0, 5}};
  CHECK(loss.value_and_grad(empty, std::vector<int>{}, empty).value == 0);
  // Without elements all distances are the same: log(1 + 2 negatives).
  sage::strided_view const hollow{none.data(), extents{4, 0}};
  CHECK(loss.value_and_grad(hollow, std::vector<int>{0, 0, 1, 1}, hollow).value == Approx(std::log(3.0)));
}

TEST_CASE("A bad row gives NaN for its own sample of NT-Xent and leaves the others as if it were not there") {
  using limits = std::numeric_limits<float>;
  index_t const rows = 9, length = 4, bad = 4;
  auto const b = batch_of(rows, length, 83);
  auto const y = labels_of(rows);
  std::vector<unsigned char> without(static_cast<std::size_t>(rows), 1);
  without[bad] = 0;
  sage::nt_xent_loss<> const loss{.temperature = 1, .reduction = sage::reduction::sum}, mean{.temperature = 1};
  auto x = to<float>(b.values(0, rows));
  std::vector<float> clean(x.size()), g(x.size()), out(static_cast<std::size_t>(rows)), clean_out(out);
  auto const expected = loss.value_and_grad(view(x, rows), y, view(clean, rows), sage::weights(without));
  auto const expected_mean = mean(view(x, rows), y, sage::weights(without)).value;
  CHECK(expected_mean == Approx(expected.value / static_cast<float>(expected.pairs)));
  loss.per_sample(view(x, rows), y, clean_out, sage::weights(without));
  for (float const value : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()}) {
    x[bad * length + 1] = value;
    auto const masked = loss.value_and_grad(view(x, rows), y, view(g, rows), sage::weights(without));
    CHECK(same_bits(masked.value, expected.value));
    CHECK(same_bits(g, clean));
    auto const r = loss.value_and_grad(view(x, rows), y, view(g, rows));
    CHECK(r.non_finite == 1);
    CHECK(std::isnan(r.value));
    loss.per_sample(view(x, rows), y, out);
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
  // Alone in its label it has no loss, bad or not.
  x = to<float>(b.values(0, rows));
  x.back() = limits::quiet_NaN();
  CHECK(std::isfinite(loss.value_and_grad(view(x, rows), y, view(g, rows)).value));
  for (float const d : g) CHECK(std::isfinite(d));
}

TEST_CASE("Weights, reductions and upstream values of NT-Xent scale the samples' losses and gradients") {
  index_t const rows = 8, length = 3;
  std::vector<int> const y{0, 0, 1, 1, 2, 2, 0, 1};
  auto const x = to<double>(batch_of(rows, length, 84).values(0, rows));
  auto const as_matrix = [&](auto& v) { return sage::strided_view{v.data(), extents{rows, length}}; };
  sage::nt_xent_loss<> const mean{.temperature = 0.5};
  std::vector<double> const w{1, 2, 0.5, 3, 1, 1, 0.25, 1}, pairs{2, 2, 2, 2, 1, 1, 2, 2};
  std::vector<double> losses(8), weighted(8), g(24), h(24);
  mean.per_sample(sage::exec::scalar{}, as_matrix(x), y, losses);
  mean.per_sample(sage::exec::scalar{}, as_matrix(x), y, weighted, sage::weights(w));
  double total = 0, count = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    CHECK(weighted[i] == Approx(w[i] * losses[i]));
    total += weighted[i];
    count += w[i] * pairs[i];
  }
  auto const r =
      mean.value_and_grad(sage::exec::scalar{}, as_matrix(x), y, as_matrix(g), sage::weights(w));
  CHECK(r.value == Approx(total / count));
  CHECK(r.pairs == 14);
  std::vector<double> upstream(w);
  for (auto& u : upstream) u /= count;
  mean.backward(sage::exec::scalar{}, upstream, as_matrix(x), y, as_matrix(h));
  for (std::size_t i = 0; i < 24; ++i) CHECK(h[i] == Approx(g[i]));
  mean.backward(sage::exec::scalar{}, -2.0, as_matrix(x), y, sage::add_to(as_matrix(h)), sage::weights(w));
  for (std::size_t i = 0; i < 24; ++i) CHECK(h[i] == Approx(-g[i]));
}

TEST_CASE("NT-Xent is bitwise the same for any number of threads and any order of the tasks") {
  index_t const rows = 150, length = 40;
  auto const b = batch_of(rows, length, 85);
  auto const y = labels_of(rows);
  matrix<float> const x(rows, length, arrangement::contiguous, b.values(0, rows));
  any_executor const widest{sage::exec::has_isa(sage::exec::isa::avx512) ? any_executor::avx512
                            : sage::exec::has_isa(sage::exec::isa::avx2) ? any_executor::avx2
                                                                         : any_executor::baseline};
  auto const run = [&](any_executor const& e) {
    matrix<float> g(rows, length);
    auto all = std::vector<float>{sage::nt_xent_loss<>{}.value_and_grad(e, x.view(), y, g.view()).value};
    for (float const v : g.values()) all.push_back(v);
    return all;
  };
  auto const once = run(widest);
  CHECK(same_bits(run({any_executor::threads}), once));
  CHECK(same_bits(run({any_executor::descending}), once));
}

TEST_CASE("Shapes and options of NT-Xent that do not fit are named in a sentence, before anything is written") {
  std::vector<float> memory(64, 42);
  auto const at = [&](index_t first, auto const& e) { return sage::strided_view{memory.data() + first, e}; };
  auto const x = at(0, extents{4, 3});
  std::vector<int> const y{0, 0, 1, 1};
  sage::nt_xent_loss<> const loss;
  CHECK_THROWS_WITH(loss(x, std::vector<int>{0, 1}),
                    "nt_xent_loss: labels has shape (2), expected one element for each of 4 rows");
  CHECK_THROWS_WITH(loss.value_and_grad(x, y, at(16, extents{4, 2})),
                    "nt_xent_loss: d_embeddings has shape (4, 2), embeddings (4, 3)");
  CHECK_THROWS_WITH(loss.value_and_grad(x, y, x),
                    "nt_xent_loss: d_embeddings overlaps embeddings, expected separate memory");
  CHECK_THROWS_WITH((sage::nt_xent_loss<>{.temperature = 0}(x, y)),
                    "nt_xent_loss: temperature is 0, expected > 0");
  for (float const m : memory) CHECK(m == 42);
}
