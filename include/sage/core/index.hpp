#pragma once

#include <cstddef>

namespace sage {

/// Signed 64-bit index of rows, columns, extents and strides: N·D may exceed 2³¹, strides may be negative.
using index_t = std::ptrdiff_t;

}  // namespace sage
