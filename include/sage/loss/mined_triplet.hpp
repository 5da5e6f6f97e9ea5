#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/formula/mining.hpp>
#include <sage/formula/normalized_euclidean.hpp>
#include <sage/loss/labelled_batch_evaluation.hpp>
#include <sage/loss/reduction.hpp>

#include <utility>

namespace sage {

/// The reduced loss of mined triplets with its diagnostics.
template <class A>
struct mined_result {
  A value{};
  index_t triplets = 0;    // triplets that the mining took
  index_t active = 0;      // those of them with l > 0
  index_t non_finite = 0;  // anchors whose loss is infinite or NaN

  /// In another precision, see loss_result.
  template <class B>
  explicit constexpr operator mined_result<B>() const {
    return {static_cast<B>(value), triplets, active, non_finite};
  }
};

SAGE_ABI_BEGIN

/// Triplet margin loss of a batch of rows with class labels, its triplets found in the batch.
///
///   l_i = Σ h(m + d(x_i, x_p) − d(x_i, x_n)) over the triplets of anchor i:  y_p = y_i, p ≠ i,  y_n ≠ y_i
///
/// Members:   loss(x, y), loss.value_and_grad(x, y, d_x), loss.per_sample(x, y, out) with the sum over each
///            anchor's triplets, loss.backward(upstream, x, y, d_x) with a number or one value for each
///            anchor; an executor may stand first, weights(w) last: w_i multiplies the triplets of anchor i,
///            and a sample of weight 0 is out of the batch, as a positive and as a negative too (which an
///            ignored label would do: there is none).
/// Result:    mined_result: the value, `triplets` that were taken, `active` of them with l > 0, non-finite
///            anchors.
/// Mining:    batch_hard, batch_all, semi_hard (formula/mining.hpp), which is not differentiated.
/// Distances, hinges: those of triplet_margin_loss.
/// Reduction: mean over the triplets taken; mean_active over those with l > 0; 0 where there are none; sum.
/// Source:    pytorch-metric-learning: TripletMarginLoss(margin)(x, y, miner(x, y)) with its default
///            distance, which is normalized_euclidean, and its default reducer, which is
///            reduction::mean_active; miner BatchHardMiner() for batch_hard, TripletMarginMiner(margin,
///            "semihard") with the loss's margin for semi_hard, none or "all" for batch_all; smooth_loss=True is
///            hinge::softplus.
///            Its swap is not offered. Where two positives or negatives are equally hard the first is taken;
///            torch.max leaves that open. Equal rows of one class have gradient 0.
/// Shapes:    x (…, D); y (…) of any integer type and value; per-sample values (…); d_x like x. Any strides.
/// Units:     those of the distance.
/// Precision: distances from differences of rows. (pytorch-metric-learning takes torch.cdist's scalar products
///            for more than 25 rows, whose digits cancel where rows are near.)
/// Edge:      an anchor without a positive or without a negative has loss 0 and no triplet; a row with NaN or
///            infinity gives NaN for itself and is neither positive nor negative of another, nor are rows whose
///            distance overflows; an empty batch has value 0.
/// Errors:    shape_error, argument_error (margin < 0, d_x overlaps x), before any write.
/// Cost:      N² distances of D elements, twice for the gradient of a mean. batch_all and semi_hard besides
///            sort each anchor's distances, N² log N (halves, float and double with hinge::clamp), or
///            evaluate the hinge once for each triplet, up to N³ (other hinges and scalars). Memory O(N): 64
///            rows of N distances, with gradients (2 + |slope|) times that, and 2 N sorted distances for each
///            thread; for halves N·D floats more. The result is bitwise the same for any number of threads.
/// Example:   mined_triplet_loss<sage::semi_hard>{.margin = 0.2}.value_and_grad(x, labels, d_x)
template <class Mining = batch_hard, class Distance = normalized_euclidean, class Hinge = hinge::clamp>
struct mined_triplet_loss {
  double margin = 0.2;
  sage::reduction reduction = sage::reduction::mean;
  Distance distance{};

  static constexpr char const* name = "mined_triplet_loss";
  template <class A>
  using result = mined_result<A>;
  auto rule(index_t const* labels) const noexcept {
    return detail::mining_rule<Mining, Hinge>{margin, labels};
  }
  void validate() const {
    detail::require_no_defect(name,
                              {detail::unless_non_negative("margin", margin), detail::defect_of(distance)});
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
