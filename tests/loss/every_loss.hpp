#pragma once

#include "loss/compare.hpp"
#include "reference/logit_losses.hpp"

#include <sage/formula/cosine.hpp>
#include <sage/formula/lp.hpp>
#include <sage/formula/squared_euclidean.hpp>
#include <sage/loss/binary_consistency.hpp>
#include <sage/loss/binary_cross_entropy.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/contrastive.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/degradation.hpp>
#include <sage/loss/divergences.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

/// The losses whose operands all have one shape, (rows, length), each with its definition: what holds for all of them
/// is tested over this list, which a new one joins by one line. batch_losses.hpp lists the others: losses whose
/// operands have several shapes, or whose rows meet each other.
namespace every_loss {

using namespace reference;

/// What the operands of a loss are: logits of classes, of yes-or-no labels, either with a target for each, which lies
/// in (0, 1); `numbers` of any kind; those of `both` are three of logits and three of embeddings.
enum class operands_are {
  embeddings,
  labelled_embeddings,
  numbers,
  logits,
  labelled_logits,
  logits_and_targets,
  binary_logits,
  binary_logits_and_targets,
  both
};

/// Labels of rows; pairs of embeddings have two classes.
inline std::vector<int> labels_for(index_t rows, index_t classes) {
  std::vector<int> y;
  for (index_t i = 0; i < rows; ++i) y.push_back(classes == 0 ? 0 : static_cast<int>((3 * i + 1) % classes));
  return y;
}

/// What a loss gives for a batch: its reduced value, the values of the rows, and one gradient for each operand.
template <class T, class Value>
struct outcome {
  Value value{};
  index_t active = 0, non_finite = 0;
  std::vector<T> values;
  std::vector<std::vector<T>> gradients;
};

/// `definition(rows, label)` is the loss of one row, `rows` one row of each operand.
template <operands_are What, std::size_t Operands, class Loss, class Definition>
struct subject {
  static constexpr operands_are what = What;
  static constexpr std::size_t operands = Operands;
  static constexpr bool labelled =
      What == operands_are::labelled_logits || What == operands_are::labelled_embeddings;
  static constexpr bool with_targets =
      What == operands_are::logits_and_targets || What == operands_are::binary_logits_and_targets;
  char const* name;
  Loss loss;
  Definition definition;

  static std::vector<int> labels(index_t rows, index_t length) {
    return labels_for(rows, What == operands_are::labelled_embeddings ? 2 : length);
  }

  /// Operands of normal numbers, targets between 0 and 1; exact in float.
  static problem random(index_t rows, index_t length, std::uint64_t seed, double scale = 1) {
    problem p = random_problem(static_cast<int>(Operands), rows, length, seed, scale);
    if constexpr (with_targets)
      for (double& t : p.x[1]) t = static_cast<float>(std::abs(t) / (1 + std::abs(t)));
    return p;
  }

  /// x[k] is operand k, row-major. The reduced value is the mean.
  template <class T, class Executor>
  auto run(Executor const& executor, std::vector<std::vector<T>> const& x, index_t rows,
           index_t length) const {
    std::vector<std::vector<T>> g(Operands);
    for (auto& v : g) v.resize(static_cast<std::size_t>(rows * length));
    std::vector<T> values(static_cast<std::size_t>(rows));
    auto const y = labels(rows, length);
    auto const view = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, length}}; };
    auto const result = [&]<std::size_t... I>(std::index_sequence<I...>) {
      if constexpr (What == operands_are::both) {
        auto const z = sage::views(view(x[0]), view(x[1]), view(x[2]));
        auto const e = sage::views(view(x[3]), view(x[4]), view(x[5]));
        loss.per_sample(executor, z, e, y, values);
        return loss.value_and_grad(executor, z, e, y, sage::views(view(g[0]), view(g[1]), view(g[2])),
                                   sage::views(view(g[3]), view(g[4]), view(g[5])));
      } else if constexpr (labelled) {
        loss.per_sample(executor, view(x[I])..., y, values);
        return loss.value_and_grad(executor, view(x[I])..., y, view(g[I])...);
      } else {
        loss.per_sample(executor, view(x[I])..., values);
        return loss.value_and_grad(executor, view(x[I])..., view(g[I])...);
      }
    }
    (std::make_index_sequence<Operands>{});
    return outcome<T, decltype(result.value)>{result.value, result.active, result.non_finite,
                                              std::move(values), std::move(g)};
  }

  /// The loss of row i, from the definition.
  real expected(problem const& p, index_t i) const {
    return definition(p.at(i), labels(p.rows, p.length)[static_cast<std::size_t>(i)]);
  }
  /// The losses and gradients of the rows, from the definition.
  answers expected(problem const& p) const {
    auto const y = labels(p.rows, p.length);
    return answers_of(p, false, [&](std::vector<row> const& x, index_t i) {
      return definition(x, y[static_cast<std::size_t>(i)]);
    });
  }
};

