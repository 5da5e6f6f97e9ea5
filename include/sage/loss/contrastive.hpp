#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/contrastive.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Contrastive loss of pairs of rows with labels: 1 for a pair that belongs together, 0 for one that does
/// not.
///
///   l_i = h(d(u_i, v_i) − m⁺) where y_i = 1,   h(m − d(u_i, v_i)) where y_i = 0;   h(x) = ½ max(0, x)²
///
/// Members:   loss(u, v, y), loss.value_and_grad(u, v, y, d_u, d_v), loss.per_sample(u, v, y, out),
///            loss.backward(upstream, u, v, y, d_u, d_v); an executor may stand first, weights(w) last.
/// Distances: those of triplet_margin_loss. Hinges: hinge::squared, the default; hinge::clamp, h(x) = max(0,
///            x).
/// Source:    Hadsell, Chopra and LeCun, CVPR 2006, whose label Y is 1 − y here. y = 1 for a similar pair is
///            the convention of sentence-transformers' ContrastiveLoss (equal to it with cosine and margin =
///            0.5) and of tfa.losses.ContrastiveLoss (twice the values: no ½ there). With cosine, hinge::clamp and
///            margin = 1 − m it is torch.nn.CosineEmbeddingLoss(m), whose labels −1 are 0 here.
///            pytorch-metric-learning's ContrastiveLoss (pos_margin, neg_margin) has hinge::clamp and
///            normalized_euclidean, and takes means over the active positive and negative pairs apart.
/// Shapes:    u, v (…, D); y (…) of any integer type; per-sample values (…); gradients like their inputs. Any
///            strides.
/// Units:     those of the distance, squared; of the distance with hinge::clamp.
/// Precision: as triplet_margin_loss.
/// Edge:      equal rows where y = 0 have, without eps, loss ½ m² and gradient 0; with PyTorch's eps inside the
///            norm (the default) their distance is ε√D and their gradient finite. Pairs with the ignored label have loss 0
///            and gradient 0, even if they hold NaN; a NaN row gives NaN for itself; the mean of an empty
///            batch is NaN.
/// Errors:    shape_error, argument_error (a label that is not 0 or 1, a margin < 0 or infinite, overlapping
///            outputs), before any write.
/// Cost:      2 reads, 2 writes of N·D elements; O(N) memory, on the stack up to 512 rows.
/// Example:   contrastive_loss<sage::cosine>{.margin = 0.5}.value_and_grad(u, v, y, d_u, d_v)
template <class Distance = euclidean, class Hinge = hinge::squared>
struct contrastive_loss {
  double margin = 1;
  double positive_margin = 0;
  index_t ignore_index = -100;
  sage::reduction reduction = sage::reduction::mean;
  Distance distance{};

  static constexpr char const* name = "contrastive_loss";
  static constexpr char const* input_names[2] = {"first", "second"};
  static constexpr char const* gradient_names[2] = {"d_first", "d_second"};
  static constexpr bool has_labels = true;
  static constexpr index_t classes = 2;
  static constexpr index_t smallest_length = 0;

  contrastive_formula<Distance, Hinge> formula() const noexcept {
    return {{distance}, margin, positive_margin};
  }
  void validate() const {
    detail::require_no_defect(
        name, {detail::unless_non_negative("margin", margin),
               detail::unless_non_negative("positive_margin", positive_margin), detail::defect_of(distance)});
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
