#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sage_train {

/// What a network says of N samples.
struct predictions {
  std::size_t classes = 0;
  std::vector<float> logits;         // (N,K)
  std::vector<std::int64_t> labels;  // −1 where the class is unknown

  std::size_t size() const { return labels.size(); }
  std::span<float const> row(std::size_t i) const { return {logits.data() + i * classes, classes}; }
};

/// The share of samples of known class whose largest logit is that class's.
double accuracy(predictions const& p);

/// The mean cross entropy.
double cross_entropy(predictions const& p);

/// The probability that a positive's score is above a negative's, a tie counting one half; NaN without both,
/// and where a score is NaN, for which there is no order.
double auroc(std::span<double const> scores, std::vector<bool> const& positive);

/// One class against all other samples, those of unknown class included; the score is the class's
/// probability.
double class_auroc(predictions const& p, std::size_t k);

/// Its mean over the classes.
double mean_class_auroc(predictions const& p);

/// Samples of known class against those of unknown class; the score is the largest softmax probability. NaN
/// where all are known. Source: Hendrycks and Gimpel, ICLR 2017.
double known_auroc(predictions const& p);

/// Mean and sample standard deviation (NaN for fewer than two values).
struct spread {
  double mean = 0, deviation = 0;
};
spread spread_of(std::span<double const> values);

}  // namespace sage_train
