#include "loss/compare.hpp"

#include <sage/formula/cosine.hpp>
#include <sage/formula/squared_error.hpp>
#include <sage/loss/sage.hpp>

#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

namespace {

using namespace reference;

// A batch of three views: operands 0, 1, 2 are the logits of x, x⁺, x⁻, 3, 4, 5 the embeddings.
struct batch {
  index_t rows = 7, classes = 5, length = 9;
  std::vector<std::vector<double>> x;
  std::vector<int> labels{0, 3, 4, 1, 1, 2, 0};
  std::vector<double> weights{1, 0, 0.5, 2, 1, 0.25, 1};  // exact in float

  batch() {
    for (std::uint64_t k = 0; k < 6; ++k)
      x.push_back(normal_values(rows * columns(k), 20 + k, k < 3 ? 2 : 1));
  }
  index_t columns(std::size_t operand) const { return operand < 3 ? classes : length; }
  std::vector<row> at(index_t i) const {
    std::vector<row> r;
    for (std::size_t k = 0; k < 6; ++k) r.push_back(row_of(x[k], columns(k), i));
    return r;
  }
};

struct options {
  real positive = real(0.5), triplet = 2, consistency = real(0.75), degradation = real(1.5);
  real margin = real(0.5), temperature = 2, smoothing = real(0.125);
};

// The terms of one sample by name, from the definitions.
struct terms {
  real classification, positive, triplet, consistency, degradation;
};
terms terms_of(std::vector<row> const& x, int label, options const& o) {
  auto const js = [](row const& p, row const& q) { return jensen_shannon(p, q, real(0.5)); };
  auto const distance = [](row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); };
  return {cross_entropy(x[0], label, o.smoothing), cross_entropy(x[1], label, o.smoothing),
          triplet(distance, x[3], x[4], x[5], o.margin, false),
          js(softmax(x[0], o.temperature), softmax(x[1], o.temperature)),
          repel(js, x[0], x[2], o.temperature, real(0.25))};
}
// Its contribution to the total: the classification of x counts fully, the rest by the sample's weight.
real contribution(terms const& t, options const& o, real share, real weighted_share) {
  return share * t.classification +
         weighted_share * (o.positive * t.positive + o.triplet * t.triplet + o.consistency * t.consistency +
                           o.degradation * t.degradation);
}

using complete_loss = sage::sage_loss<sage::normalized_euclidean, sage::jensen_shannon, sage::repel<>>;
complete_loss const loss{.margin = 0.5,
                         .temperature = 2,
                         .label_smoothing = 0.125,
                         .positive_classification_weight = 0.5,
                         .triplet_weight = 2,
                         .consistency_weight = 0.75,
                         .degradation_weight = 1.5,
                         .degradation = {.margin = 0.25}};

template <class T>
struct tensors {
  std::vector<matrix<T>> x, g;
  std::vector<T> weights;

  explicit tensors(batch const& b) : weights(to<T>(b.weights)) {
    for (std::size_t k = 0; k < 6; ++k) {
      x.emplace_back(b.rows, b.columns(k), arrangement::pitched, b.x[k]);
      g.emplace_back(b.rows, b.columns(k), arrangement::strided);
    }
  }
  auto logits() { return sage::views(x[0].view(), x[1].view(), x[2].view()); }
  auto embeddings() { return sage::views(x[3].view(), x[4].view(), x[5].view()); }
  auto logit_gradients() { return sage::views(g[0].view(), g[1].view(), g[2].view()); }
  auto embedding_gradients() { return sage::views(g[3].view(), g[4].view(), g[5].view()); }
};

}  // namespace

