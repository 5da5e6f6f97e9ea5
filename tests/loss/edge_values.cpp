// Vector code for one target: the edges are matters of the formulas. Bad rows among good ones with every instruction
// set: triplet_margin.cpp, distances.cpp, consistency.cpp, cross_entropy.cpp.
#if !defined(SAGE_NO_DISPATCH)
#define SAGE_NO_DISPATCH
#endif

#include "loss/every_loss.hpp"

#include <cmath>
#include <cstddef>
#include <limits>
#include <string_view>
#include <vector>

// What every loss does at the edges of its domain, and of float's.

using namespace every_loss;

namespace {

using limits = std::numeric_limits<float>;
constexpr float no_number = limits::quiet_NaN(), inf = limits::infinity();

/// Calls f(subject) for every loss whose operands have one shape, of whatever it is made.
template <class F>
void for_each(F const& f) {
  for_each_loss(f);
  for_each_variant(f);
}

/// Operand k holds rows of embeddings, or the logits of classes of which one is true.
template <class Subject>
constexpr bool of_embeddings(std::size_t k = 0) {
  using enum operands_are;
  return Subject::what == embeddings || Subject::what == labelled_embeddings ||
         (Subject::what == both && k >= 3);
}
template <class Subject>
constexpr bool of_classes(std::size_t k = 0) {
  using enum operands_are;
  return Subject::what == logits || Subject::what == labelled_logits ||
         (Subject::what == logits_and_targets && k == 0) || (Subject::what == both && k < 3);
}

template <class Subject>
auto run(Subject const& s, problem const& p) {
  std::vector<std::vector<float>> x;
  for (auto const& v : p.x) x.push_back(to<float>(v));
  return s.template run<float>(sage::exec::simd{}, x, p.rows, p.length);
}

/// Both NaN, both the same infinity (of float), or near: a hinge is a difference of numbers of its margin's size.
bool agree(float computed, double expected) {
  if (std::isnan(expected)) return std::isnan(computed);
  auto const rounded = static_cast<float>(expected);
  if (std::isinf(rounded)) return computed == rounded;
  return std::abs(static_cast<double>(computed) - expected) <= 1e-5 * (1 + std::abs(expected));
}

/// The loss of a row with an exotic number in operand k, in its last element or in all of them.
struct exotic {
  char const* name;
  std::size_t k;
  bool whole_row;
  float computed;
  double expected,
      of_zeros;  // from the definition; the same with zeros in the place of the row of this operand
  bool embeddings, classes;  // what operand k holds
};

void check_outcome(float x, exotic const& e, bool holds) {
  CAPTURE(e.name, e.k, x, e.whole_row, e.computed, e.expected, e.of_zeros);
  CHECK(holds);
}

/// Puts x into a row of one operand after the other. No bit of any other row may change.
template <class Subject>
std::vector<exotic> exotic_rows(Subject const& s, float x) {
  index_t const rows = 19, bad = 6;
  std::vector<exotic> outcomes;
  for (index_t const length : {5, 40}) {
    auto const clean_problem = Subject::random(rows, length, 53);
    auto const clean = run(s, clean_problem);
    REQUIRE(clean.non_finite == 0);
    auto const in_row = [&](std::size_t k, double value, bool whole_row) {
      auto p = clean_problem;
      for (index_t j = whole_row ? 0 : length - 1; j < length; ++j)
        p.x[k][static_cast<std::size_t>(bad * length + j)] = value;
      return p;
    };
    for (std::size_t k = 0; k < Subject::operands; ++k)
      for (bool const whole_row : {false, true}) {
        auto const p = in_row(k, static_cast<double>(x), whole_row);
        auto const r = run(s, p);
        CAPTURE(s.name, length, k, x, whole_row, r.values[bad]);
        if (Subject::what != operands_are::both)  // sage_loss counts for each term
          CHECK(r.non_finite == !std::isfinite(r.values[bad]));
        bool same = true;
        for (index_t i = 0; i < rows; ++i) {
          auto const at = static_cast<std::size_t>(i), columns = static_cast<std::size_t>(length);
          if (i == bad) continue;
          same = same && same_bits(r.values[at], clean.values[at]);
          for (std::size_t g = 0; g < Subject::operands; ++g)
            for (std::size_t j = at * columns; j < (at + 1) * columns; ++j)
              same = same && same_bits(r.gradients[g][j], clean.gradients[g][j]);
        }
        CHECK(same);
        outcomes.push_back({s.name, k, whole_row, r.values[bad], static_cast<double>(s.expected(p, bad)),
                            static_cast<double>(s.expected(in_row(k, 0, true), bad)),
                            of_embeddings<Subject>(k), of_classes<Subject>(k)});
      }
  }
  return outcomes;
}

/// Checks `holds(outcome)` of every loss, operand and place of x in its row.
void check_exotic(float x, bool (*holds)(exotic const&)) {
  for_each([&](auto const& s) {
    for (exotic const& e : exotic_rows(s, x)) check_outcome(x, e, holds(e));
  });
}

/// Losses whose distances are of unit vectors; targets are no logits, and are between 0 and 1.
bool of_unit_vectors(exotic const& e) {
  std::string_view const name = e.name;
  return name == "triplet_margin_loss<normalized_euclidean>" || name == "triplet_margin_loss<cosine>" ||
         name == "sage_loss";
}
bool is_target(exotic const& e) {
  std::string_view const name = e.name;
  return e.k == 1 && (name == "cross_entropy_loss of probabilities" || name == "binary_cross_entropy_loss");
}

}  // namespace

