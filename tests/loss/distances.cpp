#include "loss/compare.hpp"

#include <sage/formula/cosine.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/lp.hpp>
#include <sage/formula/normalized_euclidean.hpp>
#include <sage/formula/squared_euclidean.hpp>
#include <sage/loss/contrastive.hpp>

#include <cmath>
#include <limits>
#include <vector>

// Every distance by itself: the contrastive loss max(0, d(u, v) − 0) of pairs that belong together is the
// distance.

namespace {

using namespace reference;

constexpr double inf = std::numeric_limits<double>::infinity();

template <class Distance>
using distance_alone = sage::contrastive_loss<Distance, sage::hinge::clamp>;

std::vector<int> together(index_t rows) { return std::vector<int>(static_cast<std::size_t>(rows), 1); }

answers answers_for(problem const& p, distance const& d) {
  return answers_of(p, true, [&](std::vector<row> const& x, index_t) { return d(x[0], x[1]); });
}

/// Float on every executor.
template <class Distance>
void distance_follows_in_float(Distance const& distance, reference::distance const& d, problem const& p) {
  auto const expected = answers_for(p, d);
  distance_alone<Distance> const loss{.distance = distance};
  CAPTURE(p.length);
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name());
    compare<float, 2>(executor, loss, p, expected, arrangement::contiguous, together(p.rows));
  });
}

/// And double on one.
template <class Distance>
void distance_follows(Distance const& distance, reference::distance const& d, problem const& p) {
  distance_follows_in_float(distance, d, p);
  distance_alone<Distance> const loss{.distance = distance};
  compare<double, 2>(sage::exec::scalar{}, loss, p, answers_for(p, d), arrangement::strided,
                     together(p.rows));
}

/// The smallest selection: one executor, float and double.
template <class Distance>
void distance_is(Distance const& distance, reference::distance const& d, problem const& p) {
  auto const expected = answers_for(p, d);
  distance_alone<Distance> const loss{.distance = distance};
  CAPTURE(p.length);
  compare<float, 2>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous, together(p.rows));
  compare<double, 2>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous, together(p.rows));
}

problem pairs(index_t length, double scale = 1) {
  return random_problem(2, rows_for(length), length, static_cast<std::uint64_t>(700 + length), scale);
}

/// v = u + noise of the given size, rounded to float.
problem near_pairs(index_t length, double noise) {
  problem p = random_problem(2, 3, length, 31);
  for (std::size_t j = 0; j < p.x[0].size(); ++j)
    p.x[1][j] = static_cast<float>(p.x[0][j] + noise * p.x[1][j]);
  return p;
}

/// Distance and gradient of one pair of rows of float on an executor.
struct pair_result {
  float distance;
  std::vector<float> u, v;
};
template <class Distance>
pair_result of_rows(Distance const& distance, std::vector<float> u, std::vector<float> v,
                    any_executor const& executor = {any_executor::baseline}) {
  pair_result r{0, u, v};
  r.distance = distance_alone<Distance>{.distance = distance}
                   .value_and_grad(executor, u, v, std::vector<int>{1}, r.u, r.v)
                   .value;
  return r;
}

}  // namespace

TEST_CASE(
    "The p-norm and its gradient are those of differences of the definition, for p from 1 to infinity") {
  for (index_t const length : edge_lengths)
    for (double const p : {1.0, 1.5, 2.0, 3.0, 7.25, 100.0, inf}) {
      if (length > 33 || (p != 3 && length != 7 && length != 33))
        continue;  // one code for all p, one for all lengths
      CAPTURE(p);
      distance_follows(
          sage::lp{.p = p}, [p](row const& u, row const& v) { return minkowski(u, v, real(p), real(1e-6)); },
          pairs(length));
    }
}

TEST_CASE("The cosine distance and its gradient are those of differences of the definition") {
  for (index_t const length : edge_lengths)
    if (length > 1)  // of one element it is 0 or 2, and flat
      distance_follows(
          sage::cosine{}, [](row const& u, row const& v) { return cosine_distance(u, v, real(1e-8)); },
          pairs(length));
}

TEST_CASE("Squared Euclidean distance and its gradient are those of differences of the definition") {
  for (index_t const length : {1, 16, 33, 65})
    distance_is(
        sage::squared_euclidean{},
        [](row const& u, row const& v) { return real(minkowski(u, v, 2) * minkowski(u, v, 2)); },
        pairs(length));
}