template <operands_are What, std::size_t Operands, class Loss, class Definition>
subject<What, Operands, Loss, Definition> make(char const* name, Loss const& loss,
                                               Definition const& definition) {
  return {name, loss, definition};
}

/// Calls f(subject) for every loss. Margins keep hinges active for most rows of normal numbers.
template <class F>
void for_each_loss(F const& f) {
  using enum operands_are;
  using rows = std::vector<row> const&;
  auto const js = [](row const& p, row const& q) { return jensen_shannon(p, q, real(0.5)); };
  auto const skewed = [](row const& p, row const& q) { return jensen_shannon(p, q, real(0.25)); };
  auto const pytorch = [](row const& u, row const& v) { return euclidean(u, v, real(1e-6)); };
  auto const unit = [](row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); };
  sage::skewed_jensen_shannon const tilted{.beta = 0.25};

  f(make<embeddings, 3>("triplet_margin_loss", sage::triplet_margin_loss<>{.margin = 4, .swap = true},
                        [=](rows x, int) { return triplet(pytorch, x[0], x[1], x[2], 4, true); }));
  f(make<embeddings, 3>("triplet_margin_loss<normalized_euclidean>",
                        sage::triplet_margin_loss<sage::normalized_euclidean>{.margin = 2},
                        [=](rows x, int) { return triplet(unit, x[0], x[1], x[2], 2, false); }));
  f(make<logits, 2>("consistency_loss", sage::consistency_loss<>{.temperature = 2},
                    [=](rows x, int) { return js(softmax(x[0], 2), softmax(x[1], 2)); }));
  f(make<logits, 2>(
      "consistency_loss<skewed_jensen_shannon>",
      sage::consistency_loss<sage::skewed_jensen_shannon>{.temperature = 2, .divergence = tilted},
      [=](rows x, int) { return skewed(softmax(x[0], 2), softmax(x[1], 2)); }));
  f(make<logits, 2>("consistency_loss<kullback_leibler>",
                    sage::consistency_loss<sage::kullback_leibler>{.temperature = 2},
                    [=](rows x, int) { return kullback_leibler(softmax(x[0], 2), softmax(x[1], 2)); }));
  f(make<logits, 1>("degradation_loss<toward_uniform>",
                    sage::degradation_loss<sage::toward_uniform<sage::skewed_jensen_shannon>>{
                        .temperature = 2, .check = {.divergence = tilted}},
                    [=](rows x, int) { return toward_uniform(skewed, x[0], 2); }));
  f(make<logits, 2>("degradation_loss<repel>",
                    sage::degradation_loss<sage::repel<>>{.check = {.margin = 0.75}},
                    [=](rows x, int) { return repel(js, x[0], x[1], 1, real(0.75)); }));
  f(make<logits, 3>("degradation_loss<rank>", sage::degradation_loss<sage::rank<>>{.check = {.margin = 0.5}},
                    [=](rows x, int) { return rank(js, x[0], x[1], x[2], 1, real(0.5)); }));
  f(make<labelled_logits, 1>("cross_entropy_loss", sage::cross_entropy_loss{.label_smoothing = 0.125},
                             [=](rows x, int y) { return cross_entropy(x[0], y, real(0.125)); }));
  f(make<both, 6>("sage_loss",
                  sage::sage_loss<sage::normalized_euclidean, sage::jensen_shannon, sage::repel<>>{
                      .margin = 2, .degradation = {.margin = 0.75}},
                  [=](rows x, int y) {
                    return cross_entropy(x[0], y, 0) + cross_entropy(x[1], y, 0) +
                           triplet(unit, x[3], x[4], x[5], 2, false) + js(softmax(x[0]), softmax(x[1])) +
                           repel(js, x[0], x[2], 1, real(0.75));
                  }));
}

/// ‖u − v‖²
inline real squared_distance(row const& u, row const& v) {
  real s = 0;
  for (std::size_t j = 0; j < u.size(); ++j) s += (u[j] - v[j]) * (u[j] - v[j]);
  return s;
}

