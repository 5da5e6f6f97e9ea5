#pragma once

#include "network.hpp"
#include "options.hpp"

#include <torch/types.h>

namespace sage_train {

/// The SAGE loss of a batch: what is differentiated, and its parts.
struct contrast_terms {
  torch::Tensor total, classification, positive, triplet, consistency;
  torch::Tensor active;  // triplets that violate the margin
};

/// The images x⁺ and x⁻ of a batch.
struct view_pair {
  torch::Tensor plus, minus;
};

/// SAGE's functions of tensors on one kind of device.
struct loss_functions {
  view_pair (*views)(torch::Tensor const& images, torch::Tensor const& maps, options const& with);
  torch::Tensor (*cross_entropy)(torch::Tensor const& logits, torch::Tensor const& labels,
                                 torch::Tensor const& weights);
  contrast_terms (*contrast)(view_output const& x, view_output const& plus, view_output const& minus,
                             torch::Tensor const& labels, torch::Tensor const& weights, options const& with);
};

/// The same source, losses.cpp, read by the C++ compiler, and by nvcc, which knows no vector code for the CPU.
loss_functions losses_on_cpu();
loss_functions losses_on_cuda();

#if defined(SAGE_TRAIN_HAS_CUDA)
inline constexpr bool built_with_cuda = true;
#else
inline constexpr bool built_with_cuda = false;
#endif

}  // namespace sage_train
