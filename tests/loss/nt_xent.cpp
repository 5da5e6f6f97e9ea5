#include "loss/labelled_batch.hpp"

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

batch_answer definition(distance const& d, std::vector<row> const& x, std::vector<int> const& y, double temperature,
                  sage::reduction reduction) {
  batch_answer r;
  real sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    for (real const l : nt_xent_pairs(d, x, y, i, real(temperature))) {
      sum += l;
      ++r.counted;
    }
  r.value = reduction == sage::reduction::sum ? sum : sum / static_cast<int>(r.counted);
  r.active = r.counted;  // exp(−2/T) of two unit rows is far from underflow
  return r;
}

template <class Loss>
labelled_batch batch_for(Loss const& loss, index_t rows, index_t length) {
  return {[&](std::vector<row> const& x, std::vector<int> const& y) {
            return definition(cosine_of, x, y, loss.temperature, loss.reduction);
          },
          rows, length};
}

}  // namespace

// Temperature 1 in float: at 0.07 the exponents have fourteen times the rounding errors of the distances.
TEST_CASE("NT-Xent is its definition, and its gradient is differences of it") {
  using sage::reduction;
  auto const everywhere = [](reduction by, index_t rows, index_t length) {
    sage::nt_xent_loss<> const loss{.temperature = 1, .reduction = by};
    compare_batch_everywhere(loss, batch_for(loss, rows, length));
  };
  for (index_t const length : {2, 7, 33}) everywhere(reduction::mean, 9, length);
  everywhere(reduction::mean_active, 17, 5);
  everywhere(reduction::sum, 12, 5);
  // More rows than a tile holds.
  sage::nt_xent_loss<> const loss;
  compare_batch<double>(sage::exec::scalar{}, loss, batch_for(loss, 67, 3));
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
  CHECK(sage::nt_xent_loss<sage::dot_product>{.temperature = 1}(batch_view(x, 4), std::vector<int>{0, 0, 1, 2}).value ==
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
  CHECK(sage::nt_xent_loss<>{}(batch_view(line, 4), std::vector<int>{0, 0, 1, 1}).value == Approx(std::log(3.0)));
}

TEST_CASE("NT-Xent without pairs or without negatives is 0, and so is its gradient") {
  std::vector<float> x{1, 2, 3, 4, 5, 6}, dx(6, 42);
  sage::nt_xent_loss<> const loss;
  auto const without_pairs = loss.value_and_grad(batch_view(x, 3), std::vector<int>{1, 2, 3}, batch_view(dx, 3));
  CHECK((without_pairs.value == 0 && without_pairs.pairs == 0 && without_pairs.non_finite == 0));
  for (float const d : dx) CHECK(d == 0);
  dx.assign(6, 42);
  auto const without_negatives = loss.value_and_grad(batch_view(x, 3), std::vector<int>{5, 5, 5}, batch_view(dx, 3));
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
  check_bad_row(sage::nt_xent_loss<>{.temperature = 1, .reduction = sage::reduction::sum});
  // Alone in its label it has no loss, bad or not, and a sample left out makes no pairs for the mean.
  index_t const rows = 9;
  auto x = to<float>(batch_of(rows, 4, 83).values(0, rows));
  std::vector<float> g(x.size());
  auto const y = labels_of(rows);
  x.back() = std::numeric_limits<float>::quiet_NaN();
  sage::nt_xent_loss<> const mean{.temperature = 1};
  CHECK(std::isfinite(mean.value_and_grad(batch_view(x, rows), y, batch_view(g, rows)).value));
  for (float const d : g) CHECK(std::isfinite(d));
  std::vector<int> without(static_cast<std::size_t>(rows), 1);
  without[4] = 0;
  auto const sum = sage::nt_xent_loss<>{.temperature = 1, .reduction = sage::reduction::sum}(batch_view(x, rows), y,
                                                                                          sage::weights(without));
  CHECK(mean(batch_view(x, rows), y, sage::weights(without)).value ==
        Approx(sum.value / static_cast<float>(sum.pairs)));
}

TEST_CASE("Weights and upstream values of NT-Xent scale the samples' losses and gradients") {
  check_weights(sage::nt_xent_loss<>{.temperature = 0.5}, {2, 2, 1});
}

TEST_CASE("NT-Xent is bitwise the same for any number of threads and any order of the tasks") {
  check_schedules(sage::nt_xent_loss<>{});
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
