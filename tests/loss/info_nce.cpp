#include "loss/batch.hpp"

#include <sage/formula/dot_product.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/loss/info_nce.hpp>

#include <cmath>
#include <limits>
#include <vector>

namespace {

using namespace reference;
using sage::extents;

real cosine_of(row const& u, row const& v) { return cosine_distance(u, v, real(1e-8)); }
real minus_dot(row const& u, row const& v) { return -dot(u, v); }

// The mean of the in-batch losses; x holds the anchors, then the positives.
real in_batch_mean(distance const& d, std::vector<row> const& x, real temperature, bool symmetric) {
  std::size_t const n = x.size() / 2;
  auto const half = x.begin() + static_cast<std::ptrdiff_t>(n);
  std::vector<row> const a(x.begin(), half), p(half, x.end());
  real sum = 0;
  for (std::size_t i = 0; i < n; ++i) {
    real const l = info_nce_in_batch(d, a, p, i, temperature);
    sum += symmetric ? (l + info_nce_in_batch(d, p, a, i, temperature)) / 2 : l;
  }
  return sum / static_cast<int>(n);
}

// Anchor, positive, K negatives of one sample.
real with_negatives(distance const& d, std::vector<row> const& x, real temperature) {
  row distances;
  for (std::size_t k = 1; k < x.size(); ++k) distances.push_back(d(x[0], x[k]));
  return info_nce(distances, temperature);
}

/// The in-batch loss and its gradient by its definition, once for all executors.
struct in_batch_answers {
  index_t rows;
  batch_data x;
  real value;
  batch_gradient gradient;

  in_batch_answers(index_t n, index_t length, distance const& d, double temperature, bool symmetric)
      : rows(n),
        x(batch_of(2 * n, length, 51)),
        value(in_batch_mean(d, x.rows, real(temperature), symmetric)),
        gradient(
            [&](std::vector<row> const& at) { return in_batch_mean(d, at, real(temperature), symmetric); },
            x.rows) {}
};

template <class T, class Loss, class Executor>
void compare_in_batch(Executor const& executor, Loss const& loss, in_batch_answers const& expected) {
  index_t const rows = expected.rows, length = expected.x.length;
  matrix<T> a(rows, length, arrangement::contiguous, expected.x.values(0, rows)),
      p(rows, length, arrangement::pitched, expected.x.values(rows, rows)),
      da(rows, length, arrangement::strided), dp(rows, length);
  auto const r = loss.value_and_grad(executor, a.view(), p.view(), da.view(), dp.view());
  CAPTURE(rows, length);
  CHECK(relative(r.value, expected.value) <= tolerances<T>{}.value);
  CHECK(same_bits(loss(executor, a.view(), p.view()).value, r.value));
  auto const g = [&](std::size_t i, std::size_t j) {
    auto const n = static_cast<std::size_t>(rows);
    return real(i < n ? da(static_cast<index_t>(i), static_cast<index_t>(j))
                      : dp(static_cast<index_t>(i - n), static_cast<index_t>(j)));
  };
  CHECK(expected.gradient.error(g) <= tolerances<T>{}.gradient);
  CHECK(da.gaps_are_untouched());
}

struct sample_of_negatives {
  index_t rows, negatives, length;
  std::vector<double> a, p, n;

  sample_of_negatives(index_t rows_, index_t negatives_, index_t length_, double scale = 1)
      : rows(rows_),
        negatives(negatives_),
        length(length_),
        a(normal_values(rows * length, 61, scale)),
        p(normal_values(rows * length, 62, scale)),
        n(normal_values(rows * negatives * length, 63, scale)) {}
  std::vector<row> of(index_t i) const {
    std::vector<row> x{row_of(a, length, i), row_of(p, length, i)};
    for (index_t k = 0; k < negatives; ++k) x.push_back(row_of(n, length, i * negatives + k));
    return x;
  }
};

/// The loss of every sample and its gradients by its definition.
struct negatives_answers {
  std::vector<real> losses;
  std::vector<std::vector<row>> gradients;  // of sample i: anchor, positive, negatives

