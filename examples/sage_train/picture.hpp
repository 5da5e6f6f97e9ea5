#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace sage_train {

/// Eight-bit pixels, one plane per channel: (C,H,W).
struct picture {
  std::size_t channels = 0, height = 0, width = 0;
  std::vector<std::uint8_t> values;

  picture() = default;
  picture(std::size_t c, std::size_t h, std::size_t w, std::uint8_t value = 0)
      : channels(c), height(h), width(w), values(c * h * w, value) {}

  std::uint8_t& at(std::size_t c, std::size_t y, std::size_t x) {
    return values[(c * height + y) * width + x];
  }
  std::uint8_t at(std::size_t c, std::size_t y, std::size_t x) const {
    return values[(c * height + y) * width + x];
  }
};

}  // namespace sage_train
