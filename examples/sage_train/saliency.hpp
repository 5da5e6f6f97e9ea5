#pragma once

#include "dataset.hpp"

#include <cstddef>
#include <vector>

namespace sage_train {

/// Gives a sample its map: brought to the size of the image, 255 becoming 1. A map that says nothing (empty,
/// constant) gets the weight zero.
void prepare_map(picture const& map, std::size_t height, std::size_t width, sample& of);

/// Replaces every one of the maps (N,1,H,W) by 1 − s.
void invert_maps(std::vector<float>& maps, std::size_t height, std::size_t width);

}  // namespace sage_train
