#include "metrics.hpp"

#include <sage/sage.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace sage_train {

namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> softmax(std::span<float const> logits) {
  double const top = *std::max_element(logits.begin(), logits.end());
  std::vector<double> p;
  for (float const z : logits) p.push_back(std::exp(static_cast<double>(z) - top));
  double const sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& v : p) v /= sum;
  return p;
}

}  // namespace

double accuracy(predictions const& p) {
  std::size_t known = 0, right = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p.labels[i] < 0) continue;
    auto const row = p.row(i);
    ++known;
    right += std::max_element(row.begin(), row.end()) - row.begin() == p.labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(known);
}

double cross_entropy(predictions const& p) {
  auto const n = static_cast<sage::index_t>(p.size()), k = static_cast<sage::index_t>(p.classes);
  auto const result = sage::cross_entropy_loss{}(sage::strided_view{p.logits.data(), sage::extents{n, k}},
                                                 sage::strided_view{p.labels.data(), sage::extents{n}});
  return static_cast<double>(result.value);
}

double auroc(std::span<double const> scores, std::vector<bool> const& positive) {
  if (std::any_of(scores.begin(), scores.end(), [](double s) { return std::isnan(s); })) return nan;
  // Mann and Whitney: the rank sum of the positives, ties sharing their mean rank.
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return scores[a] < scores[b]; });
  double rank_sum = 0, positives = 0;
  for (std::size_t first = 0; first < order.size();) {
    std::size_t last = first;
    while (last < order.size() && scores[order[last]] == scores[order[first]]) ++last;
    double const rank = (static_cast<double>(first + 1) + static_cast<double>(last)) / 2;
    for (std::size_t k = first; k < last; ++k)
      if (positive[order[k]]) {
        rank_sum += rank;
        ++positives;
      }
    first = last;
  }
  double const negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return nan;
  return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives);
}

double class_auroc(predictions const& p, std::size_t k) {
  std::vector<double> scores;
  std::vector<bool> positive;
  for (std::size_t i = 0; i < p.size(); ++i) {
    scores.push_back(softmax(p.row(i))[k]);
    positive.push_back(p.labels[i] == static_cast<std::int64_t>(k));
  }
  return auroc(scores, positive);
}

double mean_class_auroc(predictions const& p) {
  double sum = 0;
  for (std::size_t k = 0; k < p.classes; ++k) sum += class_auroc(p, k);
  return sum / static_cast<double>(p.classes);
}

double known_auroc(predictions const& p) {
  std::vector<double> scores;
  std::vector<bool> positive;
  for (std::size_t i = 0; i < p.size(); ++i) {
    auto const probabilities = softmax(p.row(i));
    scores.push_back(*std::max_element(probabilities.begin(), probabilities.end()));
    positive.push_back(p.labels[i] >= 0);
  }
  return auroc(scores, positive);
}

spread spread_of(std::span<double const> values) {
  double const n = static_cast<double>(values.size());
  double const mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  double squares = 0;
  for (double const v : values) squares += (v - mean) * (v - mean);
  return {mean, values.size() > 1 ? std::sqrt(squares / (n - 1)) : nan};
}

}  // namespace sage_train
