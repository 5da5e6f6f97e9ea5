#include "objective.hpp"

#include "losses.hpp"

namespace sage_train {

namespace {

using statistics = network_impl::statistics;

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

tensor_batch tensor_batch::on(torch::Device device) const {
  tensor_batch b;
  b.images = images.to(device);
  b.maps = maps.to(device);
  b.weights = weights.to(device);
  b.labels = labels.to(device);
  return b;
}

torch::Device device_of(options const& with) {
  return with.device == device::cuda ? torch::Device(torch::kCUDA, 0) : torch::Device(torch::kCPU);
}

torch::Tensor objective(network& net, method const& how, tensor_batch const& of_cpu, options const& with,
                        loss_terms& terms) {
  const loss_functions losses = with.device == device::cuda ? losses_on_cuda() : losses_on_cpu();
  const tensor_batch b = of_cpu.on(device_of(with));
  auto const views = [&] { return losses.views(b.images, b.maps, with); };
  auto& [loss, classification, positive, triplet, consistency, cam, active] = terms.values;
  const view_output x = net->forward(b.images);
  torch::Tensor total;
  switch (how.supervision) {
    case supervision::none:
      total = losses.cross_entropy(x.logits, b.labels, {});
      classification = total.item<double>();
      break;
    case supervision::cam: {
      const torch::Tensor ce = losses.cross_entropy(x.logits, b.labels, {}), error = cam_error(net, x, b);
      total = (1 - with.cyborg_weight) * ce + with.cyborg_weight * error;
      classification = ce.item<double>();
      cam = error.item<double>();
      break;
    }
    case supervision::positive: {
      const view_output plus = net->forward(views().plus, statistics::keep);
      const torch::Tensor ce = losses.cross_entropy(x.logits, b.labels, {});
      const torch::Tensor ce_plus = losses.cross_entropy(plus.logits, b.labels, b.weights);
      total = ce + with.positive_weight * ce_plus;
      classification = ce.item<double>();
      positive = ce_plus.item<double>();
      break;
    }
    case supervision::contrast: {
      const view_pair pair = views();
      const view_output plus = net->forward(pair.plus, statistics::keep);
      const view_output minus = net->forward(pair.minus, statistics::keep);
      const contrast_terms parts = losses.contrast(x, plus, minus, b.labels, b.weights, with);
      total = parts.total;
      classification = parts.classification.item<double>();
      positive = parts.positive.item<double>();
      triplet = parts.triplet.item<double>();
      consistency = parts.consistency.item<double>();
      active = parts.active.item<double>() / static_cast<double>(b.labels.size(0));
      break;
    }
  }
  loss = total.item<double>();
  return total;
}

}  // namespace sage_train
