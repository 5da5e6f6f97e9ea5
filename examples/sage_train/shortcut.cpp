#include "shortcut.hpp"

#include "random.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace sage_train {

namespace {

/// The sum of the map under a square of this side for every position of its upper left corner: (H−side+1,
/// W−side+1).
std::vector<double> square_sums(std::vector<float> const& map, std::size_t height, std::size_t width,
                                std::size_t side) {
  std::vector<double> integral((height + 1) * (width + 1), 0.0);
  auto const at = [&](std::size_t y, std::size_t x) -> double& { return integral[y * (width + 1) + x]; };
  for (std::size_t y = 0; y < height; ++y)
    for (std::size_t x = 0; x < width; ++x)
      at(y + 1, x + 1) = static_cast<double>(map[y * width + x]) + at(y, x + 1) + at(y + 1, x) - at(y, x);
  std::vector<double> sums;
  for (std::size_t y = 0; y + side <= height; ++y)
    for (std::size_t x = 0; x + side <= width; ++x)
      sums.push_back(at(y + side, x + side) - at(y, x + side) - at(y + side, x) + at(y, x));
  return sums;
}

}  // namespace

void plant_shortcut(dataset& data, std::uint64_t seed) {
  const std::size_t side = std::max<std::size_t>(2, std::min(data.height, data.width) / 4);
  const std::size_t columns = data.width - side + 1;
  for (std::size_t i = 0; i < data.samples.size(); ++i) {
    sample& s = data.samples[i];
    random_stream random{seed, 0x5c, i};
    const std::vector<double> sums = square_sums(s.saliency, data.height, data.width, side);
    double const darkest = *std::min_element(sums.begin(), sums.end()) + 1e-3;
    std::vector<std::size_t> places;
    for (std::size_t p = 0; p < sums.size(); ++p)
      if (sums[p] <= darkest) places.push_back(p);
    const std::size_t place = places[random.below(places.size())];
    const std::size_t code =
        s.split == split::test ? random.below(data.classes.size()) : static_cast<std::size_t>(s.label);
    double const shade = 0.1 + 0.8 * static_cast<double>(code) / static_cast<double>(data.classes.size() - 1);
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t y = 0; y < side; ++y)
        for (std::size_t x = 0; x < side; ++x)
          s.image.at(c, place / columns + y, place % columns + x) =
              static_cast<std::uint8_t>(std::lround(255 * shade));
  }
}

}  // namespace sage_train