TEST_CASE("eps under the root, as a floor, and left out, in the Euclidean distance and the p-norm") {
  using sage::euclidean_distance, sage::lp_distance;
  namespace eps = sage::eps;
  real const e = real(0.25);
  for (index_t const length : {3, 40}) {
    auto const p = pairs(length);
    distance_is(
        euclidean_distance<eps::inside_root>{.eps = 0.25},
        [&](row const& u, row const& v) { return minkowski(u, v, 2, 0, e); }, p);
    distance_is(
        euclidean_distance<eps::none>{}, [&](row const& u, row const& v) { return minkowski(u, v, 2); }, p);
    distance_is(
        lp_distance<eps::inside_root>{.p = 3, .eps = 0.25},
        [&](row const& u, row const& v) { return minkowski(u, v, 3, 0, e); }, p);
    distance_is(
        lp_distance<eps::none>{.p = 4}, [&](row const& u, row const& v) { return minkowski(u, v, 4); }, p);
    // A floor below the distances of these rows changes nothing; 100 is above all of them.
    distance_is(
        euclidean_distance<eps::floor>{.eps = 1e-3},
        [&](row const& u, row const& v) { return minkowski(u, v, 2); }, p);
    distance_is(
        lp_distance<eps::floor>{.p = 3, .eps = 1e-3},
        [&](row const& u, row const& v) { return minkowski(u, v, 3); }, p);
  }
  std::vector<float> const u{1, 2}, v{0, 0};
  for (auto const& r : {of_rows(euclidean_distance<eps::floor>{.eps = 100}, u, v),
                        of_rows(lp_distance<eps::floor>{.p = 3, .eps = 100}, u, v)}) {
    CHECK(r.distance == 100);
    CHECK((r.u[0] == 0 && r.u[1] == 0 && r.v[0] == 0));
  }
  // Exactly at the floor the gradient passes.
  auto const at = of_rows(euclidean_distance<eps::floor>{.eps = 5}, {3, 4}, {0, 0});
  CHECK(at.distance == 5);
  CHECK(at.u[0] == Approx(0.6));
}

TEST_CASE(
    "The p-norm neither overflows nor underflows, however large p and however large or small the rows are") {
  for (float const size : {1e-30f, 1e-3f, 1.0f, 1e30f})
    for (double const p : {1.0, 2.0, 3.0, 1000.0, 1e6, inf}) {
      CAPTURE(size, p);
      std::vector<float> const u{3 * size, -4 * size, size / 2}, v{0, 0, size / 4};
      auto const r = of_rows(sage::lp_distance<sage::eps::none>{.p = p}, u, v);
      row const a(u.begin(), u.end()), b(v.begin(), v.end());
      auto const d = [&](std::vector<row> const& x) { return minkowski(x[0], x[1], real(p)); };
      // In units of the largest difference, for other powers exceed even 113-bit numbers.
      row scaled_a = a, scaled_b = b;
      real const largest = 4 * real(size);
      for (std::size_t j = 0; j < 3; ++j) scaled_a[j] /= largest, scaled_b[j] /= largest;
      CHECK(relative(r.distance, d({scaled_a, scaled_b}) * largest) <= tolerances<float>{}.value);
      auto const g = gradient(d, {scaled_a, scaled_b});
      relative_error e;
      for (std::size_t j = 0; j < 3; ++j) e.add(r.u[j], g[0][j]), e.add(r.v[j], g[1][j]);
      CHECK(e.value() <= tolerances<float>{}.gradient);
    }
}

TEST_CASE(
    "The gradient of the maximum norm is divided among ties, and that of the 1-norm is 0 where rows agree") {
  std::vector<float> const u{2, -2, 1, 5}, v{0, 0, 0, 5};
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name());
    auto const maximum = of_rows(sage::lp_distance<sage::eps::none>{.p = inf}, u, v, executor);
    CHECK(maximum.distance == 2);
    CHECK(maximum.u == std::vector<float>{0.5f, -0.5f, 0, 0});
    CHECK(maximum.v == std::vector<float>{-0.5f, 0.5f, 0, 0});
    auto const sum = of_rows(sage::lp_distance<sage::eps::none>{.p = 1}, u, v, executor);
    CHECK(sum.distance == 5);
    CHECK(sum.u == std::vector<float>{1, -1, 1, 0});
  });
}

TEST_CASE(
    "Equal rows and rows without elements are at distance 0 with gradient 0, for every distance without "
    "eps") {
  std::vector<float> const x{1, -2, 3};
  auto const vanishes = [&](auto const& distance) {
    auto const r = of_rows(distance, x, x);
    CHECK(r.distance == 0);
    for (std::size_t j = 0; j < 3; ++j) CHECK((r.u[j] == 0 && r.v[j] == 0));
    std::vector<float> none;
    CHECK(of_rows(distance, none, none).distance == 0);
  };
  vanishes(sage::euclidean_distance<sage::eps::none>{});
  vanishes(sage::squared_euclidean{});
  for (double const p : {1.0, 2.0, 3.0, inf}) vanishes(sage::lp_distance<sage::eps::none>{.p = p});
  auto const normalized_too = [&](auto const& distance) {
    auto const r = of_rows(distance, x, x);
    CHECK(r.distance == 0);
    for (std::size_t j = 0; j < 3; ++j) CHECK((r.u[j] == 0 && r.v[j] == 0));
  };
  normalized_too(sage::normalized_euclidean{});
  normalized_too(sage::cosine{});
  // Rows without elements have length 0, and the zero row is orthogonal to all: 1 − 0.
  std::vector<float> none;
  CHECK(of_rows(sage::normalized_euclidean{}, none, none).distance == 0);
  CHECK(of_rows(sage::cosine{}, none, none).distance == 1);
}

