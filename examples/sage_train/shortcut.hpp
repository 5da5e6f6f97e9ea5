#pragma once

#include "dataset.hpp"

#include <cstdint>

namespace sage_train {

/// Plants a grey square into every image, a quarter of its height, at a random place where the saliency map
/// is darkest. In the training and validation splits its shade tells the class; in the test split the shade
/// is random. A network that learns the square fails the test.
void plant_shortcut(dataset& data, std::uint64_t seed);

}  // namespace sage_train
