#pragma once

#include <sage/core/config.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/degradation.hpp>
#include <sage/loss/sage_evaluation.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/loss/views.hpp>

#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// The complete SAGE loss of a batch in its three views.
///
///   L = CE(x) + w_p CE(x⁺) + w_t triplet(e, e⁺, e⁻) + w_c consistency(z, z⁺) + w_d degradation(z, z⁺, z⁻)
///
/// Members:   loss(z, e, y), loss.value_and_grad(z, e, y, d_z, d_e), loss.per_sample(z, e, y, out),
///            loss.backward(upstream, z, e, y, d_z, d_e), where z, e, d_z, d_e are sage::views of three tensors each:
///            logits, embeddings and their gradients (or sage::skip). An executor may stand first. sage::weights(w) last weighs the
///            terms that depend on the saliency map (all but CE(x)); 0 for samples without a usable map.
///            On a device executor value and value_and_grad end with sage::into(r), r pointing to a sage::sage_result on
///            the device, and return nothing.
/// Defaults:  ours, found by experiment (README); the paper's values are not public.
/// Source:    Crum, Sweet and Czajka, arXiv 2511.12744, for the composition of the terms.
/// Shapes:    logits (…, K), embeddings (…, D), labels (…) of any integer type, weights (…). Any strides.
/// Units:     nats for the logit terms, the embedding's distance for the triplet term.
/// Precision: that of the terms. Halves are computed in float: each loss and gradient element is rounded once.
/// Edge:      a term of weight 0 is not evaluated and reported as 0; an output no term reaches is set to 0. Samples
///            with the ignored label are left out of both cross entropies only. On a device nobody checks labels: one
///            that is no class makes both cross entropies of its sample, and their gradients, NaN.
/// Errors:    shape_error, argument_error, before any write. Outputs overlap neither inputs nor each other.
/// Cost:      one pass over its operands for each term; at temperatures 1 and 2, without weights and ignored labels, one
///            for both cross entropies and the consistency, which share their exponentials. O(N) memory, on the stack
///            up to 512 rows; for halves up to 6 N (K + D) floats more. On a device one launch, see sage::exec::cuda: each
///            logit is read once in a pass of all terms, and each gradient written once.
/// Example:   examples/quickstart_eigen.cpp
template <class Distance = normalized_euclidean, class Divergence = jensen_shannon, class Degradation = no_check>
struct sage_loss {
  double margin = 0.5;
  bool swap = false;
  double temperature = 1;
  double label_smoothing = 0;
  index_t ignore_index = -100;
  double positive_classification_weight = 1;
  double triplet_weight = 1;
  double consistency_weight = 1;
  double degradation_weight = 1;
  Distance distance{};
  Divergence divergence{};
  Degradation degradation{};

  static constexpr char const* name = "sage_loss";
  cross_entropy_loss classification_term() const noexcept {
    return {.label_smoothing = label_smoothing, .ignore_index = ignore_index};
  }
  triplet_margin_loss<Distance> triplet_term() const noexcept {
    return {.margin = margin, .swap = swap, .distance = distance};
  }
  consistency_loss<Divergence> consistency_term() const noexcept {
    return {.temperature = temperature, .divergence = divergence};
  }
  auto degradation_term() const noexcept {
    return degradation_loss<Degradation>{.temperature = temperature, .check = degradation};
  }
  static constexpr bool checks_degradation = !std::is_same_v<Degradation, no_check>;
  void validate() const {
    using namespace detail;
    require_no_defect(
        name, {unless_non_negative("margin", margin), unless_temperature("temperature", temperature),
               unless_share("label_smoothing", label_smoothing),
               unless_non_negative("positive_classification_weight", positive_classification_weight),
               unless_non_negative("triplet_weight", triplet_weight),
               unless_non_negative("consistency_weight", consistency_weight),
               unless_non_negative("degradation_weight", degradation_weight), defect_of(distance),
               defect_of(divergence), defect_of(degradation)});
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::sage_evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::sage_evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::sage_evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::sage_evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