TEST_CASE("The SAGE loss is the weighted sum of its terms, and its gradients are differences of that sum") {
  batch const b;
  options const o;
  for (bool const weighted : {false, true}) {
    std::vector<real> w(b.weights.begin(), b.weights.end());
    if (!weighted) w.assign(w.size(), 1);
    real total_weight = 0;
    for (real const x : w) total_weight += x;
    terms mean{};
    real total = 0;
    std::vector<std::vector<row>> slopes;
    for (index_t i = 0; i < b.rows; ++i) {
      auto const at = static_cast<std::size_t>(i);
      real const share = real(1) / static_cast<int>(b.rows), weighted_share = w[at] / total_weight;
      auto const t = terms_of(b.at(i), b.labels[at], o);
      mean.classification += share * t.classification;
      mean.positive += weighted_share * t.positive;
      mean.triplet += weighted_share * t.triplet;
      mean.consistency += weighted_share * t.consistency;
      mean.degradation += weighted_share * t.degradation;
      total += contribution(t, o, share, weighted_share);
      slopes.push_back(gradient(
          [&](std::vector<row> const& x) {
            return contribution(terms_of(x, b.labels[at], o), o, share, weighted_share);
          },
          b.at(i)));
    }
    auto const test = [&]<class T>(T, auto const& executor) {
      tolerances<T> const tolerance;
      tensors<T> t(b);
      auto const r =
          weighted ? loss.value_and_grad(executor, t.logits(), t.embeddings(), b.labels, t.logit_gradients(),
                                         t.embedding_gradients(), sage::weights(t.weights))
                   : loss.value_and_grad(executor, t.logits(), t.embeddings(), b.labels, t.logit_gradients(),
                                         t.embedding_gradients());
      CAPTURE(weighted, sizeof(T));
      CHECK(relative(r.value, total) <= tolerance.value);
      CHECK(relative(r.classification, mean.classification) <= tolerance.value);
      CHECK(relative(r.positive_classification, mean.positive) <= tolerance.value);
      CHECK(relative(r.triplet, mean.triplet) <= tolerance.value);
      CHECK(relative(r.consistency, mean.consistency) <= tolerance.value);
      CHECK(relative(r.degradation, mean.degradation) <= tolerance.value);
      CHECK(r.non_finite == 0);
      for (std::size_t k = 0; k < 6; ++k) {
        relative_error e;
        for (index_t i = 0; i < b.rows; ++i)
          for (index_t j = 0; j < b.columns(k); ++j)
            e.add(t.g[k](i, j), slopes[static_cast<std::size_t>(i)][k][static_cast<std::size_t>(j)]);
        CAPTURE(k);
        CHECK(e.value() <= tolerance.gradient);
        CHECK(t.g[k].gaps_are_untouched());
      }
      // The other members agree with this one.
      auto const value = weighted
                             ? loss(executor, t.logits(), t.embeddings(), b.labels, sage::weights(t.weights))
                             : loss(executor, t.logits(), t.embeddings(), b.labels);
      CHECK(same_bits(value.value, r.value));
      tensors<T> u(b);
      if (weighted)
        loss.backward(executor, T(2), u.logits(), u.embeddings(), b.labels, u.logit_gradients(),
                      u.embedding_gradients(), sage::weights(u.weights));
      else
        loss.backward(executor, T(2), u.logits(), u.embeddings(), b.labels, u.logit_gradients(),
                      u.embedding_gradients());
      for (std::size_t k = 0; k < 6; ++k) {
        relative_error e;
        for (index_t i = 0; i < b.rows; ++i)
          for (index_t j = 0; j < b.columns(k); ++j) e.add(u.g[k](i, j), 2 * real(t.g[k](i, j)));
        CHECK(e.value() <= tolerance.gradient);
      }
    };
    // Double on the scalar schedule only: the vector schedules of every term have tests of their own.
    test(float(), sage::exec::simd{});
    test(double(), sage::exec::scalar{});
  }
}

