#include "augment/pictures.hpp"

#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/saliency_pair.hpp>

#include <cmath>
#include <cstdint>
#include <numbers>

namespace {

using namespace pictures;

// Philox4x32-10 written from the paper, one counter.
void philox(std::uint64_t seed, std::uint32_t (&c)[4]) {
  std::uint64_t k0 = seed & 0xffffffff, k1 = seed >> 32;
  for (int round = 0; round < 10; ++round) {
    std::uint64_t const p0 = 0xD2511F53ull * c[0], p1 = 0xCD9E8D57ull * c[2];
    std::uint32_t const next[4] = {
        static_cast<std::uint32_t>((p1 >> 32) ^ c[1] ^ k0), static_cast<std::uint32_t>(p1),
        static_cast<std::uint32_t>((p0 >> 32) ^ c[3] ^ k1), static_cast<std::uint32_t>(p0)};
    for (int i = 0; i < 4; ++i) c[i] = next[i];
    k0 = (k0 + 0x9E3779B9ull) & 0xffffffff;
    k1 = (k1 + 0xBB67AE85ull) & 0xffffffff;
  }
}

// The deviate of one pixel, by the formula of normal_deviates.hpp in double.
double deviate(std::uint64_t seed, index_t n, index_t c, index_t y, index_t x) {
  std::uint32_t w[4] = {static_cast<std::uint32_t>(x / 4), static_cast<std::uint32_t>(y),
                        static_cast<std::uint32_t>(c), static_cast<std::uint32_t>(n)};
  philox(seed, w);
  auto const pair = static_cast<std::size_t>(x % 4 / 2 * 2);
  double const u = ((w[pair] >> 8) + 1.0) / 16777216.0, v = (w[pair + 1] >> 8) / 16777216.0 - 0.5;
  double const angle = 2 * std::numbers::pi * v;
  return std::sqrt(-2 * std::log(u)) * (x % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

// A(x) itself: with the map 0, x⁺ is A(x).
template <class T, class Executor = sage::exec::simd>
batch noisy(sage::gaussian_noise const& noise, batch const& images, Executor const& executor = {}) {
  stored<T> x(images), s(batch({images.shape.n, 1, images.shape.h, images.shape.w})),
      plus(images.shape, layout::nchw);
  sage::saliency_pair{noise}(executor, x.view(), s.view(), plus.view(), sage::skip);
  return plus.read();
}

}  // namespace

TEST_CASE("Gaussian noise is the deviate of (seed, sample, channel, row, column), to 2e-6") {
  size const shape{2, 3, 5, 37};
  std::uint64_t const seed = 0x123456789abcdef0;
  batch const n = noisy<float>({.sigma = 1, .seed = seed}, batch(shape));
  double largest = 0, norm = 0;
  for_each_pixel(shape, [&](auto... i) {
    largest = std::max(largest, std::abs(n.at(i...) - deviate(seed, i...)));
    norm += n.at(i...) * n.at(i...);
  });
  CHECK(norm > 0.5 * static_cast<double>(shape.count()));
  CHECK(largest < 2e-6);
}

TEST_CASE("The noise has the same bits from every executor and at every vector width") {
  size const shape{2, 3, 6, 83};
  batch const images = random_images(shape, 1);
  sage::gaussian_noise const noise{.sigma = 0.25, .seed = 7};
  batch const expected = noisy<float>(noise, images, sage::exec::scalar{});
  REQUIRE(differing(expected, images) > images.value.size() / 2);
  reference::for_each_executor([&](reference::any_executor const& executor) {
    INFO(executor.name());
    CHECK(differing(noisy<float>(noise, images, executor), expected) == 0);
    CHECK(distance(noisy<double>(noise, images, executor), expected) < 1e-6);
  });
}

TEST_CASE("The noise of a crop is the crop of the noise") {
  sage::gaussian_noise const noise{.sigma = 1, .seed = 3};
  batch const small = noisy<float>(noise, batch({1, 1, 4, 9})),
              large = noisy<float>(noise, batch({2, 2, 8, 40}));
  std::size_t different = 0;
  for_each_pixel(small.shape, [&](auto... i) { different += small.at(i...) != large.at(i...); });
  CHECK(different == 0);
  CHECK(small.at(0, 0, 3, 8) != 0);
}

TEST_CASE("The noise is standard normal and uncorrelated") {
  // Bounds: five standard errors of each statistic of 2^18 independent normal numbers.
  size const shape{4, 4, 128, 128};
  double const count = static_cast<double>(shape.count());
  batch const n = noisy<float>({.sigma = 1, .seed = 11}, batch(shape));
  double moment[5] = {}, beside = 0, below = 0, next_channel = 0, next_sample = 0;
  std::size_t within_1 = 0, beyond_3 = 0;
  for_each_pixel(shape, [&](index_t i, index_t c, index_t y, index_t x) {
    double const v = n.at(i, c, y, x);
    for (int k = 1; k < 5; ++k) moment[k] += std::pow(v, k) / count;
    beside += v * n.at(i, c, y, (x + 1) % shape.w) / count;
    below += v * n.at(i, c, (y + 1) % shape.h, x) / count;
    next_channel += v * n.at(i, (c + 1) % shape.c, y, x) / count;
    next_sample += v * n.at((i + 1) % shape.n, c, y, x) / count;
    within_1 += std::abs(v) < 1;
    beyond_3 += std::abs(v) > 3;
  });
  double const standard_error = 1 / std::sqrt(count);
  CHECK(std::abs(moment[1]) < 5 * standard_error);
  CHECK(std::abs(moment[2] - 1) < 5 * std::sqrt(2.0) * standard_error);
  CHECK(std::abs(moment[3]) < 5 * std::sqrt(15.0) * standard_error);
  CHECK(std::abs(moment[4] - 3) < 5 * std::sqrt(96.0) * standard_error);
  for (double correlation : {beside, below, next_channel, next_sample})
    CHECK(std::abs(correlation) < 5 * standard_error);
  CHECK(std::abs(static_cast<double>(within_1) / count - 0.6826895) < 5 * std::sqrt(0.2166) * standard_error);
  CHECK(std::abs(static_cast<double>(beyond_3) / count - 0.0026998) <
        5 * std::sqrt(0.0026925) * standard_error);
}

TEST_CASE("Another seed is another noise") {
  size const shape{1, 1, 16, 16};
  batch const n = noisy<float>({.sigma = 1, .seed = 1}, batch(shape));
  CHECK(differing(n, noisy<float>({.sigma = 1, .seed = 2}, batch(shape))) > 250);
  CHECK(differing(n, noisy<float>({.sigma = 1, .seed = 1ull << 32 | 1}, batch(shape))) > 250);
}

TEST_CASE("Noise of a negative sigma is an argument_error") {
  stored<float> x(batch({1, 1, 2, 2})), s(batch({1, 1, 2, 2})), plus({1, 1, 2, 2}, layout::nchw);
  CHECK_THROWS_WITH(
      (sage::saliency_pair{sage::gaussian_noise{.sigma = -1}}(x.view(), s.view(), plus.view(), sage::skip)),
      "saliency_pair: gaussian_noise's sigma is -1, expected a number >= 0");
  CHECK(plus.is_untouched());
}
