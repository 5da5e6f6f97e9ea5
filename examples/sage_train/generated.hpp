#pragma once

#include "dataset.hpp"

#include <cstdint>

namespace sage_train {

/// Images of a noisy scene with one textured disc in it; the class is the texture (horizontal stripes,
/// vertical stripes, checks), the saliency map is the disc with a soft edge. `count` images, of which 6/10
/// are for training, 1/10 for validation and 3/10 for the test.
dataset generate_dataset(std::size_t count, std::size_t height, std::size_t width, std::uint64_t seed);

}  // namespace sage_train