TEST_CASE(
    "The SAGE loss is that of its terms alone, at temperatures where they share exponentials and at others") {
  index_t const rows = 11;
  auto const sum_of_terms = [&](index_t classes, double temperature, bool extreme, auto const& executor) {
    CAPTURE(classes, temperature, extreme);
    std::vector<matrix<float>> z, g, alone;
    for (std::uint64_t k = 0; k < 2; ++k) {
      auto const shape = [&](std::vector<matrix<float>>& to, std::vector<double> const& x) {
        to.emplace_back(rows, classes, arrangement::contiguous, x);
      };
      auto values = normal_values(rows * classes, 70 + k, extreme ? 30 : 2);
      if (extreme)  // classes that the row cannot be, never the label
        for (std::size_t j = 1; j < values.size(); j += 7)
          if (j % static_cast<std::size_t>(classes) != 0)
            values[j] = -std::numeric_limits<double>::infinity();
      shape(z, values), shape(g, values), shape(alone, values);
    }
    std::vector<int> labels;
    for (index_t i = 0; i < rows; ++i) labels.push_back(extreme ? 0 : static_cast<int>(i % classes));
    auto const& e = z;  // embeddings without a term
    sage::sage_loss<> const joined{.temperature = temperature,
                                   .label_smoothing = extreme ? 0 : 0.125,
                                   .positive_classification_weight = 0.5,
                                   .triplet_weight = 0,
                                   .consistency_weight = 3};
    auto const r = joined.value_and_grad(executor, sage::views(z[0].view(), z[1].view(), z[1].view()),
                                         sage::views(e[0].view(), e[0].view(), e[1].view()), labels,
                                         sage::views(g[0].view(), g[1].view(), sage::skip),
                                         sage::views(sage::skip, sage::skip, sage::skip));

    sage::cross_entropy_loss const classification{.label_smoothing = extreme ? 0 : 0.125};
    sage::consistency_loss<> const consistency{.temperature = temperature};
    std::vector<matrix<float>> d(alone), c(alone);
    auto const x = classification.value_and_grad(executor, z[0].view(), labels, alone[0].view());
    auto const plus = classification.value_and_grad(executor, z[1].view(), labels, alone[1].view());
    auto const same =
        consistency.value_and_grad(executor, z[0].view(), z[1].view(), d[0].view(), d[1].view());
    tolerances<float> const tolerance;
    CHECK(relative(r.classification, real(x.value)) <= tolerance.value);
    CHECK(relative(r.positive_classification, real(plus.value)) <= tolerance.value);
    CHECK(relative(r.consistency, real(same.value)) <= tolerance.value);
    CHECK(r.non_finite == 0);
    for (std::size_t k = 0; k < 2; ++k) {
      relative_error error;
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < classes; ++j)
          error.add(g[k](i, j), real(k == 0 ? 1 : 0.5) * real(alone[k](i, j)) + 3 * real(d[k](i, j)));
      CAPTURE(k);
      CHECK(error.value() <= tolerance.gradient);
    }
  };
  for (double const temperature : {1.0, 1.5, 2.0})
    for (index_t const classes : {2, 5, 32, 33, 100})
      for (bool const extreme : {false, true}) {
        sum_of_terms(classes, temperature, extreme, sage::exec::simd{});
        sum_of_terms(classes, temperature, extreme, sage::exec::simd{.level = sage::exec::isa::baseline});
        sum_of_terms(classes, temperature, extreme, sage::exec::scalar{});
      }
}

TEST_CASE("The SAGE loss of each sample is the sum of its own terms, and each may have its own upstream") {
  batch const b;
  options const o;
  tensors<double> t(b);
  std::vector<double> out(static_cast<std::size_t>(b.rows)), upstream{1, -2, 0.5, 0, 3, 1, -1};
  loss.per_sample(sage::exec::scalar{}, t.logits(), t.embeddings(), b.labels, out, sage::weights(t.weights));
  loss.backward(sage::exec::scalar{}, upstream, t.logits(), t.embeddings(), b.labels, t.logit_gradients(),
                t.embedding_gradients(), sage::weights(t.weights));
  relative_error values;
  std::vector<relative_error> slopes(6);
  for (index_t i = 0; i < b.rows; ++i) {
    auto const at = static_cast<std::size_t>(i);
    auto const f = [&](std::vector<row> const& x) {
      return contribution(terms_of(x, b.labels[at], o), o, 1, real(b.weights[at]));
    };
    values.add(out[at], f(b.at(i)));
    auto const g = gradient(f, b.at(i));
    for (std::size_t k = 0; k < 6; ++k)
      for (index_t j = 0; j < b.columns(k); ++j)
        slopes[k].add(t.g[k](i, j), real(upstream[at]) * g[k][static_cast<std::size_t>(j)]);
  }
  CHECK(values.value() <= tolerances<double>{}.value);
  for (auto const& e : slopes) CHECK(e.value() <= tolerances<double>{}.gradient);
}

