#pragma once

#include <sage/core/index.hpp>

namespace sage {

/// Which pixel of a batch a degradation is asked for.
struct pixel_position {
  index_t sample, channel, row, column;
};

}  // namespace sage
