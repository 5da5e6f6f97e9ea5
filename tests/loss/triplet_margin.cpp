#include "loss/compare.hpp"

#include <sage/loss/triplet_margin.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <type_traits>
#include <vector>

namespace {

using namespace reference;

answers triplet_answers(problem const& p, distance const& d, double margin, bool swap) {
  return answers_of(p, true, [&](std::vector<row> const& x, index_t) {
    return triplet(d, x[0], x[1], x[2], real(margin), swap);
  });
}

template <class Distance>
void gradients_follow(Distance const& distance, reference::distance const& d, double margin) {
  for (bool const swap : {false, true})
    for (index_t const length : edge_lengths) {
      // A normalised row of one element is ±1: its gradient is 0, and there is nothing to compare.
      if (length == 1 && !std::is_same_v<Distance, sage::euclidean>) continue;
      auto const p = random_problem(3, rows_for(length), length, static_cast<std::uint64_t>(400 + length));
      sage::triplet_margin_loss<Distance> const loss{.margin = margin, .swap = swap, .distance = distance};
      CAPTURE(swap);
      compare_everywhere<3>(loss, p, triplet_answers(p, d, margin, swap));
    }
}

real pytorch_distance(row const& u, row const& v) { return euclidean(u, v, real(1e-6)); }

}  // namespace

// Margin 4 keeps most of the random triplets active: |d(a,p) − d(a,n)| of normal numbers is below 3 (sums of
// squares of like distribution); inactive rows occur too.
TEST_CASE("Triplet loss and gradients are those of differences of the definition, Euclidean") {
  gradients_follow(sage::euclidean{}, pytorch_distance, 4);
}

TEST_CASE("Triplet loss and gradients are those of differences of the definition, normalised") {
  gradients_follow(
      sage::normalized_euclidean{},
      [](row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); }, 2.5);
}

TEST_CASE("Rows shorter than eps are divided by eps and have no projection") {
  // Scale 1e-3 against eps 0.5: all norms are below eps.
  auto const t = random_problem(3, 3, 7, 5, 1e-3);
  auto const d = [](row const& u, row const& v) { return normalized_euclidean(u, v, real(0.5)); };
  sage::triplet_margin_loss<sage::normalized_euclidean> const loss{.margin = 0.5, .distance = {.eps = 0.5}};
  auto const expected = triplet_answers(t, d, 0.5, false);
  compare<float, 3>(any_executor{any_executor::baseline}, loss, t, expected, arrangement::contiguous);
  compare<double, 3>(any_executor{any_executor::scalar}, loss, t, expected, arrangement::contiguous);

  // Short and long rows in one triplet: the unit vectors differ in length, and only the long one has a projection.
  for (std::size_t const short_operand : {0u, 1u, 2u}) {
    auto mixed = random_problem(3, 3, 7, 6);
    for (auto& v : mixed.x[short_operand]) v = static_cast<float>(0.0625 * v);
    auto const mixed_expected = triplet_answers(mixed, d, 1.5, true);
    sage::triplet_margin_loss<sage::normalized_euclidean> const swapping{
        .margin = 1.5, .swap = true, .distance = {.eps = 0.5}};
    CAPTURE(short_operand);
    compare<float, 3>(any_executor{any_executor::baseline}, swapping, mixed, mixed_expected,
                      arrangement::contiguous);
    compare<double, 3>(any_executor{any_executor::scalar}, swapping, mixed, mixed_expected,
                       arrangement::contiguous);
  }
}

TEST_CASE("The normalised distance keeps its digits where anchor and positive nearly agree") {
  // p = a (1 + 1e-5 noise): 2 − 2cos would have no digit left in float, and a difference of rounded unit vectors two.
  problem t = random_problem(3, 4, 40, 6);
  auto const noise = normal_values(160, 7, 1e-5);
  for (std::size_t j = 0; j < 160; ++j) t.x[1][j] = static_cast<float>(t.x[0][j] * (1 + noise[j]));
  matrix<float> const a(4, 40, arrangement::contiguous, t.x[0]), p(4, 40, arrangement::contiguous, t.x[1]);
  for (index_t i = 0; i < 4; ++i) {
    real const d = normalized_euclidean(row_of(t.x[0], 40, i), row_of(t.x[1], 40, i), real(1e-12));
    // margin 0 and n = a leave d(a, p) alone: d(a, a) = 0.
    std::vector<float> out(4);
    sage::triplet_margin_loss<sage::normalized_euclidean>{.margin = 0}.per_sample(a.view(), p.view(),
                                                                                  a.view(), out);
    CHECK(relative(out[static_cast<std::size_t>(i)], d) <= tolerances<float>{}.value);
  }
}

