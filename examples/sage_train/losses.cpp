#include "losses.hpp"

#include <sage/augment/channel_mean.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/framework/libtorch/cross_entropy_loss.hpp>
#include <sage/framework/libtorch/sage_loss.hpp>
#include <sage/framework/libtorch/saliency.hpp>

namespace sage_train {

namespace {

view_pair views(torch::Tensor const& images, torch::Tensor const& maps, options const& with) {
  auto const pair = [&](auto const& degrade) {
    auto const made = sage::libtorch::saliency_pair(images, maps, sage::saliency_pair{degrade});
    return view_pair{made.plus, made.minus};
  };
  if (with.degradation == degradation::blur) return pair(sage::gaussian_blur{.sigma = with.blur_sigma});
  return pair(sage::channel_mean{});
}

torch::Tensor cross_entropy(torch::Tensor const& logits, torch::Tensor const& labels,
                            torch::Tensor const& weights) {
  return sage::libtorch::cross_entropy_loss(logits, labels, {}, weights);
}

contrast_terms contrast(view_output const& x, view_output const& plus, view_output const& minus,
                        torch::Tensor const& labels, torch::Tensor const& weights, options const& with) {
  const sage::sage_loss<> loss{.margin = with.margin,
                               .temperature = with.temperature,
                               .positive_classification_weight = with.positive_weight,
                               .triplet_weight = with.triplet_weight,
                               .consistency_weight = with.consistency_weight};
  auto const r = sage::libtorch::sage_loss(x.logits, plus.logits, minus.logits, x.embedding, plus.embedding,
                                           minus.embedding, labels, loss, weights);
  return {r.total, r.classification, r.positive_classification, r.triplet, r.consistency, r.active};
}

}  // namespace

#if !defined(__CUDACC__)
loss_functions losses_on_cpu() { return {views, cross_entropy, contrast}; }
#endif
#if defined(__CUDACC__) || !defined(SAGE_TRAIN_HAS_CUDA)
loss_functions losses_on_cuda() { return {views, cross_entropy, contrast}; }
#endif

}  // namespace sage_train
