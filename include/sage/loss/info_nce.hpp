#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/cosine.hpp>
#include <sage/formula/info_nce.hpp>
#include <sage/loss/info_nce_evaluation.hpp>
#include <sage/loss/reduction.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// InfoNCE: cross entropy of finding an anchor's positive among negatives, by softmax of similarities −d/T.
///
///   l_i = −log( exp(−d(a_i, p_i)/T) / Σ_c exp(−d(a_i, c)/T) ),   c over p_i and the negatives
///
/// Members:   with K negatives for each anchor, or K that all anchors share: loss(a, p, n),
///            loss.value_and_grad(a, p, n, d_a, d_p, d_n), loss.per_sample(a, p, n, out),
///            loss.backward(upstream, a, p, n, d_a, d_p, d_n);
///            without n the negatives of an anchor are the positives of the others in the batch: loss(a, p),
///            …, loss.backward(upstream, a, p, d_a, d_p). An executor may stand first, weights(w) last; a
///            sample of weight 0 is out of the batch, as a negative of others too.
/// Options:   temperature; symmetric (in-batch only): l_i = ½ (l_i(a, p) + l_i(p, a)), CLIP's loss.
/// Distances: cosine, the default; dot_product for logits a·c/T; any of triplet_margin_loss.
/// Source:    van den Oord et al., arXiv 1807.03748. Equals info_nce(query, positive_key, negative_keys,
///            temperature) of info-nce-pytorch with negative_mode "paired" (each anchor's own), "unpaired"
///            (shared) or without keys; sentence-transformers' MultipleNegativesRankingLoss(scale =
///            1/temperature) in-batch; symmetric: the loss of CLIP (Radford et al., 2021) with temperature =
///            exp(−logit_scale). With labels instead of pairs: nt_xent_loss.
/// Shapes:    a, p (…, D); n (…, K, D) with the leading dimensions of a for negatives of each anchor's own,
///            (K, D) for shared ones; per-sample values (…); gradients like their inputs. Any strides.
/// Units:     nats.
/// Precision: from differences of distances, the largest taken out: any temperature, and losses near 0 keep
///            their digits.
/// Edge:      K = 0, or one sample: 0. A row that is NaN or infinite gives NaN for its own sample; with own
///            negatives that is one of a, p and n, in-batch one of a and p, which then is no negative of the
///            others. A shared negative that is gives NaN for all samples. The mean of an empty batch is NaN.
/// Errors:    shape_error, argument_error (temperature ≤ 0, symmetric with n, a gradient overlaps an input),
///            before any write.
/// Cost:      with own negatives (K+2)·N·D reads, as many writes. In-batch N² distances of D elements, for
///            each direction, shared N·(K+1); memory O(N) or O(K): 64 rows of N or K distances, with gradients
///            (2 + |slope|) times that; for halves the size of the gradients in float. The result is bitwise
///            the same for any number of threads.
/// Example:   info_nce_loss<>{.temperature = 0.07}.value_and_grad(a, p, d_a, d_p)
template <class Distance = cosine>
struct info_nce_loss {
  double temperature = 0.1;
  bool symmetric = false;
  sage::reduction reduction = sage::reduction::mean;
  Distance distance{};

  static constexpr char const* name = "info_nce_loss";
  void validate() const {
    detail::require_no_defect(
        name, {detail::unless_temperature("temperature", temperature), detail::defect_of(distance)});
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::info_nce_evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::info_nce_evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::info_nce_evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::info_nce_evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
