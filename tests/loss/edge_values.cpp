#include "loss/every_loss.hpp"

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

// What every loss does at the edges of its domain, and of float's.

using namespace every_loss;

namespace {

using limits = std::numeric_limits<float>;
constexpr float no_number = limits::quiet_NaN(), inf = limits::infinity();

// What one element of a row, or all, are set to.
struct exotic {
  float x;
  bool whole_row, is_nan;  // must the loss of a row of logits be NaN?
};

template <class Subject>
constexpr bool of_logits =
    Subject::what == operands_are::logits || Subject::what == operands_are::labelled_logits;

template <class Subject>
auto run(Subject const& s, problem const& p) {
  std::vector<std::vector<float>> x;
  for (auto const& v : p.x) x.push_back(to<float>(v));
  return s.template run<float>(sage::exec::simd{}, x, p.rows, p.length);
}

}  // namespace

TEST_CASE("An empty batch has mean NaN for every loss, and nothing to count") {
  for_each_loss([]<class Subject>(Subject const& s) {
    auto const r = run(s, {0, 5, std::vector<std::vector<double>>(Subject::operands)});
    CAPTURE(s.name);
    CHECK(std::isnan(r.value));
    CHECK((r.active == 0 && r.non_finite == 0));
  });
}

TEST_CASE("Rows without elements are refused by losses of logits, and equal for losses of embeddings") {
  for_each_loss([]<class Subject>(Subject const& s) {
    problem const p{3, 0, std::vector<std::vector<double>>(Subject::operands)};
    CAPTURE(s.name);
    if constexpr (Subject::what == operands_are::embeddings) {
      auto const expected = s.expected(p).losses;  // the margin
      auto const r = run(s, p);
      for (std::size_t i = 0; i < 3; ++i) CHECK(real(r.values[i]) == expected[i]);
    } else {
      CHECK_THROWS_AS(run(s, p), sage::shape_error);
    }
  });
}

TEST_CASE(
    "One class is certain: divergences and cross entropy are 0, hinges their margin, gradients 0 exactly") {
  for_each_loss([]<class Subject>(Subject const& s) {
    if constexpr (of_logits<Subject>) {
      auto const p = random_problem(static_cast<int>(Subject::operands), 3, 1, 51, 30);
      auto const r = run(s, p);
      auto const expected = s.expected(p).losses;
      CAPTURE(s.name);
      for (std::size_t i = 0; i < 3; ++i) CHECK(real(r.values[i]) == expected[i]);
      for (auto const& g : r.gradients)
        for (float const d : g) CHECK(d == 0);
    }
  });
}

TEST_CASE("Equal rows: every divergence is 0 with gradient 0, hinges are their margin, triplets too") {
  for_each_loss([]<class Subject>(Subject const& s) {
    if constexpr (Subject::operands > 1 && Subject::what != operands_are::both)
      for (index_t const length : {5, 40}) {
        auto p = random_problem(static_cast<int>(Subject::operands), 3, length, 52, 3);
        for (auto& x : p.x) x = p.x[0];
        auto const r = run(s, p);
        auto const expected = s.expected(p).losses;
        CAPTURE(s.name, length);
        for (std::size_t i = 0; i < 3; ++i) CHECK(magnitude(real(r.values[i]) - expected[i]) < real(1e-6));
        for (auto const& g : r.gradients)
          for (float const d : g) CHECK((of_logits<Subject> ? d == 0 : std::isfinite(d)));
      }
  });
}

