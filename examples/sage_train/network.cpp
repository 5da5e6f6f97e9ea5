#include "network.hpp"

#include <array>
#include <string>

namespace sage_train {

network_impl::network_impl(std::int64_t width, std::int64_t classes) {
  const std::array<std::int64_t, 5> channels = {width, 2 * width, 4 * width, 4 * width, 4 * width};
  std::int64_t in = 3;
  for (std::size_t i = 0; i < channels.size(); ++i) {
    auto const options =
        torch::nn::Conv2dOptions(in, channels[i], 3).stride(i == 0 ? 2 : 1).padding(1).bias(false);
    convolutions_.push_back(register_module("conv" + std::to_string(i), torch::nn::Conv2d(options)));
    norms_.push_back(register_module("norm" + std::to_string(i), torch::nn::BatchNorm2d(channels[i])));
    in = channels[i];
  }
  head_ = register_module("head", torch::nn::Linear(in, classes));
  // Channels last is the layout in which oneDNN's convolutions of few channels are fastest.
  torch::NoGradGuard no_grad;
  for (auto& c : convolutions_) c->weight.set_data(c->weight.contiguous(at::MemoryFormat::ChannelsLast));
}

view_output network_impl::forward(torch::Tensor images, statistics running) {
  torch::Tensor x = ((images - 0.5) * 4).contiguous(at::MemoryFormat::ChannelsLast);
  // A momentum of zero normalises with the batch and leaves the running statistics as they are.
  double const momentum = running == statistics::update ? 0.1 : 0.0;
  for (std::size_t i = 0; i < convolutions_.size(); ++i) {
    auto const& norm = norms_[i];
    x = convolutions_[i]->forward(x);
    x = torch::batch_norm(x, norm->weight, norm->bias, norm->running_mean, norm->running_var, is_training(),
                          momentum, 1e-5, false);
    x = torch::relu(x);
    if (i < 2) x = torch::max_pool2d(x, 2);
  }
  const torch::Tensor embedding = x.mean({2, 3});
  return {x, embedding, head_->forward(embedding)};
}

torch::Tensor network_impl::activation_map(view_output const& out, torch::Tensor const& classes) const {
  const torch::Tensor weights = head_->weight.index_select(0, classes);  // (N,D)
  return (out.features * weights.unsqueeze(2).unsqueeze(3)).sum(1);
}

torch::Tensor min_max_normalised(torch::Tensor const& maps) {
  const torch::Tensor low = maps.amin({1, 2}, true), high = maps.amax({1, 2}, true);
  return (maps - low) / (high - low + 1e-8);
}

}  // namespace sage_train
