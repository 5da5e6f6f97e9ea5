#pragma once
/// SAGE: losses for training with human saliency, over any tensor type. The whole CPU library; needs only the
/// standard library. Adapters for foreign tensors are in sage/adapt, LibTorch's modules in sage/framework. Threads of our
/// own are in sage/exec/threads.hpp: <thread> would be a third of the time that this header takes to compile, and most
/// programs have a pool already (exec::parallel).

#include <sage/augment/border.hpp>
#include <sage/augment/channel_mean.hpp>
#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/resample.hpp>
#include <sage/augment/saliency_map.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/half_format.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/exec/executor.hpp>
#include <sage/exec/parallel.hpp>
#include <sage/exec/scalar.hpp>
#include <sage/exec/simd.hpp>
#include <sage/formula/cosine.hpp>
#include <sage/formula/dot_product.hpp>
#include <sage/formula/eps.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/formula/lp.hpp>
#include <sage/formula/mining.hpp>
#include <sage/formula/normalized_euclidean.hpp>
#include <sage/formula/squared_euclidean.hpp>
#include <sage/loss/binary_consistency.hpp>
#include <sage/loss/binary_cross_entropy.hpp>
#include <sage/loss/cam_alignment.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/contrastive.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/degradation.hpp>
#include <sage/loss/divergences.hpp>
#include <sage/loss/info_nce.hpp>
#include <sage/loss/mined_triplet.hpp>
#include <sage/loss/nt_xent.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/class_weights.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/strided_view.hpp>
#include <sage/tensor/tensor_traits.hpp>
