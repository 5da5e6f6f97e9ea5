#include "augment/pictures.hpp"

#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_pair.hpp>

#include <cmath>

namespace {

using namespace pictures;
using sage::border;

// A(x) itself: with the map 0, x⁺ is A(x).
template <class T, class Executor = sage::exec::simd>
batch degraded(sage::gaussian_blur const& blur, batch const& images, Executor const& executor = {}) {
  stored<T> x(images), s(batch({images.shape.n, 1, images.shape.h, images.shape.w})),
      plus(images.shape, layout::nchw);
  sage::saliency_pair{blur}(executor, x.view(), s.view(), plus.view(), sage::skip);
  return plus.read();
}

}  // namespace

TEST_CASE("Gaussian blur equals the sum over the window, with every border and on every executor") {
  for (border rule : {border::reflect, border::symmetric, border::replicate, border::zero}) {
    batch const images = random_images({2, 2, 13, 70}, 5);
    batch const expected = blurred(images, 1.3, 5, rule);  // 4 · 1.3 rounded
    reference::for_each_executor([&](reference::any_executor const& executor) {
      INFO(executor.name() << ", border " << static_cast<int>(rule));
      CHECK(distance(degraded<float>({.sigma = 1.3, .border = rule}, images, executor), expected) < 4e-7);
      CHECK(distance(degraded<double>({.sigma = 1.3, .border = rule}, images, executor), expected) < 1e-15);
    });
  }
}

TEST_CASE("Images of any size are blurred, also those smaller than the kernel") {
  for (index_t h : {1, 2, 3, 9})
    for (index_t w : {1, 2, 3, 4, 7, 15, 16, 17, 33, 131})
      for (border rule : {border::reflect, border::symmetric, border::replicate, border::zero}) {
        INFO(h << " x " << w << ", border " << static_cast<int>(rule));
        batch const images =
            random_maps({1, 1, h, w}, static_cast<std::uint64_t>(100 * h + w));  // nothing cancels
        batch const expected = blurred(images, 2, 8, rule);
        CHECK(distance(degraded<float>({.sigma = 2, .border = rule}, images), expected) < 4e-7);
        CHECK(distance(degraded<double>({.sigma = 2, .border = rule}, images), expected) < 4e-15);
      }
}

TEST_CASE("Images with more rows than a band and more columns than a strip are blurred alike everywhere") {
  // 33 rows of 1000 floats are more than the vertical pass makes at a time; doubles take three turns.
  batch const images = random_maps({1, 1, 33, 1000}, 7);
  batch const expected = blurred(images, 0.7, 3, border::reflect);
  reference::for_each_executor([&](reference::any_executor const& executor) {
    INFO(executor.name());
    CHECK(distance(degraded<float>({.sigma = 0.7}, images, executor), expected) < 4e-7);
    CHECK(distance(degraded<double>({.sigma = 0.7}, images, executor), expected) < 4e-15);
  });
}

TEST_CASE("scipy's gaussian_filter of an impulse is reproduced") {
  // scipy.ndimage.gaussian_filter1d(numpy.eye(1, 9, 4)[0], 1.0): exp(−k²/2)/Σ for |k| ≤ 4.
  batch images({1, 1, 1, 9});
  images.at(0, 0, 0, 4) = 1;
  double const expected[] = {1.33830625e-4, 4.43186162e-3, 5.39911274e-2, 2.41971446e-1, 3.98943469e-1};
  batch const b = degraded<double>({.sigma = 1, .border = border::symmetric}, images);
  for (index_t k = 0; k <= 4; ++k) {
    CHECK(b.at(0, 0, 0, k) == Approx(expected[k]).epsilon(1e-8));
    CHECK(b.at(0, 0, 0, 8 - k) == Approx(expected[k]).epsilon(1e-8));
  }
}

TEST_CASE("kernel_size fixes the kernel as in torchvision, truncate sets its radius") {
  batch const images = random_images({1, 1, 20, 20}, 8);
  CHECK(distance(degraded<double>({.sigma = 3, .kernel_size = 5}, images),
                 blurred(images, 3, 2, border::reflect)) < 1e-15);
  CHECK(distance(degraded<double>({.sigma = 3, .truncate = 2}, images),
                 blurred(images, 3, 6, border::reflect)) < 1e-15);
  CHECK(differing(degraded<double>({.sigma = 3, .kernel_size = 1}, images), images) == 0);
}

TEST_CASE("Blur leaves a constant image as it is, and keeps the mass under a symmetric border") {
  batch ones({1, 1, 9, 11});
  for (double& v : ones.value) v = 1;
  batch const b = degraded<double>({.sigma = 3}, ones);
  for (double v : b.value) CHECK(std::abs(v - 1) < 1e-14);

  batch impulse({1, 1, 9, 11});
  impulse.at(0, 0, 1, 9) = 1;
  double sum = 0;
  for (double v : degraded<double>({.sigma = 3, .border = border::symmetric}, impulse).value) sum += v;
  CHECK(sum == Approx(1).epsilon(1e-13));
}

TEST_CASE("Options of the blur that make no kernel are argument_errors") {
  stored<float> x(batch({1, 1, 2, 2})), s(batch({1, 1, 2, 2})), plus({1, 1, 2, 2}, layout::nchw);
  auto const run = [&](sage::gaussian_blur const& blur) {
    sage::saliency_pair{blur}(x.view(), s.view(), plus.view(), sage::skip);
  };
  CHECK_THROWS_WITH(run({.sigma = 0}),
                    "saliency_pair: gaussian_blur's sigma is 0, expected 0 < sigma <= 10000");
  CHECK_THROWS_AS(run({.sigma = std::nan("")}), sage::argument_error);
  CHECK_THROWS_AS(run({.truncate = -1}), sage::argument_error);
  CHECK_THROWS_WITH(run({.kernel_size = 4}),
                    "saliency_pair: gaussian_blur's kernel_size is 4, expected an odd number, "
                    "or 0 for a radius of truncate * sigma");
  CHECK(plus.is_untouched());
}
