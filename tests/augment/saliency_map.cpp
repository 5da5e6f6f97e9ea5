#include "augment/pictures.hpp"

#include <sage/augment/saliency_map.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace {

using namespace pictures;
using sage::interpolation;
using sage::normalize;

struct prepared {
  batch maps;
  std::vector<double> weights;
};

template <class T, class M = T, class Executor = sage::exec::simd>
prepared prepare(sage::saliency_map const& how, batch const& raw, index_t height, index_t width,
                 Executor const& executor = {}, layout order = layout::nchw) {
  stored<M> in(raw, order);
  stored<T> out({raw.shape.n, 1, height, width}, order);
  std::vector<T> weights(static_cast<std::size_t>(raw.shape.n), T(-1));
  how.prepare(executor, in.view(), out.map_view(), weights);
  CHECK(out.guards_hold());
  return {out.read(), {weights.begin(), weights.end()}};
}

// A resize alone: values in [0, 1] pass through every other step.
constexpr sage::saliency_map resized(interpolation method) {
  return {.resize = method, .normalize = normalize::none};
}

// Bilinear, align_corners = False: the value at the new pixel's centre, the edge continued.
double bilinear(batch const& m, index_t n, double y, double x) {
  auto const clamped = [](double i, index_t count) {
    return static_cast<index_t>(std::clamp(i, 0.0, static_cast<double>(count - 1)));
  };
  double sum = 0;
  for (int i = 0; i < 2; ++i)
    for (int j = 0; j < 2; ++j) {
      double const at_y = std::floor(y) + i, at_x = std::floor(x) + j;
      sum += (1 - std::abs(y - at_y)) * (1 - std::abs(x - at_x)) *
             m.at(n, 0, clamped(at_y, m.shape.h), clamped(at_x, m.shape.w));
    }
  return sum;
}

// The mean over a box, from the length of its overlap with every pixel.
double box_mean(batch const& m, index_t n, double top, double left, double height, double width) {
  auto const overlap = [](index_t i, double from, double length) {
    double const at = static_cast<double>(i);
    return std::max(0.0, std::min(at + 1, from + length) - std::max(at, from));
  };
  double sum = 0;
  for (index_t y = 0; y < m.shape.h; ++y)
    for (index_t x = 0; x < m.shape.w; ++x)
      sum += overlap(y, top, height) * overlap(x, left, width) * m.at(n, 0, y, x);
  return sum / (height * width);
}

template <class Value>
batch resized_by(batch const& m, index_t height, index_t width, Value const& value) {
  batch out({m.shape.n, 1, height, width});
  double const ry = static_cast<double>(m.shape.h) / static_cast<double>(height),
               rx = static_cast<double>(m.shape.w) / static_cast<double>(width);
  for_each_pixel(out.shape, [&](index_t n, index_t, index_t y, index_t x) {
    out.at(n, 0, y, x) = value(n, static_cast<double>(y), static_cast<double>(x), ry, rx);
  });
  return out;
}

batch bilinear_resized(batch const& m, index_t height, index_t width) {
  return resized_by(m, height, width, [&](index_t n, double y, double x, double ry, double rx) {
    return bilinear(m, n, (y + 0.5) * ry - 0.5, (x + 0.5) * rx - 0.5);
  });
}

batch area_resized(batch const& m, index_t height, index_t width) {
  return resized_by(m, height, width, [&](index_t n, double y, double x, double ry, double rx) {
    return box_mean(m, n, y * ry, x * rx, ry, rx);
  });
}

constexpr std::array<index_t, 2> sizes[] = {{1, 1},  {1, 7}, {5, 1},  {4, 4},
                                            {8, 14}, {3, 5}, {2, 33}, {17, 16}};

}  // namespace