  negatives_answers(sample_of_negatives const& s, distance const& d, double temperature) {
    auto const definition = [&](std::vector<row> const& x) {
      return with_negatives(d, x, real(temperature));
    };
    for (index_t i = 0; i < s.rows; ++i) {
      losses.push_back(definition(s.of(i)));
      gradients.push_back(gradient(definition, s.of(i)));
    }
  }
};

template <class T, class Loss, class Executor>
void compare_negatives(Executor const& executor, Loss const& loss, sample_of_negatives const& s,
                       negatives_answers const& expected) {
  auto const a = to<T>(s.a), p = to<T>(s.p), n = to<T>(s.n);
  std::vector<T> da(a.size()), dp(p.size()), dn(n.size()), out(static_cast<std::size_t>(s.rows));
  auto const flat = [&](auto& v) { return sage::strided_view{v.data(), extents{s.rows, s.length}}; };
  auto const deep = [&](auto& v) {
    return sage::strided_view{v.data(), extents{s.rows, s.negatives, s.length}};
  };
  auto const value =
      loss.value_and_grad(executor, flat(a), flat(p), deep(n), flat(da), flat(dp), deep(dn)).value;
  loss.per_sample(executor, flat(a), flat(p), deep(n), out);
  auto const count = static_cast<int>(s.rows);
  auto const length = static_cast<std::size_t>(s.length), negatives = static_cast<std::size_t>(s.negatives);
  real mean = 0;
  relative_error losses, gradients;
  for (std::size_t i = 0; i < expected.losses.size(); ++i) {
    mean += expected.losses[i] / count;
    losses.add(out[i], expected.losses[i]);
    for (std::size_t j = 0; j < length; ++j) {
      gradients.add(da[i * length + j], expected.gradients[i][0][j] / count);
      gradients.add(dp[i * length + j], expected.gradients[i][1][j] / count);
      for (std::size_t k = 0; k < negatives; ++k)
        gradients.add(dn[(i * negatives + k) * length + j], expected.gradients[i][k + 2][j] / count);
    }
  }
  CHECK(relative(value, mean) <= tolerances<T>{}.value);
  CHECK(losses.value() <= tolerances<T>{}.value);
  CHECK(gradients.value() <= tolerances<T>{}.gradient);
}

/// The mean with K negatives that all anchors share, and its gradient; x holds anchors, positives, negatives.
struct shared_answers {
  index_t rows;
  batch_data x;
  real value;
  batch_gradient gradient;

  shared_answers(index_t n, index_t negatives, index_t length, distance const& d, double temperature)
      : shared_answers(n, batch_of(2 * n + negatives, length, 64), [=](std::vector<row> const& at) {
          auto const first = at.begin() + static_cast<std::ptrdiff_t>(2 * n);
          real sum = 0;
          for (auto i = static_cast<std::size_t>(0); i < static_cast<std::size_t>(n); ++i) {
            std::vector<row> sample{at[i], at[i + static_cast<std::size_t>(n)]};
            sample.insert(sample.end(), first, at.end());
            sum += with_negatives(d, sample, real(temperature));
          }
          return sum / static_cast<int>(n);
        }) {}

 private:
  template <class F>
  shared_answers(index_t n, batch_data const& data, F const& mean)
      : rows(n), x(data), value(mean(x.rows)), gradient(mean, x.rows) {}
};

template <class T, class Executor, class Loss>
void compare_shared(Executor const& executor, Loss const& loss, shared_answers const& expected) {
  index_t const rows = expected.rows, length = expected.x.length,
                negatives = static_cast<index_t>(expected.x.rows.size()) - 2 * rows;
  matrix<T> const a(rows, length, arrangement::contiguous, expected.x.values(0, rows)),
      p(rows, length, arrangement::pitched, expected.x.values(rows, rows)),
      n(negatives, length, arrangement::reversed, expected.x.values(2 * rows, negatives));
  matrix<T> da(rows, length, arrangement::strided), dp(rows, length), dn(negatives, length, arrangement::pitched);
  auto const r = loss.value_and_grad(executor, a.view(), p.view(), n.view(), da.view(), dp.view(), dn.view());
  CAPTURE(rows, negatives, length);
  CHECK(relative(r.value, expected.value) <= tolerances<T>{}.value);
  CHECK(same_bits(loss(executor, a.view(), p.view(), n.view()).value, r.value));
  auto const g = [&](std::size_t i, std::size_t j) {
    auto const row = static_cast<index_t>(i), column = static_cast<index_t>(j);
    return real(row < rows ? da(row, column) : row < 2 * rows ? dp(row - rows, column) : dn(row - 2 * rows, column));
  };
  CHECK(expected.gradient.error(g) <= tolerances<T>{}.gradient);
  CHECK((da.gaps_are_untouched() && dn.gaps_are_untouched()));
}

}  // namespace