namespace {

// The loss on one executor against its terms, each run for itself in double: values and gradients, with and without
// weights, of a batch with an ignored label.
template <class T, class Loss, class Executor>
void agrees_with_its_terms(Loss const& whole, batch b, Executor const& executor) {
  b.labels[4] = static_cast<int>(whole.ignore_index);
  tolerances<T> const tolerance;
  for (bool const weighted : {false, true}) {
    CAPTURE(weighted, b.classes, sizeof(T));
    tensors<T> t(b);
    tensors<double> d(b);
    for (auto& g : d.g) g.fill(0);
    auto const reduced = [&](auto const& term, double weight, auto const& in, auto const& out,
                             bool has_weights) {
      return std::apply(
          [&](auto const&... a) {
            sage::exec::scalar const scalar;
            std::apply(
                [&](auto const&... g) {
                  if (has_weights)
                    term.backward(scalar, weight, a..., sage::add_to(g)..., sage::weights(d.weights));
                  else
                    term.backward(scalar, weight, a..., sage::add_to(g)...);
                },
                out);
            return has_weights ? term(scalar, a..., sage::weights(d.weights)).value
                               : term(scalar, a...).value;
          },
          in);
    };
    auto const z = [&](std::size_t k) { return d.x[k].view(); };
    auto const g = [&](std::size_t k) { return d.g[k].view(); };
    double const classification =
        reduced(whole.classification_term(), 1, std::tuple(z(0), b.labels), std::tuple(g(0)), false);
    double const positive = reduced(whole.classification_term(), whole.positive_classification_weight,
                                    std::tuple(z(1), b.labels), std::tuple(g(1)), weighted);
    double const triplet = reduced(whole.triplet_term(), whole.triplet_weight, std::tuple(z(3), z(4), z(5)),
                                   std::tuple(g(3), g(4), g(5)), weighted);
    double const consistency = reduced(whole.consistency_term(), whole.consistency_weight,
                                       std::tuple(z(0), z(1)), std::tuple(g(0), g(1)), weighted);
    double degradation = 0;
    if constexpr (Loss::checks_degradation) {
      auto const term = whole.degradation_term();
      if constexpr (decltype(term.formula())::inputs == 1)
        degradation = reduced(term, whole.degradation_weight, std::tuple(z(2)), std::tuple(g(2)), weighted);
      else
        degradation = reduced(term, whole.degradation_weight, std::tuple(z(0), z(1), z(2)),
                              std::tuple(g(0), g(1), g(2)), weighted);
    }
    auto const r =
        weighted ? whole.value_and_grad(executor, t.logits(), t.embeddings(), b.labels, t.logit_gradients(),
                                        t.embedding_gradients(), sage::weights(t.weights))
                 : whole.value_and_grad(executor, t.logits(), t.embeddings(), b.labels, t.logit_gradients(),
                                        t.embedding_gradients());
    CHECK(relative(r.classification, classification) <= tolerance.value);
    CHECK(relative(r.positive_classification, positive) <= tolerance.value);
    CHECK(relative(r.triplet, triplet) <= tolerance.value);
    CHECK(relative(r.consistency, consistency) <= tolerance.value);
    if constexpr (Loss::checks_degradation) CHECK(relative(r.degradation, degradation) <= tolerance.value);
    for (std::size_t k = 0; k < 6; ++k) {
      if (k == 2 && !Loss::checks_degradation) continue;
      relative_error e;
      for (index_t i = 0; i < b.rows; ++i)
        for (index_t j = 0; j < b.columns(k); ++j) e.add(t.g[k](i, j), d.g[k](i, j));
      CAPTURE(k);
      CHECK(e.value() <= tolerance.gradient);
    }
  }
}

}  // namespace

TEST_CASE(
    "The SAGE loss agrees with its terms run for themselves, whatever their policies and the length of the "
    "rows") {
  batch const b;
  batch long_rows;
  long_rows.classes = 43;
  for (std::uint64_t k = 0; k < 3; ++k)
    long_rows.x[k] = normal_values(long_rows.rows * long_rows.classes, 20 + k, 2);
  sage::sage_loss<> const defaults{.label_smoothing = 0.125, .consistency_weight = 0.75};
  agrees_with_its_terms<float>(defaults, b, sage::exec::simd{});
  agrees_with_its_terms<float>(defaults, long_rows, sage::exec::simd{});
  agrees_with_its_terms<double>(defaults, b, sage::exec::scalar{});
  agrees_with_its_terms<double>(
      sage::sage_loss<sage::euclidean, sage::squared_error, sage::toward_uniform<>>{.swap = true}, b,
      sage::exec::scalar{});
  agrees_with_its_terms<double>(
      sage::sage_loss<sage::cosine, sage::kullback_leibler, sage::rank<>>{.positive_classification_weight =
                                                                              0.5},
      b, sage::exec::scalar{});
}

TEST_CASE("A sample of weight zero may hold NaN in its copies, not in the image") {
  batch b;
  auto const run = [&] {
    tensors<float> t(b);
    auto const r = loss.value_and_grad(t.logits(), t.embeddings(), b.labels, t.logit_gradients(),
                                       t.embedding_gradients(), sage::weights(t.weights));
    std::vector<float> all{r.value};
    for (auto const& g : t.g)
      for (float const d : g.values()) all.push_back(d);
    CHECK(r.non_finite == 0);
    return all;
  };
  auto const clean = run();
  for (std::size_t const k : {1u, 2u, 3u, 4u, 5u})
    for (index_t j = 0; j < b.columns(k); ++j)
      b.x[k][static_cast<std::size_t>(b.columns(k) + j)] =
          std::numeric_limits<double>::quiet_NaN();  // sample 1
  CHECK(same_bits(run(), clean));
  for (float const x : clean) CHECK(std::isfinite(x));
}