TEST_CASE("Triplets of near rows have gradients of full precision with the normalised distance") {
  // SAGE's operating point: positive and negative 1e-3 and 1e-2 from the anchor.
  problem t = random_problem(3, 4, 40, 16);
  for (std::size_t j = 0; j < t.x[0].size(); ++j) {
    t.x[1][j] = static_cast<float>(t.x[0][j] + 1e-3 * t.x[1][j]);
    t.x[2][j] = static_cast<float>(t.x[0][j] + 1e-2 * t.x[2][j]);
  }
  sage::triplet_margin_loss<sage::normalized_euclidean> const loss{.margin = 0.5, .swap = true};
  auto const expected = triplet_answers(
      t, [](row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); }, 0.5, true);
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name());
    compare<float, 3>(executor, loss, t, expected, arrangement::contiguous);
  });
}

TEST_CASE("With the softplus hinge loss and gradients are those of differences of the definition") {
  // Scale 8 reaches arguments of ±40, where e^x alone would be all or nothing.
  for (double const scale : {1.0, 8.0})
    for (index_t const length : {3, 40}) {
      auto const t = random_problem(3, 5, length, 17, scale);
      auto const expected = answers_of(t, true, [](std::vector<row> const& x, index_t) {
        return triplet(pytorch_distance, x[0], x[1], x[2], real(0.5), true, softplus);
      });
      sage::triplet_margin_loss<sage::euclidean, sage::hinge::softplus> const loss{.margin = 0.5,
                                                                                   .swap = true};
      CAPTURE(scale, length);
      compare<float, 3>(any_executor{any_executor::baseline}, loss, t, expected, arrangement::contiguous);
      compare<double, 3>(sage::exec::scalar{}, loss, t, expected, arrangement::contiguous);
    }
}

TEST_CASE(
    "The softplus of a hopeless and of a perfect triplet overflows nowhere, and counts as active while it "
    "lasts") {
  // m + d(a,p) − d(a,n) = ±50, ±1000, ±1e18.
  sage::triplet_margin_loss<sage::euclidean, sage::hinge::softplus> const loss{.margin = 0,
                                                                               .distance = {.eps = 0}};
  std::vector<float> const zero{0};
  for (float const x : {50.0f, 1000.0f, 1e18f}) {
    std::vector<float> const far{x};
    std::vector<float> da(1), dp(1), dn(1);
    auto const hopeless = loss.value_and_grad(zero, far, zero, da, dp, dn);
    CHECK(hopeless.value == x);
    CHECK(dp[0] == 1);
    CHECK(hopeless.active == 1);
    auto const perfect = loss.value_and_grad(zero, zero, far, da, dp, dn);
    CHECK(perfect.value == Approx(x > 103 ? 0 : std::exp(-static_cast<double>(x))).epsilon(1e-6));
    CHECK(perfect.active == (x > 103 ? 0 : 1));
    CHECK(dn[0] == Approx(-perfect.value));
  }
}

TEST_CASE("A mask of any integer type or of truth values serves as weights") {
  auto const t = random_problem(3, 4, 9, 18);
  auto const x = to<float>(t.x[0]), p = to<float>(t.x[1]), n = to<float>(t.x[2]);
  auto const view = [](auto& v) { return sage::strided_view{v.data(), sage::extents{4, 9}}; };
  sage::triplet_margin_loss<> const loss{.margin = 4};
  auto const masked_by = [&](auto const& mask) {
    std::vector<float> g(36, 42);
    float const value =
        loss.value_and_grad(view(x), view(p), view(n), view(g), sage::skip, sage::skip, sage::weights(mask))
            .value;
    g.push_back(value);
    return g;
  };
  auto const expected = masked_by(std::vector<float>{1, 0, 1, 1});
  CHECK(expected[0] != 0);
  CHECK(expected[9] == 0);
  CHECK(same_bits(masked_by(std::vector<unsigned char>{1, 0, 1, 1}), expected));
  CHECK(same_bits(masked_by(std::vector<long>{1, 0, 1, 1}), expected));
  bool const truth[] = {true, false, true, true};
  CHECK(same_bits(masked_by(std::span<bool const>(truth)), expected));
  CHECK_THROWS_WITH(masked_by(std::vector<int>{1, 0, -1, 1}),
                    "triplet_margin_loss: weights[2] is -1, expected finite and >= 0");
}

