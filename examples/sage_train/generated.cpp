#include "generated.hpp"

#include "random.hpp"
#include "saliency.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

namespace sage_train {

namespace {

/// A scene of smooth random colours with grain.
void paint_background(picture& image, random_stream& random) {
  constexpr std::size_t cells = 5;
  double const height = static_cast<double>(image.height), width = static_cast<double>(image.width);
  for (std::size_t c = 0; c < image.channels; ++c) {
    std::array<double, cells * cells> grid{};
    for (double& g : grid) g = random.uniform(60, 200);
    for (std::size_t y = 0; y < image.height; ++y)
      for (std::size_t x = 0; x < image.width; ++x) {
        double const v = static_cast<double>(y) / height * (cells - 1),
                     u = static_cast<double>(x) / width * (cells - 1);
        auto const row = static_cast<std::size_t>(v), column = static_cast<std::size_t>(u);
        double const q = v - static_cast<double>(row), p = u - static_cast<double>(column);
        double const* corner = &grid[row * cells + column];
        double const smooth = (1 - q) * ((1 - p) * corner[0] + p * corner[1]) +
                              q * ((1 - p) * corner[cells] + p * corner[cells + 1]);
        image.at(c, y, x) = static_cast<std::uint8_t>(std::clamp(smooth + 18 * random.normal(), 0.0, 255.0));
      }
  }
}

/// The texture of a class at (y, x), in [−1, 1].
double texture(std::size_t label, double y, double x, double period, double phase) {
  double const across = std::sin(2 * std::numbers::pi * x / period + phase);
  double const down = std::sin(2 * std::numbers::pi * y / period + phase);
  return label == 0 ? down : label == 1 ? across : 1.4 * across * down;
}

}  // namespace

dataset generate_dataset(std::size_t count, std::size_t height, std::size_t width, std::uint64_t seed) {
  dataset data{.height = height,
               .width = width,
               .classes = {"horizontal", "vertical", "checks"},
               .normal = {},
               .samples = {}};
  double const side = static_cast<double>(std::min(height, width));
  for (std::size_t i = 0; i < count; ++i) {
    random_stream random{seed, 0x6e, i};
    sample& s = data.samples.emplace_back();
    s.name = "generated-" + std::to_string(i);
    s.label = static_cast<int>(i % data.classes.size());
    const std::size_t turn = i / data.classes.size() % 10;
    s.split = turn < 6 ? split::train : turn == 6 ? split::val : split::test;
    s.image = picture(3, height, width);
    paint_background(s.image, random);

    double const radius = random.uniform(0.17, 0.25) * side;
    double const cy = random.uniform(radius, static_cast<double>(height) - radius);
    double const cx = random.uniform(radius, static_cast<double>(width) - radius);
    double const period = random.uniform(5, 7), phase = random.uniform(0, 2 * std::numbers::pi);
    double const contrast = random.uniform(25, 50);
    const std::array<double, 3> tint = {random.uniform(80, 180), random.uniform(80, 180),
                                        random.uniform(80, 180)};
    picture map(1, height, width);
    for (std::size_t y = 0; y < height; ++y)
      for (std::size_t x = 0; x < width; ++x) {
        double const v = static_cast<double>(y) - cy, u = static_cast<double>(x) - cx;
        double const inside = std::clamp(radius + 0.5 - std::hypot(v, u), 0.0, 1.0);
        double const wave = contrast * texture(static_cast<std::size_t>(s.label), v, u, period, phase);
        for (std::size_t c = 0; c < 3; ++c) {
          double const value = tint[c] + wave + 18 * random.normal();
          double const mixed = inside * value + (1 - inside) * static_cast<double>(s.image.at(c, y, x));
          s.image.at(c, y, x) = static_cast<std::uint8_t>(std::clamp(mixed, 0.0, 255.0));
        }
        double const soft = std::clamp((1.35 * radius - std::hypot(v, u)) / (0.35 * radius), 0.0, 1.0);
        map.at(0, y, x) = static_cast<std::uint8_t>(std::lround(255 * soft));
      }
    prepare_map(map, height, width, s);
  }
  return data;
}

}  // namespace sage_train