TEST_CASE("An empty batch has mean NaN for every loss, and nothing to count") {
  for_each([]<class Subject>(Subject const& s) {
    auto const r = run(s, {0, 5, std::vector<std::vector<double>>(Subject::operands)});
    CAPTURE(s.name);
    CHECK(std::isnan(r.value));
    CHECK((r.active == 0 && r.non_finite == 0));
  });
}

TEST_CASE("Rows without elements are refused by losses of logits, and equal for losses of embeddings") {
  for_each([]<class Subject>(Subject const& s) {
    problem const p{3, 0, std::vector<std::vector<double>>(Subject::operands)};
    CAPTURE(s.name);
    if constexpr (of_embeddings<Subject>()) {
      auto const r = run(s, p);
      for (index_t i = 0; i < 3; ++i)
        CHECK(agree(r.values[static_cast<std::size_t>(i)], static_cast<double>(s.expected(p, i))));
    } else {
      CHECK_THROWS_AS(run(s, p), sage::shape_error);
    }
  });
}

TEST_CASE(
    "One class is certain: divergences and cross entropy are 0, hinges their margin, gradients 0 exactly") {
  for_each([]<class Subject>(Subject const& s) {
    if constexpr (of_classes<Subject>() && Subject::what != operands_are::both) {
      auto const p = Subject::random(3, 1, 51, 30);
      auto const r = run(s, p);
      CAPTURE(s.name);
      for (index_t i = 0; i < 3; ++i) CHECK(real(r.values[static_cast<std::size_t>(i)]) == s.expected(p, i));
      for (auto const& g : r.gradients)
        for (float const d : g) CHECK(d == 0);
    }
  });
}

TEST_CASE(
    "Equal rows: every divergence is 0 with gradient 0 (soft cross entropy the entropy, 0 to the student "
    "alone), "
    "hinges are their margin, triplets too") {
  for_each([]<class Subject>(Subject const& s) {
    if constexpr (Subject::operands > 1 && !Subject::with_targets && Subject::what != operands_are::both)
      for (index_t const length : {5, 40}) {
        auto p = Subject::random(3, length, 52, 3);
        for (auto& x : p.x) x = p.x[0];
        auto const r = run(s, p);
        CAPTURE(s.name, length);
        for (index_t i = 0; i < 3; ++i)
          CHECK(agree(r.values[static_cast<std::size_t>(i)], static_cast<double>(s.expected(p, i))));
        bool const of_teacher = std::string_view(s.name) == "consistency_loss<soft_cross_entropy>";
        for (std::size_t k = of_teacher ? 1 : 0; k < Subject::operands; ++k)
          for (float const d : r.gradients[k]) CHECK((of_embeddings<Subject>() ? std::isfinite(d) : d == 0));
      }
  });
}

TEST_CASE("NaN anywhere in a row makes the loss of this row NaN, and of no other") {
  check_exotic(no_number, [](exotic const& e) { return std::isnan(e.computed); });
}

TEST_CASE(
    "Plus infinity makes a row of logits of classes NaN, and gives other losses what the definition gives") {
  check_exotic(inf, [](exotic const& e) {
    if (is_target(e)) return !std::isfinite(e.computed);
    return agree(e.computed, e.expected) && (!e.classes || std::isnan(e.computed));
  });
}

TEST_CASE(
    "Minus infinity is a class of probability 0, a row of it NaN, and gives other losses what the definition "
    "gives") {
  check_exotic(-inf, [](exotic const& e) {
    if (is_target(e)) return !std::isfinite(e.computed);
    return agree(e.computed, e.expected) && (!e.classes || std::isnan(e.computed) == e.whole_row);
  });
}

TEST_CASE("Denormal numbers are numbers like any other") {
  check_exotic(limits::denorm_min(), [](exotic const& e) { return agree(e.computed, e.expected); });
}

TEST_CASE(
    "The largest numbers are logits like any other; embeddings whose squares overflow are infinitely far, "
    "and "
    "without direction") {
  for (float const x : {limits::max(), limits::lowest()})
    check_exotic(x, [](exotic const& e) {
      if (is_target(e)) return true;
      if (e.embeddings && of_unit_vectors(e)) return agree(e.computed, e.of_zeros);
      // A positive farther than float is ∞, such a negative none, and an anchor far from both ∞ − ∞.
      if (e.embeddings)
        return agree(e.computed, e.expected) || (e.computed == inf && e.expected > 1e18) ||
               (std::isnan(e.computed) && e.k == 0);
      // Where the definition's probability underflows to 0 the divergence is the difference of the logits.
      if (std::isinf(e.expected) && std::isfinite(e.computed)) return e.classes && e.computed > 1e35f;
      // A sum over classes or labels may overflow where its mean would not.
      return agree(e.computed, e.expected) || (e.expected > 1e37 && e.computed == inf);
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