TEST_CASE("A triplet exactly on the hinge passes its gradient, as in PyTorch") {
  // d(a,p) = 3, d(a,n) = 5, margin 2: exact in float with eps = 0. One sample: mean = sum.
  float const a[2] = {0, 0}, p[2] = {3, 0}, n[2] = {3, 4};
  auto const view = [](auto& x) { return sage::strided_view{x, sage::extents{1, 2}}; };
  sage::triplet_margin_loss<sage::euclidean> const loss{.margin = 2, .distance = {.eps = 0}};
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name());
    float da[2], dp[2], dn[2];
    auto const r = loss.value_and_grad(executor, view(a), view(p), view(n), view(da), view(dp), view(dn));
    CHECK(r.value == 0);
    CHECK(r.active == 0);
    CHECK(dp[0] == 1);
    CHECK(dp[1] == 0);
    CHECK(dn[0] == Approx(-0.6));  // −(n − a)/5
    CHECK(dn[1] == Approx(-0.8));
    CHECK(da[0] == Approx(-1 + 0.6));
    CHECK(da[1] == Approx(0.8));
  });
}

TEST_CASE("A tie of swap splits the gradient half and half") {
  // a = (0,0), p = (6,0), n = (3,4): d(a,n) = d(p,n) = 5 exactly.
  double const a[2] = {0, 0}, p[2] = {6, 0}, n[2] = {3, 4};
  auto const view = [](auto& x) { return sage::strided_view{x, sage::extents{1, 2}}; };
  sage::triplet_margin_loss<sage::euclidean> const loss{.margin = 1, .swap = true, .distance = {.eps = 0}};
  double da[2], dp[2], dn[2];
  CHECK(loss.value_and_grad(view(a), view(p), view(n), view(da), view(dp), view(dn)).value == 2);
  CHECK(da[0] == Approx(-1 + 0.5 * 0.6));  // −(p − a)/6 + ½ (n − a)/5
  CHECK(da[1] == Approx(0.5 * 0.8));
  CHECK(dp[0] == Approx(1 - 0.5 * 0.6));  // (p − a)/6 + ½ (n − p)/5
  CHECK(dp[1] == Approx(0.5 * 0.8));
  CHECK(dn[0] == Approx(-0.5 * 0.6 + 0.5 * 0.6).margin(1e-15));
  CHECK(dn[1] == Approx(-0.8));
}

TEST_CASE("Equal rows have a finite gradient, and zero without eps") {
  std::vector<float> const x{1, 2, 3};
  for (double const eps : {0.0, 1e-6}) {
    std::vector<float> da(3), dp(3), dn(3);
    sage::triplet_margin_loss<sage::euclidean> const loss{.distance = {.eps = eps}};
    CHECK(loss.value_and_grad(x, x, x, da, dp, dn).value == 1);
    // d(a,p) = eps √3 and its gradient 1/√3 in every coordinate; that of −d(a,n) is the opposite.
    for (int j = 0; j < 3; ++j) {
      CHECK(da[static_cast<std::size_t>(j)] == 0);
      CHECK(dp[static_cast<std::size_t>(j)] == Approx(eps == 0 ? 0 : -0.57735027));
      CHECK(dn[static_cast<std::size_t>(j)] == Approx(eps == 0 ? 0 : 0.57735027));
    }
  }
}

TEST_CASE("A triplet of rows without elements has the margin as its loss") {
  std::vector<float> empty;
  auto const none = sage::strided_view{empty.data(), sage::extents{3, 0}};
  auto const r =
      sage::triplet_margin_loss<>{.margin = 0.25}.value_and_grad(none, none, none, none, none, none);
  CHECK(r.value == 0.25f);  // d of nothing is 0
  CHECK(r.active == 3);
}

TEST_CASE("Permuted triplets have permuted losses and gradients, bit for bit") {
  index_t const rows = 37;
  for (index_t const length : {7, 65}) {
    auto const t = random_problem(3, rows, length, 9);
    std::vector<index_t> order(static_cast<std::size_t>(rows));
    for (index_t i = 0; i < rows; ++i)
      order[static_cast<std::size_t>(i)] = (i * 10 + 3) % rows;  // 10 is prime to 37
    matrix<float> x[3]{{rows, length, arrangement::contiguous, t.x[0]},
                       {rows, length, arrangement::contiguous, t.x[1]},
                       {rows, length, arrangement::contiguous, t.x[2]}};
    matrix<float> y[3]{{rows, length}, {rows, length}, {rows, length}}, g[3]{y[0], y[1], y[2]},
        h[3]{y[0], y[1], y[2]};
    for (int k = 0; k < 3; ++k)
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < length; ++j) y[k](i, j) = x[k](order[static_cast<std::size_t>(i)], j);
    sage::triplet_margin_loss<> const loss{.margin = 2, .swap = true};
    loss.value_and_grad(x[0].view(), x[1].view(), x[2].view(), g[0].view(), g[1].view(), g[2].view());
    loss.value_and_grad(y[0].view(), y[1].view(), y[2].view(), h[0].view(), h[1].view(), h[2].view());
    bool same = true;
    for (int k = 0; k < 3; ++k)
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < length; ++j)
          same = same && same_bits(h[k](i, j), g[k](order[static_cast<std::size_t>(i)], j));
    CHECK(same);
  }
}