/// Calls f(subject) for what else a loss may be made of: distances, a hinge, divergences.
template <class F>
void for_each_variant(F const& f) {
  using enum operands_are;
  using rows = std::vector<row> const&;
  auto const of_softmax = [](auto const& divergence) {
    return [=](rows x, int) { return divergence(softmax(x[0], 2), softmax(x[1], 2)); };
  };
  auto const of_triplet = [](auto const& d, real margin) {
    return [=](rows x, int) { return triplet(d, x[0], x[1], x[2], margin, false); };
  };
  f(make<embeddings, 3>(
      "triplet_margin_loss<lp>", sage::triplet_margin_loss<sage::lp>{.margin = 4, .distance = {.p = 3}},
      of_triplet([](row const& u, row const& v) { return minkowski(u, v, 3, real(1e-6)); }, 4)));
  f(make<embeddings, 3>(
      "triplet_margin_loss<cosine>", sage::triplet_margin_loss<sage::cosine>{.margin = 2},
      of_triplet([](row const& u, row const& v) { return cosine_distance(u, v, real(1e-8)); }, 2)));
  f(make<embeddings, 3>(
      "triplet_margin_loss<squared_euclidean, softplus>",
      sage::triplet_margin_loss<sage::squared_euclidean, sage::hinge::softplus>{.margin = 1},
      [=](rows x, int) {
        auto const d = [](row const& u, row const& v) { return squared_distance(u, v); };
        return softplus(1 + d(x[0], x[1]) - d(x[0], x[2]));
      }));
  f(make<embeddings, 3>(
      "triplet_margin_loss<euclidean_distance<eps::inside_root>, squared>",
      sage::triplet_margin_loss<sage::euclidean_distance<sage::eps::inside_root>, sage::hinge::squared>{
          .margin = 4, .distance = {.eps = 0.125}},
      [=](rows x, int) {
        auto const d = [](row const& u, row const& v) { return sqrt(squared_distance(u, v) + real(0.125)); };
        return triplet(d, x[0], x[1], x[2], 4, false, half_square);
      }));
  f(make<labelled_embeddings, 2>(
      "contrastive_loss", sage::contrastive_loss<>{.margin = 4, .positive_margin = 0.25}, [=](rows x, int y) {
        return contrastive(half_square, euclidean(x[0], x[1], real(1e-6)), y, 4, real(0.25));
      }));
  f(make<logits, 2>("consistency_loss<reverse_kullback_leibler>",
                    sage::consistency_loss<sage::reverse_kullback_leibler>{.temperature = 2},
                    of_softmax([](row const& p, row const& q) { return kullback_leibler(q, p); })));
  f(make<logits, 2>(
      "consistency_loss<generalized_jensen_shannon>",
      sage::consistency_loss<sage::generalized_jensen_shannon>{.temperature = 2, .divergence = {0.25}},
      of_softmax([](row const& p, row const& q) { return jensen_shannon(p, q, real(0.25)); })));
  f(make<logits, 2>("consistency_loss<jeffreys>", sage::consistency_loss<sage::jeffreys>{.temperature = 2},
                    of_softmax([](row const& p, row const& q) { return jeffreys(p, q); })));
  f(make<logits, 2>("consistency_loss<squared_hellinger>",
                    sage::consistency_loss<sage::squared_hellinger>{.temperature = 2},
                    of_softmax([](row const& p, row const& q) { return squared_hellinger(p, q); })));
  f(make<logits, 2>("consistency_loss<total_variation>",
                    sage::consistency_loss<sage::total_variation>{.temperature = 2},
                    of_softmax([](row const& p, row const& q) { return total_variation(p, q); })));
  f(make<logits, 2>("consistency_loss<soft_cross_entropy>",
                    sage::consistency_loss<sage::soft_cross_entropy>{.temperature = 2},
                    of_softmax([](row const& p, row const& q) { return soft_cross_entropy(p, q); })));
  f(make<numbers, 2>(
      "consistency_loss<squared_error>", sage::consistency_loss<sage::squared_error>{.temperature = 2},
      [](rows x, int) { return squared_distance(x[0], x[1]) / (4 * static_cast<int>(x[0].size())); }));
  f(make<logits, 2>(
      "degradation_loss<repel<kullback_leibler>>",
      sage::degradation_loss<sage::repel<sage::kullback_leibler>>{.check = {.margin = 3}}, [](rows x, int) {
        return repel([](row const& p, row const& q) { return kullback_leibler(p, q); }, x[0], x[1], 1, 3);
      }));
  f(make<logits_and_targets, 2>(
      "cross_entropy_loss of probabilities", sage::cross_entropy_loss{.label_smoothing = 0.125},
      [](rows x, int) { return cross_entropy(x[0], x[1], row(x[0].size(), 1), real(0.125)); }));
  f(make<binary_logits_and_targets, 2>(
      "binary_cross_entropy_loss", sage::binary_cross_entropy_loss{.label_smoothing = 0.125},
      [](rows x, int) {
        row y = x[1];
        for (real& t : y) t = real(0.875) * t + real(0.0625);
        row const ones(y.size(), 1);
        return binary_cross_entropy(x[0], y, ones, ones) / static_cast<int>(y.size());
      }));
  f(make<binary_logits, 2>("binary_consistency_loss",
                           sage::binary_consistency_loss<sage::skewed_jensen_shannon>{
                               .temperature = 2, .divergence = {.beta = 0.25}},
                           [](rows x, int) {
                             real s = 0;
                             for (std::size_t k = 0; k < x[0].size(); ++k)
                               s += jensen_shannon({sigmoid(x[0][k] / 2), sigmoid(-x[0][k] / 2)},
                                                   {sigmoid(x[1][k] / 2), sigmoid(-x[1][k] / 2)}, real(0.25));
                             return s / static_cast<int>(x[0].size());
                           }));
}

}  // namespace every_loss
