#pragma once
/// SAGE in LibTorch: differentiable functions and modules on at::Tensor; LibTorch's threads as an executor.
///
/// Tensors of one call are on one device. Those of the CPU are worked on LibTorch's threads, always. CUDA tensors are taken in
/// sources that nvcc compiles, against a LibTorch built for CUDA, by the losses of rows, sage_loss and augmentation: on the current stream,
/// without waiting for it, with memory of LibTorch's allocator, so that a CUDA graph may capture the call. The results are
/// tensors of the device. In a region of automatic mixed precision (at::autocast) a loss of halves is a loss of floats.
///
/// Compile:   such sources have no vector code for CPU tensors; a program that trains on both may compile its calls twice, as
///            examples/sage_train does. Each loss is compiled for four element types: some ten seconds of nvcc's.
/// Edge:      on a device nobody checks labels and weights, see sage::exec::cuda; a label that is no class makes its row NaN.

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
