#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

namespace sage {

/// One channel of one image: `height` rows of `width` neighbouring elements, `pitch` apart.
template <class A>
struct plane {
  A* data;
  index_t pitch;
  index_t height, width;    // H, W
  index_t sample, channel;  // which of the N·C planes it is

  SAGE_INLINE A* row(index_t y) const noexcept { return data + y * pitch; }
};

/// The shape of a batch of images, for degradations that prepare something once per call.
struct image_shape {
  index_t samples, channels, height, width;  // N, C, H, W
};

}  // namespace sage