TEST_CASE(
    "A bad row is NaN or infinite itself, and never changes a bit of another, in any operand of any loss") {
  for_each_loss([]<class Subject>(Subject const& s) {
    index_t const rows = 19, bad = 6;
    for (index_t const length : {5, 40}) {
      auto const clean_problem = random_problem(static_cast<int>(Subject::operands), rows, length, 53);
      auto const clean = run(s, clean_problem);
      REQUIRE(clean.non_finite == 0);
      for (std::size_t k = 0; k < Subject::operands; ++k)
        for (auto const& e :
             {exotic{no_number, false, true}, exotic{no_number, true, true}, exotic{inf, true, true},
              exotic{-inf, true, true}, exotic{inf, false, of_logits<Subject>}, exotic{-inf, false, false},
              exotic{limits::max(), false, false}, exotic{limits::lowest(), true, false},
              exotic{limits::denorm_min(), true, false}}) {
          auto p = clean_problem;
          for (index_t j = 0; j < length; ++j)
            if (e.whole_row || j == length - 1) p.x[k][static_cast<std::size_t>(bad * length + j)] = e.x;
          auto const r = run(s, p);
          CAPTURE(s.name, length, k, e.x, e.whole_row, r.values[bad]);
          // A negative at infinite distance is no violation: loss 0. An infinite row has NaN for a unit vector.
          bool const may_be_any = !of_logits<Subject> && std::isinf(e.x);
          if (e.is_nan && !may_be_any) CHECK((std::isnan(r.values[bad]) && r.non_finite >= 1));
          if (e.x == limits::denorm_min()) CHECK((std::isfinite(r.values[bad]) && r.non_finite == 0));
          if (of_logits<Subject> && std::isfinite(e.x) && e.whole_row) CHECK(std::isfinite(r.values[bad]));
          if (Subject::what != operands_are::both) CHECK(r.non_finite == !std::isfinite(r.values[bad]));
          bool same = true;
          for (index_t i = 0; i < rows; ++i) {
            auto const at = static_cast<std::size_t>(i);
            if (i == bad) continue;
            same = same && same_bits(r.values[at], clean.values[at]);
            for (std::size_t g = 0; g < Subject::operands; ++g)
              for (std::size_t j = at * static_cast<std::size_t>(length);
                   j < (at + 1) * static_cast<std::size_t>(length); ++j)
                same = same && same_bits(r.gradients[g][j], clean.gradients[g][j]);
          }
          CHECK(same);
        }
    }
  });
}

TEST_CASE(
    "A logit of minus infinity is a class of probability zero for the degradation checks and "
    "Kullback-Leibler") {
  std::vector<float> const z{1, -inf, 0.25f}, other{-1, -inf, 2};
  std::vector<row> const without{{1, real(0.25)}, {-1, 2}};
  std::vector<float> g(3), h(3);
  auto const js = [](row const& p, row const& q) { return jensen_shannon(p, q, real(0.5)); };
  auto const kl = sage::consistency_loss<sage::kullback_leibler>{}.value_and_grad(z, other, g, h);
  CHECK(relative(kl.value, kullback_leibler(softmax(without[0]), softmax(without[1]))) <=
        tolerances<float>{}.value);
  CHECK((g[1] == 0 && h[1] == 0 && g[0] == Approx(-g[2]) && h[0] == Approx(-h[2])));
  auto const repel =
      sage::degradation_loss<sage::repel<>>{.check = {.margin = 1}}.value_and_grad(z, other, g, h);
  CHECK(relative(repel.value, 1 - js(softmax(without[0]), softmax(without[1]))) <= tolerances<float>{}.value);
  CHECK((g[1] == 0 && h[1] == 0));
  // Uniform over three classes, of which z has two.
  auto const uniform = sage::degradation_loss<>{}.value_and_grad(z, g);
  CHECK(relative(uniform.value, toward_uniform(js, {1, -infinity(), real(0.25)}, 1)) <=
        tolerances<float>{}.value);
  CHECK((g[1] == 0 && g[0] == Approx(-g[2])));
}

