#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/formula/cosine.hpp>
#include <sage/formula/nt_xent.hpp>
#include <sage/loss/labelled_batch_evaluation.hpp>
#include <sage/loss/reduction.hpp>

#include <utility>

namespace sage {

/// The reduced NT-Xent loss with its diagnostics.
template <class A>
struct nt_xent_result {
  A value{};
  index_t pairs = 0;       // positive pairs, each in both directions
  index_t active = 0;      // those of them with l > 0
  index_t non_finite = 0;  // samples whose loss is infinite or NaN

  /// In another precision, see loss_result.
  template <class B>
  explicit constexpr operator nt_xent_result<B>() const {
    return {static_cast<B>(value), pairs, active, non_finite};
  }
};

SAGE_ABI_BEGIN

/// NT-Xent of a batch of rows with labels: every pair of one label, one of them found among all samples of
/// another label by softmax of similarities −d/T.
///
///   l_i = Σ_p −log( exp(−d_ip/T) / (exp(−d_ip/T) + Σ_n exp(−d_in/T)) ),   y_p = y_i, p ≠ i,   y_n ≠ y_i
///
/// Members:   loss(x, y), loss.value_and_grad(x, y, d_x), loss.per_sample(x, y, out) with the sum over each
///            sample's pairs, loss.backward(upstream, x, y, d_x) with a number or one value for each sample;
///            an executor may stand first, weights(w) last: w_i multiplies the pairs (i, p), and a sample of
///            weight 0 is out of the batch.
/// Result:    nt_xent_result: the value, `pairs`, `active` of them with l > 0, non-finite samples.
/// Distances: cosine, the default; dot_product for logits x_i·x_j/T; any of triplet_margin_loss.
/// Reduction: mean over the pairs, 0 where there are none; mean_active over those with l > 0; sum.
/// Source:    Chen et al., ICML 2020 (SimCLR): its loss of N pictures in two views is the mean over the 2N
///            rows with labels 0 … N − 1 twice, for then each row has one positive and all others are
///            negatives. With more rows of a label equals optax.ntxent(x, y, temperature), and
///            pytorch-metric-learning's NTXentLoss(temperature)(x, y): other positives are not in the
///            denominator (they are in that of supervised contrastive learning). Differences: optax gives NaN
///            for a batch without pairs; NTXentLoss adds a small number inside the logarithm, which bounds its
///            loss and its gradient; rows shorter than 1e-8 are normalised differently by each.
/// Shapes:    x (…, D); y (…) of any integer type and value; per-sample values (…); d_x like x. Any strides.
/// Units:     nats.
/// Precision: from differences of distances, the nearest negative taken out: any temperature, and losses near
///            0 keep their digits.
/// Edge:      a sample alone in its label has no pair and is a negative of the others; without negatives a
///            pair has loss 0, and it counts. A row with NaN or infinity gives NaN for itself where it has a
///            pair, and is neither positive nor negative of another, nor are rows whose distance overflows. An empty batch has value 0.
/// Errors:    shape_error, argument_error (temperature ≤ 0, d_x overlaps x), before any write.
/// Cost:      N² distances of D elements, twice for the gradient of mean_active. Memory O(N): 64 rows of N
///            distances, with gradients (2 + |slope|) times that; for halves N·D floats more. The result is
///            bitwise the same for any number of threads.
/// Example:   nt_xent_loss<>{.temperature = 0.5}.value_and_grad(x, labels, d_x)
template <class Distance = cosine>
struct nt_xent_loss {
  double temperature = 0.07;
  sage::reduction reduction = sage::reduction::mean;
  Distance distance{};

  static constexpr char const* name = "nt_xent_loss";
  template <class A>
  using result = nt_xent_result<A>;
  auto rule(index_t const* labels) const noexcept { return detail::nt_xent_rule{temperature, labels}; }
  void validate() const {
    detail::require_no_defect(
        name, {detail::unless_temperature("temperature", temperature), detail::defect_of(distance)});
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::labelled_batch_evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::labelled_batch_evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::labelled_batch_evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::labelled_batch_evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