// Temperature 1 in float: at 0.1 the exponents have ten times the rounding errors of the distances.
TEST_CASE(
    "InfoNCE with negatives of each anchor is its definition, and its gradients are differences of it") {
  for (index_t const length : {2, 7, 16, 33}) {
    sample_of_negatives const s(3, 5, length);
    negatives_answers const expected(s, cosine_of, 1);
    for_each_executor([&](any_executor const& executor) {
      CAPTURE(executor.name(), length);
      compare_negatives<float>(executor, sage::info_nce_loss<>{.temperature = 1}, s, expected);
    });
  }
  for (index_t const negatives : {1, 3, 4, 17}) {
    sample_of_negatives const s(2, negatives, 6);
    compare_negatives<double>(sage::exec::scalar{}, sage::info_nce_loss<>{}, s,
                              negatives_answers(s, cosine_of, 0.1));
  }
}

TEST_CASE("InfoNCE with negatives that all anchors share is its definition, and its gradients are differences of it") {
  for (index_t const length : {2, 7, 33}) {
    // Of length 2 there are more anchors than a tile holds.
    shared_answers const expected(length == 2 ? 70 : 4, 5, length, cosine_of, 1);
    for_each_executor([&](any_executor const& executor) {
      CAPTURE(executor.name());
      compare_shared<float>(executor, sage::info_nce_loss<>{.temperature = 1}, expected);
    });
  }
  compare_shared<double>(sage::exec::scalar{}, sage::info_nce_loss<>{}, shared_answers(3, 17, 6, cosine_of, 0.1));
}

TEST_CASE("Negatives that all anchors share are the same as copies of them for each, with their gradients summed") {
  index_t const rows = 3, negatives = 4, length = 5;
  auto const x = batch_of(2 * rows + negatives, length, 65);
  matrix<float> const a(rows, length, arrangement::contiguous, x.values(0, rows)),
      p(rows, length, arrangement::contiguous, x.values(rows, rows));
  matrix<float> n(negatives, length, arrangement::contiguous, x.values(2 * rows, negatives));
  std::vector<float> copies, d_copies(static_cast<std::size_t>(rows * negatives * length));
  for (index_t i = 0; i < rows; ++i)
    for (float const v : n.values()) copies.push_back(v);
  auto const deep = [&](auto& v) { return sage::strided_view{v.data(), extents{rows, negatives, length}}; };
  std::vector<float> const w{1, 0, 2}, u{3, 1, 0.5f};  // gradients of size 1: 1e-6 is 16 roundings
  sage::info_nce_loss<> const loss{.temperature = 0.5};
  matrix<float> da(rows, length), dp(rows, length), ea(rows, length), ep(rows, length), dn(negatives, length);
  auto const summed = [&](float times) {
    for (index_t k = 0; k < negatives; ++k)
      for (index_t j = 0; j < length; ++j) {
        float sum = 0;
        for (index_t i = 0; i < rows; ++i)
          sum += d_copies[static_cast<std::size_t>((i * negatives + k) * length + j)];
        CHECK(dn(k, j) == Approx(times * sum).margin(1e-6));
      }
  };
  std::vector<float> out(3), each(3);
  loss.per_sample(a.view(), p.view(), n.view(), out, sage::weights(w));
  loss.per_sample(a.view(), p.view(), deep(copies), each, sage::weights(w));
  for (std::size_t i = 0; i < 3; ++i) CHECK(out[i] == Approx(each[i]));  // Catch2's 100 ε
  CHECK(out[1] == 0);
  auto const r =
      loss.value_and_grad(a.view(), p.view(), n.view(), da.view(), dp.view(), dn.view(), sage::weights(w));
  auto const s = loss.value_and_grad(a.view(), p.view(), deep(copies), ea.view(), ep.view(), deep(d_copies),
                                     sage::weights(w));
  CHECK(r.value == Approx(s.value));
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < length; ++j) {
      CHECK(da(i, j) == Approx(ea(i, j)).margin(1e-6));
      CHECK(dp(i, j) == Approx(ep(i, j)).margin(1e-6));
    }
  summed(1);
  // Added to, for given upstream values.
  loss.backward(u, a.view(), p.view(), n.view(), sage::skip, sage::skip, dn.view());
  loss.backward(u, a.view(), p.view(), n.view(), sage::skip, sage::skip, sage::add_to(dn.view()));
  loss.backward(u, a.view(), p.view(), deep(copies), sage::skip, sage::skip, deep(d_copies));
  summed(2);
  // For one anchor the ranks (D) and (K, D) are negatives of its own, which is the same.
  auto const row = [&](matrix<float> const& m) { return sage::strided_view{m.view().data_handle(), extents{length}}; };
  loss.per_sample(a.view(), p.view(), n.view(), out);
  CHECK(loss(row(a), row(p), n.view()).value == Approx(out[0]));
  // None at all.
  sage::strided_view const none{copies.data(), extents{0, length}};
  CHECK(loss.value_and_grad(a.view(), p.view(), none, da.view(), dp.view(), sage::skip).value == 0);
  for (float const d : da.values()) CHECK(d == 0);
}