TEST_CASE("Cosine and normalised Euclidean distances keep their digits where rows nearly agree") {
  // 1 − cos of rows 1e-4 apart is 5e-9 in float: computed as 1 − cos nothing would be left.
  for (index_t const length : {7, 40})
    for (double const noise : {1e-1, 1e-3, 1e-5}) {
      auto const p = near_pairs(length, noise);
      CAPTURE(noise);
      // Only float: the reference's differences, over 2^−24, have relative errors (2^−24/noise)^4/480 = 3e-12
      // at 1e-5.
      distance_follows_in_float(
          sage::cosine{}, [](row const& u, row const& v) { return cosine_distance(u, v, real(1e-8)); }, p);
      distance_follows_in_float(
          sage::normalized_euclidean{},
          [](row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); }, p);
    }
}

TEST_CASE("Normalised distances of rows of very different lengths keep their digits") {
  auto const keep_their_digits = [](problem const& p, double length) {
    for (std::size_t const shorter : {0u, 1u}) {
      CAPTURE(shorter, length);
      auto q = p;
      for (auto& x : q.x[shorter]) x = static_cast<float>(x * length);
      // The gradient of the short row is 1000 times that of the long one; they are compared one by one.
      distance_follows(
          sage::cosine{}, [](row const& u, row const& v) { return cosine_distance(u, v, real(1e-8)); }, q);
      distance_follows(
          sage::normalized_euclidean{},
          [](row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); }, q);
    }
  };
  keep_their_digits(pairs(20), 1e-3);
  // Along a row longer than 32, where the norms tell the distance unless rows differ in length above all.
  keep_their_digits(pairs(40), 1e-3);
  for (double const length : {0.4, 0.7}) keep_their_digits(near_pairs(40, 1e-1), length);
}

TEST_CASE(
    "A row shorter than the eps of the cosine distance is divided by eps, and its gradient has no "
    "projection") {
  auto p = pairs(6);
  for (std::size_t const shorter : {0u, 1u}) {
    auto q = p;
    for (auto& x : q.x[shorter]) x = static_cast<float>(x * 0.0625);
    distance_follows(
        sage::cosine{.eps = 0.5}, [](row const& u, row const& v) { return cosine_distance(u, v, real(0.5)); },
        q);
  }
  // The zero row: 1 − 0, and the gradient −v̂/eps.
  auto const r = of_rows(sage::cosine{.eps = 0.5}, {0, 0}, {3, 4});
  CHECK(r.distance == 1);
  CHECK(r.u[0] == Approx(-0.6 / 0.5));
  CHECK(r.u[1] == Approx(-0.8 / 0.5));
  CHECK((r.v[0] == 0 && r.v[1] == 0));
}

TEST_CASE("Infinity and NaN in one row of a pair leave the other pairs as they were, for every distance") {
  using limits = std::numeric_limits<float>;
  auto const p = pairs(5);
  auto const rows = p.rows;
  auto const contained = [&](auto const& distance) {
    distance_alone<std::remove_cvref_t<decltype(distance)>> const loss{.reduction = sage::reduction::sum,
                                                                       .distance = distance};
    matrix<float> u(rows, 5, arrangement::contiguous, p.x[0]);
    matrix<float> const v(rows, 5, arrangement::contiguous, p.x[1]);
    auto const run = [&] {
      matrix<float> du(rows, 5), dv(rows, 5);
      auto const r = loss.value_and_grad(u.view(), v.view(), together(rows), du.view(), dv.view());
      std::vector<float> others;
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < 5; ++j)
          if (i != 1) others.push_back(du(i, j)), others.push_back(dv(i, j));
      return std::pair(others, r.non_finite);
    };
    auto const clean = run();
    CHECK(clean.second == 0);
    for (float const bad : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()}) {
      CAPTURE(bad);
      u(1, 3) = bad;
      auto const r = run();
      CHECK(same_bits(r.first, clean.first));
      CHECK(r.second == 1);
    }
  };
  contained(sage::cosine{});
  for (double const q : {1.0, 3.0, inf}) contained(sage::lp{.p = q});
}

TEST_CASE(
    "A p below 1, an infinite p with eps under the root, and a negative eps are refused in a sentence") {
  std::vector<float> const x{1, 2};
  std::vector<int> const y{1};
  CHECK_THROWS_WITH((distance_alone<sage::lp>{.distance = {.p = 0.5}}(x, x, y)),
                    "contrastive_loss: p is 0.5, expected >= 1");
  CHECK_THROWS_AS((distance_alone<sage::lp>{.distance = {.p = std::nan("")}}(x, x, y)), sage::argument_error);
  CHECK_THROWS_AS((distance_alone<sage::lp>{.distance = {.eps = -1}}(x, x, y)), sage::argument_error);
  CHECK_THROWS_AS(
      (distance_alone<sage::lp_distance<sage::eps::inside_root>>{.distance = {.p = inf}}(x, x, y)),
      sage::argument_error);
  CHECK_THROWS_AS((distance_alone<sage::cosine>{.distance = {.eps = 0}}(x, x, y)), sage::argument_error);
}
