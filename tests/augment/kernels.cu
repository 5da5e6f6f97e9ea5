// Every kernel of the augmentations, in one element type: the macro ELEMENT. Compiled like tests/exec/kernels.cu.

#include <sage/augment/channel_mean.hpp>
#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/saliency_map.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/exec/cuda.cuh>
#include <sage/tensor/device_view.hpp>

namespace {

using element = ELEMENT;

template <class Degradation>
void both_ways(Degradation const& degradation, element* memory) {
  auto const images = sage::device_view(memory, 2, 3, 8, 8);
  auto const maps = sage::device_view(memory, 2, 8, 8);
  sage::saliency_pair const pair{degradation};
  pair(sage::exec::cuda{}, images, maps, images, images);
  pair.backward(sage::exec::cuda{}, images, images, images, maps, images, maps);
}

}  // namespace

void every_augmentation(element* memory, unsigned char* bytes) {
  both_ways(sage::gaussian_blur{}, memory);
  both_ways(sage::constant{}, memory);
  both_ways(sage::channel_mean{}, memory);
  both_ways(sage::gaussian_noise{}, memory);
  auto const maps = sage::device_view(memory, 2, 8, 8), weights = sage::device_view(memory, 2, 1, 1);
  sage::saliency_map const map{.smooth_sigma = 2};
  map.prepare(sage::exec::cuda{}, maps, maps, weights);
  map.prepare(sage::exec::cuda{}, sage::device_view(bytes, 2, 8, 8), maps, weights);
}