TEST_CASE("A bad anchor leaves the shared negatives of InfoNCE to the others, a bad negative is NaN for all") {
  index_t const rows = 4, negatives = 3, length = 5, bad = 2;
  auto const x = batch_of(2 * rows + negatives, length, 66);
  matrix<float> a(rows, length, arrangement::contiguous, x.values(0, rows)),
      p(rows, length, arrangement::contiguous, x.values(rows, rows)),
      n(negatives, length, arrangement::contiguous, x.values(2 * rows, negatives));
  matrix<float> da(rows, length), dp(rows, length), dn(negatives, length), wa(rows, length), wp(rows, length),
      wn(negatives, length);
  sage::info_nce_loss<> const loss{.reduction = sage::reduction::sum};
  loss.value_and_grad(a.view(), p.view(), n.view(), wa.view(), wp.view(), wn.view(),
                      sage::weights(std::vector<int>{1, 1, 0, 1}));
  a(bad, 1) = std::numeric_limits<float>::quiet_NaN();
  auto const r = loss.value_and_grad(a.view(), p.view(), n.view(), da.view(), dp.view(), dn.view());
  CHECK(r.non_finite == 1);
  CHECK(same_bits(dn.values(), wn.values()));
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < length; ++j) {
      if (i == bad) {
        CHECK((std::isnan(da(i, j)) && std::isnan(dp(i, j))));
      } else {
        CHECK((same_bits(da(i, j), wa(i, j)) && same_bits(dp(i, j), wp(i, j))));
      }
    }
  a(bad, 1) = 1;
  n(1, 0) = std::numeric_limits<float>::infinity();
  CHECK(loss(a.view(), p.view(), n.view()).non_finite == rows);
}

TEST_CASE("InfoNCE in-batch is its definition, and its gradients are differences of it") {
  for (bool const symmetric : {false, true})
    for (index_t const length : {2, 7, 33}) {
      // Of length 2 there are more rows than a tile holds.
      in_batch_answers const expected(length == 2 ? 131 : 5, length, cosine_of, 1, symmetric);
      for_each_executor([&](any_executor const& executor) {
        CAPTURE(executor.name(), symmetric);
        compare_in_batch<float>(executor, sage::info_nce_loss<>{.temperature = 1, .symmetric = symmetric},
                                expected);
      });
    }
  compare_in_batch<double>(sage::exec::scalar{}, sage::info_nce_loss<>{.symmetric = true},
                           in_batch_answers(70, 4, cosine_of, 0.1, true));
}

TEST_CASE(
    "InfoNCE with scalar products keeps every digit of a loss near 0, and overflows at no temperature") {
  // Distances of a hundred over a temperature of 0.01: exponents of 10 000.
  sample_of_negatives const s(3, 4, 9, 3);
  for (double const temperature : {100.0, 1.0, 0.01})
    compare_negatives<double>(sage::exec::scalar{},
                              sage::info_nce_loss<sage::dot_product>{.temperature = temperature}, s,
                              negatives_answers(s, minus_dot, temperature));
  // −log(e^20/(e^20 + 2)) = log1p(2 e^−20) = 4.12e-9.
  std::vector<float> const a{20, 0}, p{1, 0}, n{0, 1, 0, -1};
  sage::strided_view const negatives{n.data(), extents{2, 2}};
  CHECK(sage::info_nce_loss<sage::dot_product>{.temperature = 1}(a, p, negatives).value ==
        Approx(4.1223072e-9).epsilon(1e-6));
}

