#pragma once
/// SAGE in LibTorch: differentiable functions and modules on at::Tensor; LibTorch's threads as an executor.

#include <sage/adapt/libtorch.hpp>
#include <sage/framework/libtorch/binary_consistency_loss.hpp>
#include <sage/framework/libtorch/binary_cross_entropy_loss.hpp>
#include <sage/framework/libtorch/cam_alignment_loss.hpp>
#include <sage/framework/libtorch/consistency_loss.hpp>
#include <sage/framework/libtorch/contrastive_loss.hpp>
#include <sage/framework/libtorch/cross_entropy_loss.hpp>
#include <sage/framework/libtorch/degradation_loss.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/info_nce_loss.hpp>
#include <sage/framework/libtorch/mined_triplet_loss.hpp>
#include <sage/framework/libtorch/modules.hpp>
#include <sage/framework/libtorch/nt_xent_loss.hpp>
#include <sage/framework/libtorch/sage_loss.hpp>
#include <sage/framework/libtorch/saliency.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>
