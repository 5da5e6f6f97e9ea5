#include "objective.hpp"

#include <sage/framework/libtorch.hpp>
#include <sage/sage.hpp>

namespace sage_train {

namespace {

using statistics = network_impl::statistics;

torch::Tensor cross_entropy(torch::Tensor const& logits, torch::Tensor const& labels,
                            torch::Tensor const& weights = {}) {
  return sage::libtorch::cross_entropy_loss(logits, labels, {}, weights);
}

/// The mean over the samples that have a map.
torch::Tensor weighted_mean(torch::Tensor const& values, torch::Tensor const& weights) {
  return (values * weights).sum() / weights.sum().clamp_min(1e-9);
}

/// Mean squared error between the min-max normalised activation map of the true class and the saliency map.
torch::Tensor cam_error(network const& net, view_output const& out, tensor_batch const& b) {
  const torch::Tensor cam = min_max_normalised(net->activation_map(out, b.labels));
  const torch::Tensor map = torch::adaptive_avg_pool2d(b.maps, {cam.size(1), cam.size(2)}).squeeze(1);
  return weighted_mean((cam - map).square().mean({1, 2}), b.weights);
}

}  // namespace

tensor_batch::tensor_batch(batch& b, std::size_t height, std::size_t width) {
  auto const n = static_cast<std::int64_t>(b.size), h = static_cast<std::int64_t>(height),
             w = static_cast<std::int64_t>(width);
  images = torch::from_blob(b.images.data(), {n, 3, h, w});
  maps = torch::from_blob(b.maps.data(), {n, 1, h, w});
  weights = torch::from_blob(b.weights.data(), {n});
  labels = torch::from_blob(b.labels.data(), {n}, torch::kLong);
}

view_pair make_views(tensor_batch const& b, options const& with) {
  auto const pair = [&](auto const& degrade) {
    auto views = sage::libtorch::saliency_pair(b.images, b.maps, sage::saliency_pair{degrade});
    return view_pair{views.plus, views.minus};
  };
  if (with.degradation == degradation::blur) return pair(sage::gaussian_blur{.sigma = with.blur_sigma});
  return pair(sage::channel_mean{});
}

torch::Tensor objective(network& net, method const& how, tensor_batch const& b, options const& with,
                        loss_terms& terms) {
  auto& [loss, classification, positive, triplet, consistency, cam, active] = terms.values;
  const view_output x = net->forward(b.images);
  torch::Tensor total;
  switch (how.supervision) {
    case supervision::none:
      total = cross_entropy(x.logits, b.labels);
      classification = total.item<double>();
      break;
    case supervision::cam: {
      const torch::Tensor ce = cross_entropy(x.logits, b.labels), error = cam_error(net, x, b);
      total = (1 - with.cyborg_weight) * ce + with.cyborg_weight * error;
      classification = ce.item<double>();
      cam = error.item<double>();
      break;
    }
    case supervision::positive: {
      const view_output plus = net->forward(make_views(b, with).plus, statistics::keep);
      const torch::Tensor ce = cross_entropy(x.logits, b.labels);
      const torch::Tensor ce_plus = cross_entropy(plus.logits, b.labels, b.weights);
      total = ce + with.positive_weight * ce_plus;
      classification = ce.item<double>();
      positive = ce_plus.item<double>();
      break;
    }
    case supervision::contrast: {
      const view_pair views = make_views(b, with);
      const view_output plus = net->forward(views.plus, statistics::keep);
      const view_output minus = net->forward(views.minus, statistics::keep);
      const sage::sage_loss<> loss_of{.margin = with.margin,
                                      .temperature = with.temperature,
                                      .positive_classification_weight = with.positive_weight,
                                      .triplet_weight = with.triplet_weight,
                                      .consistency_weight = with.consistency_weight};
      auto const terms_of =
          sage::libtorch::sage_loss(x.logits, plus.logits, minus.logits, x.embedding, plus.embedding,
                                    minus.embedding, b.labels, loss_of, b.weights);
      total = terms_of.total;
      classification = terms_of.classification.item<double>();
      positive = terms_of.positive_classification.item<double>();
      triplet = terms_of.triplet.item<double>();
      consistency = terms_of.consistency.item<double>();
      active = static_cast<double>(terms_of.active) / static_cast<double>(b.labels.size(0));
      break;
    }
  }
  loss = total.item<double>();
  return total;
}

}  // namespace sage_train