TEST_CASE("InfoNCE without negatives is 0, and without samples NaN in the mean") {
  batch_data const x = batch_of(2, 3, 52);
  matrix<float> const a(1, 3, arrangement::contiguous, x.values(0, 1)),
      p(1, 3, arrangement::contiguous, x.values(1, 1));
  matrix<float> da(1, 3), dp(1, 3);
  CHECK(sage::info_nce_loss<>{}.value_and_grad(a.view(), p.view(), da.view(), dp.view()).value == 0);
  for (index_t j = 0; j < 3; ++j) CHECK((da(0, j) == 0 && dp(0, j) == 0));
  std::vector<float> empty;
  sage::strided_view const none{empty.data(), extents{1, 0, 3}};
  CHECK(sage::info_nce_loss<>{}(a.view(), p.view(), none).value == 0);
  sage::strided_view const nobody{empty.data(), extents{0, 3}};
  CHECK(std::isnan(sage::info_nce_loss<>{}(nobody, nobody).value));
  // Without elements every distance is the same: log N.
  sage::strided_view const hollow{empty.data(), extents{4, 0}};
  CHECK(sage::info_nce_loss<>{}(hollow, hollow).value == Approx(std::log(4.0)));
}

TEST_CASE("A bad row gives NaN for its own sample of InfoNCE and leaves the others as if it were not there") {
  index_t const rows = 6, length = 5, bad = 2;
  auto const x = batch_of(2 * rows, length, 53);
  sage::info_nce_loss<> const loss{.temperature = 1, .symmetric = true, .reduction = sage::reduction::sum};
  matrix<float> const good_a(rows, length, arrangement::contiguous, x.values(0, rows)),
      good_p(rows, length, arrangement::contiguous, x.values(rows, rows));
  // What the others are without it: weight 0 takes the sample out of the batch.
  std::vector<int> const without{1, 1, 0, 1, 1, 1};
  matrix<float> wa(rows, length), wp(rows, length);
  auto const expected =
      loss.value_and_grad(good_a.view(), good_p.view(), wa.view(), wp.view(), sage::weights(without));
  for (index_t j = 0; j < length; ++j) CHECK((wa(bad, j) == 0 && wp(bad, j) == 0));
  for (bool const in_anchor : {true, false}) {
    auto a = good_a, p = good_p;
    (in_anchor ? a : p)(bad, 1) = std::numeric_limits<float>::quiet_NaN();
    matrix<float> da(rows, length), dp(rows, length);
    CHECK(
        same_bits(loss.value_and_grad(a.view(), p.view(), da.view(), dp.view(), sage::weights(without)).value,
                  expected.value));
    CHECK(same_bits(da.values(), wa.values()));
    CHECK(same_bits(dp.values(), wp.values()));
    auto const r = loss.value_and_grad(a.view(), p.view(), da.view(), dp.view());
    CHECK(r.non_finite == 1);
    CHECK(std::isnan(r.value));
    CHECK(std::isnan(da(bad, 0)));
    std::vector<float> out(static_cast<std::size_t>(rows));
    loss.per_sample(a.view(), p.view(), out);
    // The good half of the bad sample (a row against which another is compared) is a candidate of nobody
    // either, in one of the two directions; the other samples are finite.
    for (index_t i = 0; i < rows; ++i) CHECK(std::isnan(out[static_cast<std::size_t>(i)]) == (i == bad));
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < length; ++j)
        if (i != bad) CHECK((std::isfinite(da(i, j)) && std::isfinite(dp(i, j))));
  }
}

TEST_CASE("Weights, reductions and upstream values of InfoNCE scale the samples' losses and gradients") {
  index_t const rows = 5, length = 4;
  auto const x = batch_of(2 * rows, length, 54);
  matrix<double> const a(rows, length, arrangement::contiguous, x.values(0, rows)),
      p(rows, length, arrangement::contiguous, x.values(rows, rows));
  sage::info_nce_loss<> const mean{.temperature = 1},
      sum{.temperature = 1, .reduction = sage::reduction::sum};
  std::vector<double> const w{1, 2, 0.5, 1, 3};
  std::vector<double> losses(5), weighted(5);
  mean.per_sample(a.view(), p.view(), losses);
  mean.per_sample(a.view(), p.view(), weighted, sage::weights(w));
  double total = 0;
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(weighted[i] == Approx(w[i] * losses[i]));
    total += weighted[i];
  }
  CHECK(sum(a.view(), p.view(), sage::weights(w)).value == Approx(total));
  CHECK(mean(a.view(), p.view(), sage::weights(w)).value == Approx(total / 7.5));
  matrix<double> da(rows, length), dp(rows, length), ua(rows, length), up(rows, length);
  mean.value_and_grad(a.view(), p.view(), da.view(), dp.view(), sage::weights(w));
  std::vector<double> upstream(w);
  for (auto& u : upstream) u /= 7.5;
  mean.backward(upstream, a.view(), p.view(), ua.view(), up.view());
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(ua.values()[i] == Approx(da.values()[i]));
    CHECK(up.values()[i] == Approx(dp.values()[i]));
  }
  mean.backward(2.0, a.view(), p.view(), sage::add_to(ua.view()), sage::skip, sage::weights(w));
  for (std::size_t i = 0; i < 20; ++i) CHECK(ua.values()[i] == Approx(3 * da.values()[i]));
}