TEST_CASE("Maps are resized bilinearly as by PyTorch with align_corners = False, and by exact box averages") {
  batch const m = random_maps({2, 1, 8, 14}, 1);
  for (auto const [h, w] : sizes) {
    INFO(h << " x " << w);
    CHECK(distance(prepare<double>(resized(interpolation::bilinear), m, h, w).maps,
                   bilinear_resized(m, h, w)) < 1e-14);
    CHECK(distance(prepare<double>(resized(interpolation::area), m, h, w).maps, area_resized(m, h, w)) <
          1e-14);
    CHECK(distance(prepare<float>(resized(interpolation::bilinear), m, h, w).maps,
                   bilinear_resized(m, h, w)) < 5e-7);
    CHECK(distance(prepare<float>(resized(interpolation::area), m, h, w).maps, area_resized(m, h, w)) < 5e-7);
  }
  // torch.nn.functional.interpolate of [0, 1, 0.5] to 6 pixels, mode = "linear".
  batch row({1, 1, 1, 3});
  row.value = {0, 1, 0.5};
  std::vector<double> const expected{0, 0.25, 0.75, 0.875, 0.625, 0.5};
  CHECK(prepare<double>(resized(interpolation::bilinear), row, 1, 6).maps.value == expected);
}

TEST_CASE(
    "Automatic interpolation averages along an axis that shrinks and interpolates along one that grows") {
  batch const m = random_maps({1, 1, 9, 4}, 2);
  batch const expected = bilinear_resized(area_resized(m, 4, 4), 4, 11);
  CHECK(distance(prepare<double>(resized(interpolation::automatic), m, 4, 11).maps, expected) < 1e-14);
}

TEST_CASE("Maps of bytes are scaled, and every executor prepares the same") {
  batch bytes = random_maps({3, 1, 12, 21}, 3);
  for (double& v : bytes.value) v = std::floor(255 * v);
  batch expected = area_resized(bytes, 6, 10);
  for (double& v : expected.value) v /= 255;
  sage::saliency_map const how{.normalize = normalize::none, .scale = 1.0 / 255};
  reference::for_each_executor([&](reference::any_executor const& executor) {
    INFO(executor.name());
    prepared const p = prepare<float, std::uint8_t>(how, bytes, 6, 10, executor);
    CHECK(distance(p.maps, expected) < 5e-7);
    CHECK(p.weights == std::vector<double>{1, 1, 1});
    CHECK(differing(prepare<float, std::uint8_t>(how, bytes, 6, 10, sage::exec::threads{3}).maps,
                    prepare<float, std::uint8_t>(how, bytes, 6, 10).maps) == 0);
  });
  CHECK(differing(prepare<float, float>(how, bytes, 6, 10).maps,
                  prepare<float, std::uint8_t>(how, bytes, 6, 10).maps) == 0);
}

TEST_CASE("Normalisation, strength, inversion and clamping follow their formulas") {
  batch m({1, 1, 1, 5});
  m.value = {-1, 0, 1, 2, 3};
  auto const of = [&](sage::saliency_map const& how) { return prepare<double>(how, m, 1, 5).maps.value; };
  using values = std::vector<double>;
  CHECK(of({}) == values{0, 0.25, 0.5, 0.75, 1});
  CHECK(of({.normalize = normalize::max}) == values{0, 0, 1 / 3.0, 2 * (1 / 3.0), 1});
  CHECK(of({.normalize = normalize::none}) == values{0, 0, 1, 1, 1});
  CHECK(of({.normalize = normalize::none, .scale = 0.25}) == values{0, 0, 0.25, 0.5, 0.75});
  CHECK(of({.strength = 2}) == values{0, 0.0625, 0.25, 0.5625, 1});
  CHECK(of({.invert = true}) == values{1, 0.75, 0.5, 0.25, 0});
  CHECK(of({.strength = 2, .invert = true}) == values{1, 0.9375, 0.75, 0.4375, 0});
}

TEST_CASE("Smoothing blurs the resized map before it is normalised") {
  batch point({1, 1, 11, 13});
  point.at(0, 0, 5, 6) = 200;
  batch expected = blurred(point, 1.5, 6, sage::border::symmetric);
  double const peak = expected.at(0, 0, 5, 6);
  for (double& v : expected.value) v /= peak;
  CHECK(distance(prepare<double>({.smooth_sigma = 1.5, .normalize = normalize::max}, point, 11, 13).maps,
                 expected) < 1e-14);
}

