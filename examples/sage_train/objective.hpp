#pragma once

#include "loss_terms.hpp"
#include "method.hpp"
#include "network.hpp"
#include "options.hpp"

#include <torch/types.h>

namespace sage_train {

/// A batch as tensors.
struct tensor_batch {
  torch::Tensor images, maps, weights, labels;  // (N,3,H,W), (N,1,H,W), (N), (N)

  tensor_batch() = default;
  /// Borrows the memory of the batch.
  explicit tensor_batch(batch& b, std::size_t height, std::size_t width);

  tensor_batch on(torch::Device device) const;
};

/// Where network and losses are computed.
torch::Device device_of(options const& with);

/// Runs the network forward as the method wants it, on its device; returns the loss to differentiate and, in `terms`, its
/// parts. The batch is the CPU's.
torch::Tensor objective(network& net, method const& how, tensor_batch const& b, options const& with,
                        loss_terms& terms);

}  // namespace sage_train