TEST_CASE("Exotic numbers in one triplet leave the others as they were, bit for bit") {
  using limits = std::numeric_limits<float>;
  index_t const rows = 19, bad = 6;
  for (index_t const length : {3, 70}) {
    auto const t = random_problem(3, rows, length, 10);
    matrix<float> const p(rows, length, arrangement::contiguous, t.x[1]),
        n(rows, length, arrangement::contiguous, t.x[2]);
    struct outcome {
      std::vector<float> losses, gradients;
      index_t non_finite;
    };
    // The sum, for its gradient does not mix the rows.
    auto const run = [&](auto const& loss, matrix<float> const& a) {
      matrix<float> g[3]{{rows, length}, {rows, length}, {rows, length}};
      outcome o{std::vector<float>(static_cast<std::size_t>(rows)), {}, 0};
      o.non_finite =
          loss.value_and_grad(a.view(), p.view(), n.view(), g[0].view(), g[1].view(), g[2].view()).non_finite;
      loss.per_sample(a.view(), p.view(), n.view(), o.losses);
      for (auto const& m : g)
        for (index_t i = 0; i < rows; ++i)
          for (index_t j = 0; j < length; ++j)
            if (i != bad) o.gradients.push_back(m(i, j));
      return o;
    };
    auto const with = [&](auto const& loss, bool overflows) {
      matrix<float> a(rows, length, arrangement::contiguous, t.x[0]);
      outcome const clean = run(loss, a);
      CHECK(clean.non_finite == 0);
      for (float const x : {limits::quiet_NaN(), limits::infinity(), -limits::infinity(), limits::max(),
                            limits::denorm_min()}) {
        CAPTURE(x, length);
        a(bad, length / 2) = x;
        outcome o = run(loss, a);
        CHECK(same_bits(o.gradients, clean.gradients));
        // The square of the largest float is infinite: so is the distance, and a row divided by an infinite norm is
        // a row of zeros, as in torch.nn.functional.normalize. A denormal is a number like any other.
        if (x != limits::max() || overflows) CHECK(o.non_finite == (x == limits::denorm_min() ? 0 : 1));
        o.losses[bad] = clean.losses[bad];
        CHECK(same_bits(o.losses, clean.losses));
      }
    };
    with(sage::triplet_margin_loss<sage::euclidean>{.margin = 4, .reduction = sage::reduction::sum}, true);
    with(sage::triplet_margin_loss<sage::normalized_euclidean>{.reduction = sage::reduction::sum}, false);
  }
}

// Large gradients go another way where vectors fill a cache line: past the caches, from the first aligned address on.
TEST_CASE(
    "Gradients larger than the caches are those of every executor, wherever they begin, and nothing beside "
    "them") {
  index_t const rows = 700, length = 2003, pitch = 2016;  // 16 MiB of gradients
  auto const size = static_cast<std::size_t>(rows * pitch + 16);
  std::vector<float> x[3], expected[3], got[3];
  for (std::size_t k = 0; k < 3; ++k) {
    x[k].resize(size);
    for (std::size_t i = 0; i < size; ++i)
      x[k][i] = static_cast<float>((i * (7 + 4 * k) + 31 * k) % 101) / 16;
  }
  sage::triplet_margin_loss<> const loss{.margin = 50};
  auto const view = [&](std::vector<float>& v, index_t offset) {
    return sage::strided_view{v.data() + offset, sage::extents{rows, length}, sage::strides{pitch, 1}};
  };
  for (index_t const offset : {0, 1, 13}) {
    CAPTURE(offset);
    auto const run = [&](any_executor const& executor, std::vector<float>(&g)[3]) {
      for (auto& v : g) v.assign(size, 77.0f);
      return loss
          .value_and_grad(executor, view(x[0], 0), view(x[1], 0), view(x[2], 0), view(g[0], offset),
                          view(g[1], offset), view(g[2], offset))
          .value;
    };
    double const value = run({any_executor::scalar}, expected);
    for_each_executor([&](any_executor const& executor) {
      CAPTURE(executor.name());
      CHECK(run(executor, got) == Approx(value).epsilon(1e-6));
      double worst = 0;
      index_t touched = 0;
      for (std::size_t k = 0; k < 3; ++k)
        for (std::size_t i = 0; i < size; ++i) {
          bool const inside = index_t(i) >= offset && (index_t(i) - offset) % pitch < length &&
                              (index_t(i) - offset) / pitch < rows;
          if (inside) {
            worst = std::max(worst, std::abs(double(got[k][i]) - double(expected[k][i])));
          } else {
            touched += got[k][i] != 77.0f;
          }
        }
      CHECK(worst < 1e-8);  // of some 3e-5: 1/(rows) of a component of a unit vector
      CHECK(touched == 0);
    });
  }
}