TEST_CASE("Empty, constant and non-finite maps have weight 0, all others 1") {
  batch m = random_maps({6, 1, 4, 5}, 5);
  for (index_t i = 0; i < 20; ++i) {
    m.value[static_cast<std::size_t>(20 + i)] = 0;  // empty
    m.value[static_cast<std::size_t>(40 + i)] =
        0.7 + 1e-5 * static_cast<double>(i % 2);                // constant within the guard
    if (i > 0) m.value[static_cast<std::size_t>(100 + i)] = 0;  // one pixel
  }
  m.value[63] = std::numeric_limits<double>::quiet_NaN();
  m.value[87] = std::numeric_limits<double>::infinity();
  m.value[100] = 0.25;
  for (normalize n : {normalize::none, normalize::min_max, normalize::max})
    for (bool invert : {false, true}) {
      prepared const p = prepare<float>({.normalize = n, .invert = invert}, m, 4, 5);
      CHECK(p.weights == std::vector<double>{1, 0, 0, 0, 0, 1});
      for (double v : p.maps.value) CHECK((v >= 0 && v <= 1));  // a NaN is in no interval
      for (std::size_t i = 60; i < 100; ++i) CHECK(p.maps.value[i] == 0);
    }
}

TEST_CASE("Maps that are constant after clamping have weight 0") {
  batch m({1, 1, 1, 3});
  m.value = {2, 3, 4};
  CHECK(prepare<double>({.normalize = normalize::none}, m, 1, 3).weights[0] == 0);
  CHECK(prepare<double>({}, m, 1, 3).weights[0] == 1);
}

TEST_CASE("Maps of any strides are prepared alike, and in place") {
  batch const m = random_maps({2, 1, 7, 9}, 6);
  batch const expected = prepare<float>({.strength = 2}, m, 5, 6).maps;
  for (layout how : layouts)
    CHECK(differing(prepare<float, float>({.strength = 2}, m, 5, 6, sage::exec::simd{}, how).maps,
                    expected) == 0);
  stored<float> here(m);
  sage::saliency_map{.invert = true}.prepare(here.view(), here.view(), sage::skip);
  CHECK(differing(here.read(), prepare<float>({.invert = true}, m, 7, 9).maps) == 0);
}

TEST_CASE("A wrong shape or option of a map is one sentence, and nothing is written") {
  stored<float> in(batch({2, 1, 4, 5})), out({2, 1, 3, 3}, layout::nchw), three({3, 1, 3, 3}, layout::nchw),
      colour(batch({2, 3, 4, 5})), empty({2, 1, 0, 5}, layout::nchw);
  std::vector<float> weights(2, -1.0f), few(1, -1.0f);
  sage::saliency_map const map{};
  CHECK_THROWS_WITH(map.prepare(colour.view(), out.view(), weights),
                    "saliency_map: maps_in has shape (2, 3, 4, 5), expected maps (N, H, W) or (N, 1, H, W)");
  CHECK_THROWS_WITH(map.prepare(in.view(), three.view(), weights),
                    "saliency_map: maps_out holds 3 maps, maps_in 2");
  CHECK_THROWS_AS(map.prepare(in.view(), out.view(), few), sage::shape_error);
  CHECK_THROWS_WITH(map.prepare(empty.view(), out.view(), weights),
                    "saliency_map: maps_in has maps of 0 x 5, expected at least 1 x 1");
  CHECK_THROWS_WITH(sage::saliency_map{.strength = 0}.prepare(in.view(), out.view(), weights),
                    "saliency_map: strength is 0, expected > 0");
  CHECK_THROWS_WITH(sage::saliency_map{.smooth_sigma = -1}.prepare(in.view(), out.view(), weights),
                    "saliency_map: smooth_sigma is -1, expected 0 to 10000");
  CHECK_THROWS_AS(sage::saliency_map{.guard = 1}.prepare(in.view(), out.view(), weights),
                  sage::argument_error);
  sage::strided_view const inside{in.view().data_handle() + 1, sage::extents{2, 3, 3}};
  CHECK_THROWS_WITH(map.prepare(in.view(), inside, weights),
                    "saliency_map: maps_out overlaps maps_in, expected separate memory");
  CHECK(out.is_untouched());
  CHECK(weights == std::vector<float>(2, -1.0f));
}