TEST_CASE(
    "InfoNCE against the batch or shared negatives is bitwise the same for any number of threads and any order of "
    "the tasks") {
  index_t const rows = 150, length = 40;
  auto const x = batch_of(2 * rows, length, 55);
  matrix<float> const a(rows, length, arrangement::contiguous, x.values(0, rows)),
      p(rows, length, arrangement::contiguous, x.values(rows, rows));
  sage::info_nce_loss<> const loss{.symmetric = true};
  auto const run = [&](any_executor const& e) {
    matrix<float> da(rows, length), dp(rows, length);
    auto all = std::vector<float>{loss.value_and_grad(e, a.view(), p.view(), da.view(), dp.view()).value};
    matrix<float> dn(rows, length);  // the rows of p as negatives of all anchors
    sage::info_nce_loss<> const shared;
    all.push_back(shared.value_and_grad(e, a.view(), p.view(), p.view(), sage::skip, sage::skip, dn.view()).value);
    for (auto const* g : {&da, &dp, &dn})
      for (float const v : g->values()) all.push_back(v);
    return all;
  };
  auto const once = run(widest_executor());
  CHECK(same_bits(run({any_executor::threads}), once));
  CHECK(same_bits(run({any_executor::descending}), once));
}

TEST_CASE(
    "Shapes and options of InfoNCE that do not fit are named in a sentence, before anything is written") {
  std::vector<float> memory(256, 42);
  auto const view = [&](auto const& e, index_t at = 0) { return sage::strided_view{memory.data() + at, e}; };
  auto const a = view(extents{4, 3}), p = view(extents{4, 3}, 16);
  sage::info_nce_loss<> const loss;
  CHECK_THROWS_WITH(loss(a, view(extents{4, 2})), "info_nce_loss: positive has shape (4, 2), anchor (4, 3)");
  CHECK_THROWS_WITH(
      loss(a, p, view(extents{5, 2, 3})),
      "info_nce_loss: negatives has shape (5, 2, 3), anchor (4, 3), expected (..., K, D) or (K, D) for an anchor of "
      "(..., D)");
  CHECK_THROWS_AS(loss(a, p, view(extents{4, 2})), sage::shape_error);
  CHECK_THROWS_AS(loss(a, p, view(extents{3})), sage::shape_error);
  CHECK_THROWS_AS(loss(view(extents{2, 2, 3}), view(extents{2, 2, 3}, 16), view(extents{2, 4, 3}, 32)),
                  sage::shape_error);
  CHECK_THROWS_WITH((sage::info_nce_loss<>{.symmetric = true}(a, p, view(extents{4, 2, 3}))),
                    "info_nce_loss: symmetric is true, expected false with given negatives");
  CHECK_THROWS_WITH(loss.value_and_grad(a, p, view(extents{5, 3}, 64), sage::skip, sage::skip, view(extents{5, 3}, 70)),
                    "info_nce_loss: d_negatives overlaps negatives, expected separate memory");
  CHECK_THROWS_WITH((sage::info_nce_loss<>{.temperature = 0}(a, p)),
                    "info_nce_loss: temperature is 0, expected > 0");
  CHECK_THROWS_WITH(loss.value_and_grad(a, p, a, sage::skip),
                    "info_nce_loss: d_anchor overlaps anchor, expected separate memory");
  CHECK_THROWS_WITH(loss.value_and_grad(a, p, view(extents{4, 3}, 64), view(extents{4, 3}, 70)),
                    "info_nce_loss: d_positive overlaps d_anchor, expected separate memory");
  CHECK_THROWS_WITH(loss.per_sample(a, p, view(extents{3}, 64)),
                    "info_nce_loss: out has shape (3), expected one element for each of 4 rows");
  for (float const m : memory) CHECK(m == 42);
}
