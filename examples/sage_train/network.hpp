#pragma once

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <cstdint>
#include <vector>

namespace sage_train {

/// What the network says of a batch.
struct view_output {
  torch::Tensor features;   // (N,D,h,w), after the last ReLU
  torch::Tensor embedding;  // (N,D), the mean of the features over the picture
  torch::Tensor logits;     // (N,K)
};

/// Five blocks of 3×3 convolution, batch normalisation and ReLU; the first convolution and the pools after
/// the first two blocks halve the picture, so that the features are 1/8 of it. The mean over the picture is
/// the embedding, and a linear layer makes logits of it.
class network_impl : public torch::nn::Module {
 public:
  network_impl(std::int64_t width, std::int64_t classes);

  /// Whether the running statistics of batch normalisation learn from this batch (in training mode).
  enum class statistics { update, keep };

  /// images (N,3,H,W) in [0, 1].
  view_output forward(torch::Tensor images, statistics running = statistics::update);

  /// Class activation maps (N,h,w) of one class per image: the features weighted as in that class's logit.
  torch::Tensor activation_map(view_output const& out, torch::Tensor const& classes) const;

 private:
  std::vector<torch::nn::Conv2d> convolutions_;
  std::vector<torch::nn::BatchNorm2d> norms_;
  torch::nn::Linear head_{nullptr};
};

TORCH_MODULE_IMPL(network, network_impl);

/// Every map (N,h,w) brought to [0, 1] by its own minimum and maximum.
torch::Tensor min_max_normalised(torch::Tensor const& maps);

}  // namespace sage_train