TEST_CASE("Logits near the largest float are numbers like any other") {
  float const top = 3e38f;
  // Certain of different classes: ln 2; of the same: 0. The difference of the two logits of a class overflows.
  std::vector<float> const first{top, -top}, second{-top, top};
  std::vector<float> g(2), h(2);
  auto const apart = sage::consistency_loss<>{}.value_and_grad(first, second, g, h);
  CHECK(apart.value == Approx(std::log(2.0)).epsilon(1e-6));
  CHECK(sage::consistency_loss<>{}(first, first).value == 0);
  for (auto const* v : {&g, &h})
    for (float const d : *v) CHECK(d == Approx(0).margin(1e-6));
  // One row raised by a constant: the same distribution.
  std::vector<float> const low{0, 1}, high{top, top};
  auto const raised = sage::consistency_loss<>{}.value_and_grad(low, high, g, h);
  row const half{real(0.5), real(0.5)};
  CHECK(relative(raised.value, jensen_shannon(softmax({0, 1}), half, real(0.5))) <=
        tolerances<float>{}.value);
  // Cross entropy: 3e38 is a loss of float's range, 6e38 is not.
  std::vector<float> d(2);
  CHECK(sage::cross_entropy_loss{}.value_and_grad(std::vector<float>{0, top}, std::vector<int>{0}, d).value ==
        top);
  CHECK((d[0] == -1 && d[1] == 1));
  auto const beyond = sage::cross_entropy_loss{}.value_and_grad(first, std::vector<int>{1}, d);
  CHECK((beyond.value == inf && beyond.non_finite == 1 && d[0] == 1 && d[1] == -1));
}

TEST_CASE("A constant that only one row of logits has costs Jensen-Shannon and Kullback-Leibler no digit") {
  // z = z′ + 1000 + 1e-2 noise: the numbers as float holds them, and no rounding of z − z′ ≈ 1000 beside.
  index_t const classes = 10;
  auto const other = normal_values(classes, 54), noise = normal_values(classes, 55, 1e-2);
  std::vector<double> z(other);
  for (std::size_t j = 0; j < z.size(); ++j) z[j] = static_cast<float>(other[j] + noise[j] + 1000);
  std::vector<row> const x{row_of(z, classes, 0), row_of(other, classes, 0)};
  auto const z_float = to<float>(z), other_float = to<float>(other);
  CHECK(relative(sage::consistency_loss<>{}(z_float, other_float).value,
                 jensen_shannon(softmax(x[0]), softmax(x[1]), real(0.5))) <=
        tolerances<float>{}.jensen_shannon);
  CHECK(relative(sage::consistency_loss<sage::kullback_leibler>{}(z_float, other_float).value,
                 kullback_leibler(softmax(x[0]), softmax(x[1]))) <= tolerances<float>{}.jensen_shannon);
}

TEST_CASE("Distances whose squares overflow are infinite, and whose squares vanish zero, as in PyTorch") {
  // (2e30)² is beyond float. a = n: the positive is infinitely far. a ≠ n: ∞ − ∞.
  std::vector<float> const a{1e30f, 0}, p{-1e30f, 0};
  std::vector<float> da(2), dp(2), dn(2);
  sage::triplet_margin_loss<> const loss;
  auto const far = loss.value_and_grad(a, p, a, da, dp, dn);
  CHECK((far.value == inf && far.non_finite == 1));
  for (auto const* g : {&da, &dp, &dn})
    for (float const d : *g) CHECK(std::isfinite(d));
  CHECK(std::isnan(loss(a, p, p).value));
  CHECK(loss(a, a, p).value == 0);  // the negative is infinitely far
  // In double the same rows are what they are.
  std::vector<double> const a2{1e30, 0}, p2{-1e30, 0};
  CHECK(loss(a2, p2, a2).value == Approx(2e30));
  // (1e-30)² is 0 in float: without eps the distance is 0 and has no gradient.
  std::vector<float> const zero{0, 0}, tiny{1e-30f, 0};
  sage::triplet_margin_loss<sage::euclidean> const bare{.margin = 0, .distance = {.eps = 0}};
  auto const near = bare.value_and_grad(zero, tiny, zero, da, dp, dn);
  CHECK((near.value == 0 && dp[0] == 0));
}
