// The kernel of the noise, for check_rounding.cmake.

#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/exec/cuda.cuh>
#include <sage/tensor/device_view.hpp>

void noise(float* memory) {
  auto const images = sage::device_view(memory, 2, 3, 8, 8), maps = sage::device_view(memory, 2, 1, 8, 8);
  sage::saliency_pair<sage::gaussian_noise>{}(sage::exec::cuda{}, images, maps, images, images);
}