TEST_CASE(
    "Terms of weight zero are not evaluated and leave gradients of zero; skipped and added outputs hold") {
  batch const b;
  tensors<float> t(b);
  complete_loss only = loss;
  only.positive_classification_weight = only.triplet_weight = only.consistency_weight =
      only.degradation_weight = 0;
  auto const r =
      only.value_and_grad(t.logits(), t.embeddings(), b.labels, t.logit_gradients(), t.embedding_gradients());
  CHECK(r.value == r.classification);
  CHECK((r.triplet == 0 && r.consistency == 0 && r.degradation == 0 && r.positive_classification == 0));
  for (std::size_t k = 1; k < 6; ++k)
    for (float const d : t.g[k].values()) CHECK(d == 0);

  // add_to: twice the gradient after two calls. skip: not touched.
  tensors<float> u(b), v(b);
  loss.value_and_grad(u.logits(), u.embeddings(), b.labels, u.logit_gradients(), u.embedding_gradients());
  v.g[0].fill(1);
  v.g[4].fill(5);
  loss.value_and_grad(v.logits(), v.embeddings(), b.labels,
                      sage::views(sage::add_to(v.g[0].view()), sage::skip, v.g[2].view()),
                      sage::views(v.g[3].view(), sage::skip, v.g[5].view()));
  bool added = true;
  for (index_t i = 0; i < b.rows; ++i)
    for (index_t j = 0; j < b.classes; ++j)
      added = added && v.g[0](i, j) == Approx(1 + u.g[0](i, j)).epsilon(1e-5);
  CHECK(added);
  CHECK(same_bits(v.g[2].values(), u.g[2].values()));
  CHECK(same_bits(v.g[5].values(), u.g[5].values()));
  for (float const d : v.g[4].values()) CHECK(d == 5);
}

TEST_CASE("The SAGE loss refuses what does not fit in a whole sentence, before it writes") {
  batch const b;
  tensors<float> t(b);
  for (auto& g : t.g) g.fill(42);
  std::vector<float> narrow(static_cast<std::size_t>(b.rows * 8));
  sage::strided_view const wrong{narrow.data(), sage::extents{b.rows, 8}};
  auto const call = [&](complete_loss const& l, auto const& logits, auto const& embeddings,
                        auto const& labels, auto const& dz,
                        auto const& de) { return l.value_and_grad(logits, embeddings, labels, dz, de); };
  auto const with = [&](auto const& embeddings, auto const& labels) {
    return call(loss, t.logits(), embeddings, labels, t.logit_gradients(), t.embedding_gradients());
  };
  CHECK_THROWS_WITH(with(sage::views(t.x[3].view(), wrong, t.x[5].view()), b.labels),
                    "sage_loss: embeddings of x+ has shape (7, 8), embeddings (7, 9)");
  CHECK_THROWS_WITH(with(t.embeddings(), std::vector<int>(6)),
                    "sage_loss: labels has shape (6), expected one element for each of 7 rows");
  CHECK_THROWS_WITH(with(t.embeddings(), std::vector<int>(7, 5)),
                    "sage_loss: labels[0] is 5, expected 0 <= label < 5 or the ignored index -100");
  CHECK_THROWS_WITH(call(complete_loss{.margin = -1}, t.logits(), t.embeddings(), b.labels,
                         t.logit_gradients(), t.embedding_gradients()),
                    "sage_loss: margin is -1, expected >= 0");
  CHECK_THROWS_WITH(call(complete_loss{.temperature = 0}, t.logits(), t.embeddings(), b.labels,
                         t.logit_gradients(), t.embedding_gradients()),
                    "sage_loss: temperature is 0, expected > 0");
  CHECK_THROWS_WITH(call(loss, t.logits(), t.embeddings(), b.labels,
                         sage::views(t.x[0].view(), t.g[1].view(), t.g[2].view()), t.embedding_gradients()),
                    "sage_loss: d_logits overlaps logits, expected separate memory");
  CHECK_THROWS_WITH(call(loss, t.logits(), t.embeddings(), b.labels,
                         sage::views(t.g[0].view(), t.g[0].view(), t.g[2].view()), t.embedding_gradients()),
                    "sage_loss: d_logits overlaps d_logits of x+, expected separate memory");
  for (auto const& g : t.g)
    for (float const d : g.values()) CHECK(d == 42);
}
