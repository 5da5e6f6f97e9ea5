#include "augment/pictures.hpp"

#include <sage/augment/channel_mean.hpp>
#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/saliency_pair.hpp>

#include <limits>
#include <vector>

namespace {

using namespace pictures;

constexpr size shape{3, 3, 9, 37};

struct pair {
  batch plus, minus;
};

pair expected_pair(batch const& x, batch const& s, batch const& a) {
  return {mixed(s, x, a), mixed(s, a, x)};
}

template <class T, class Degradation, class Executor = sage::exec::simd>
pair computed(Degradation const& degradation, batch const& images, batch const& maps,
              Executor const& executor = {}, layout how = layout::nchw) {
  stored<T> x(images, how), s(maps, how), plus(images.shape, how), minus(images.shape, how);
  sage::saliency_pair{degradation}(executor, x.view(), s.map_view(), plus.view(), minus.view());
  CHECK(plus.guards_hold());
  CHECK(minus.guards_hold());
  return {plus.read(), minus.read()};
}

void check(pair const& computed, pair const& expected, double tolerance) {
  CHECK(distance(computed.plus, expected.plus) < tolerance);
  CHECK(distance(computed.minus, expected.minus) < tolerance);
}

// A degradation that the library has never heard of: every second row is upside down in brightness.
struct interlaced {
  template <class A>
  interlaced bind(char const*, sage::image_shape const&) const {
    return *this;
  }
  index_t scratch() const { return 0; }
  template <class A>
  struct rows {
    sage::plane<A const> x;
    template <class V>
    SAGE_INLINE void row(index_t y, A* out) const {
      for (index_t j = 0; j < x.width; ++j) out[j] = y % 2 == 0 ? x.row(y)[j] : -x.row(y)[j];
    }
  };
  template <class V, class A>
  SAGE_INLINE rows<A> degrade(sage::plane<A const> const& x, A*) const {
    return {x};
  }
};

}  // namespace

TEST_CASE(
    "x⁺ keeps what is salient and degrades the rest, x⁻ the reverse, for every degradation on every "
    "executor") {
  batch const x = random_images(shape, 1), s = random_maps(shape, 2);
  batch grey(shape), colour(shape), turned = x;
  for_each_pixel(shape, [&](index_t n, index_t c, index_t y, index_t i) {
    grey.at(n, c, y, i) = 0.5;
    colour.at(n, c, y, i) = c == 0 ? 0.25 : c == 1 ? -0.5 : 0.75;
    if (y % 2 == 1) turned.at(n, c, y, i) = -x.at(n, c, y, i);
  });
  pair const blur = expected_pair(x, s, blurred(x, 1.5, 6, sage::border::reflect)),
             half = expected_pair(x, s, grey), colours = expected_pair(x, s, colour),
             zero = expected_pair(x, s, batch(shape)), mean = expected_pair(x, s, channel_means(x)),
             own = expected_pair(x, s, turned);
  reference::for_each_executor([&](reference::any_executor const& executor) {
    INFO(executor.name());
    check(computed<float>(sage::gaussian_blur{.sigma = 1.5}, x, s, executor), blur, 4e-7);
    check(computed<double>(sage::gaussian_blur{.sigma = 1.5}, x, s, executor), blur, 1e-15);
    check(computed<float>(sage::constant{.value = 0.5}, x, s, executor), half, 2e-7);
    check(computed<float>(sage::constant{.value = {0.25, -0.5, 0.75}}, x, s, executor), colours, 2e-7);
    check(computed<double>(sage::constant{}, x, s, executor), zero, 1e-15);
    check(computed<float>(sage::channel_mean{}, x, s, executor), mean, 4e-7);
    check(computed<double>(sage::channel_mean{}, x, s, executor), mean, 1e-15);
    check(computed<float>(interlaced{}, x, s, executor), own, 2e-7);
  });
  check(computed<long double>(sage::gaussian_blur{.sigma = 1.5}, x, s), blur, 1e-15);
}

TEST_CASE("Images and maps of any strides give the same pair") {
  batch const x = random_images(shape, 3), s = random_maps(shape, 4);
  pair const blur = expected_pair(x, s, blurred(x, 1, 4, sage::border::reflect)),
             mean = expected_pair(x, s, channel_means(x));
  for (layout how : layouts) {
    INFO("layout " << static_cast<int>(how));
    check(computed<float>(sage::gaussian_blur{.sigma = 1}, x, s, sage::exec::simd{}, how), blur, 4e-7);
    check(computed<float>(sage::channel_mean{}, x, s, sage::exec::simd{}, how), mean, 4e-7);
  }
}

TEST_CASE("nhwc turns images with channels last, and one map serves all samples as a broadcast view") {
  std::vector<float> x(2 * 4 * 5 * 3), plus(x.size()), minus(x.size()), s(4 * 5);
  reference::random r(9);
  for (float& v : x) v = static_cast<float>(r.uniform());
  for (float& v : s) v = static_cast<float>(r.uniform());
  auto const images = [](std::vector<float>& v) {
    return sage::strided_view{v.data(), sage::extents{2, 4, 5, 3}};
  };
  sage::strided_view const map{s.data(), sage::extents{2, 4, 5}, sage::strides{0, 5, 1}};
  sage::saliency_pair{sage::constant{.value = 2}}(sage::nhwc(images(x)), map, sage::nhwc(images(plus)),
                                                  sage::nhwc(images(minus)));
  for (std::size_t i = 0; i < x.size(); ++i) {
    float const a = s[i / 3 % 20];
    CHECK(plus[i] == Approx(a * x[i] + (1 - a) * 2));
    CHECK(minus[i] == Approx((1 - a) * x[i] + a * 2));
  }
}

TEST_CASE("Where the map is 1 x⁺ is x to the bit, where it is 0 x⁻ is") {
  batch const x = random_images(shape, 5);
  batch s = random_maps(shape, 6);
  for (double& v : s.value) v = v > 0.5;
  pair const p = computed<float>(sage::gaussian_blur{.sigma = 2}, x, s);
  std::size_t kept = 0, wrong = 0;
  for_each_pixel(shape, [&](index_t n, index_t c, index_t y, index_t i) {
    auto const& same = s.at(n, 0, y, i) == 1 ? p.plus : p.minus;
    kept += s.at(n, 0, y, i) == 1;
    wrong += same.at(n, c, y, i) != x.at(n, c, y, i);
  });
  CHECK(kept > 100);
  CHECK(wrong == 0);
}

TEST_CASE("The pair has the same bits for any number of threads") {
  size const large{5, 3, 40, 50};
  batch const x = random_images(large, 7), s = random_maps(large, 8);
  auto const same = [&](auto const& degradation) {
    pair const one = computed<float>(degradation, x, s);
    REQUIRE(differing(one.plus, x) > 1000);
    for (int threads : {1, 2, 3, 8}) {
      pair const p = computed<float>(degradation, x, s, sage::exec::threads{threads});
      CHECK(differing(p.plus, one.plus) == 0);
      CHECK(differing(p.minus, one.minus) == 0);
    }
  };
  same(sage::gaussian_blur{.sigma = 2});
  same(sage::channel_mean{});
  same(sage::gaussian_noise{.sigma = 1});
}

TEST_CASE("A constant, and noise, give the same bits with every instruction set") {
  batch const x = random_images(shape, 9), s = random_maps(shape, 10);
  auto const same = [&](auto const& degradation) {
    pair const one = computed<float>(degradation, x, s, sage::exec::scalar{});
    reference::for_each_executor([&](reference::any_executor const& executor) {
      INFO(executor.name());
      pair const p = computed<float>(degradation, x, s, executor);
      CHECK(differing(p.plus, one.plus) == 0);
      CHECK(differing(p.minus, one.minus) == 0);
    });
  };
  same(sage::constant{.value = 0.3});
  same(sage::gaussian_noise{.sigma = 0.1});
}

TEST_CASE("An output that is skipped changes nothing in the other") {
  batch const x = random_images(shape, 11), s = random_maps(shape, 12);
  pair const both = computed<float>(sage::gaussian_blur{}, x, s);
  stored<float> images(x), maps(s), plus(shape, layout::nchw), minus(shape, layout::nchw);
  sage::saliency_pair<> const pair{};
  pair(images.view(), maps.view(), plus.view(), sage::skip);
  pair(images.view(), maps.view(), sage::skip, minus.view());
  CHECK(differing(plus.read(), both.plus) == 0);
  CHECK(differing(minus.read(), both.minus) == 0);
}

TEST_CASE("A NaN stays within the reach of the kernel and in its own plane") {
  batch x = random_images(shape, 13);
  x.at(1, 1, 4, 18) = std::numeric_limits<double>::quiet_NaN();
  pair const p = computed<float>(sage::gaussian_blur{.sigma = 1, .truncate = 2}, x, random_maps(shape, 14));
  std::size_t near = 0, far = 0;
  for_each_pixel(shape, [&](index_t n, index_t c, index_t y, index_t i) {
    bool const reached = n == 1 && c == 1 && y >= 2 && y <= 6 && i >= 16 && i <= 20;
    bool const nan = p.plus.at(n, c, y, i) != p.plus.at(n, c, y, i);
    (reached ? near : far) += nan;
  });
  CHECK(near > 0);
  CHECK(far == 0);
}

TEST_CASE("An empty batch, and images without pixels, are nothing to do") {
  for (size s : {size{0, 3, 4, 4}, size{2, 0, 4, 4}, size{2, 3, 0, 4}, size{2, 3, 4, 0}}) {
    stored<float> x(s, layout::nchw), map({s.n, 1, s.h, s.w}, layout::nchw), plus(s, layout::nchw),
        minus(s, layout::nchw);
    CHECK_NOTHROW(sage::saliency_pair{}(x.view(), map.view(), plus.view(), minus.view()));
    CHECK(plus.is_untouched());
  }
}

#if SAGE_HAS_FLOAT16
TEST_CASE("Halves are computed in float and rounded once") {
  batch x = random_images(shape, 15), s = random_maps(shape, 16);
  for (batch* b : {&x, &s})
    for (double& v : b->value) v = static_cast<double>(static_cast<_Float16>(v));
  pair const p = computed<_Float16>(sage::gaussian_blur{.sigma = 1.5}, x, s);
  check(p, expected_pair(x, s, blurred(x, 1.5, 6, sage::border::reflect)), 5e-4);
}
#endif

TEST_CASE("A wrong shape, an overlap or a wrong constant is one sentence, and nothing is written") {
  stored<float> x(batch({2, 3, 4, 5})), s(batch({2, 1, 4, 5})), plus({2, 3, 4, 5}, layout::nchw),
      minus({2, 3, 4, 5}, layout::nchw), narrow({2, 3, 4, 4}, layout::nchw);
  sage::saliency_pair<> const pair{};
  CHECK_THROWS_WITH(pair(x.map_view(), s.view(), plus.view(), minus.view()),
                    "saliency_pair: images has shape (2, 4, 5), expected images (N, C, H, W)");
  CHECK_THROWS_WITH(pair(x.view(), x.view(), plus.view(), minus.view()),
                    "saliency_pair: maps has shape (2, 3, 4, 5), expected maps (N, H, W) or (N, 1, H, W)");
  CHECK_THROWS_WITH(
      pair(x.view(), narrow.map_view(), plus.view(), minus.view()),
      "saliency_pair: maps hold 2 maps of 4 x 4, expected one for each of the images (2, 3, 4, 5)");
  CHECK_THROWS_WITH(pair(x.view(), s.view(), narrow.view(), minus.view()),
                    "saliency_pair: x_plus has shape (2, 3, 4, 4), images (2, 3, 4, 5)");
  CHECK_THROWS_WITH(pair(x.view(), s.view(), x.view(), minus.view()),
                    "saliency_pair: x_plus overlaps images, expected separate memory");
  CHECK_THROWS_WITH(pair(x.view(), s.view(), plus.view(), plus.view()),
                    "saliency_pair: x_minus overlaps x_plus, expected separate memory");
  sage::strided_view const broadcast{plus.view().data_handle(), sage::extents{2, 3, 4, 5},
                                     sage::strides{0, 20, 5, 1}};
  CHECK_THROWS_WITH(
      pair(x.view(), s.view(), broadcast, minus.view()),
      "saliency_pair: x_plus is a broadcast view (a stride is 0), expected elements of its own");
  CHECK_THROWS_WITH(
      (sage::saliency_pair{sage::constant{.value = {1, 2}}}(x.view(), s.view(), plus.view(), minus.view())),
      "saliency_pair: constant's value has 2 elements, expected 1 or one for each of 3 channels");
  CHECK(plus.is_untouched());
  CHECK(minus.is_untouched());
}

TEST_CASE("x, x⁺ and x⁻ may be interleaved in one buffer") {
  std::vector<float> memory(2 * 3 * 3 * 20, 0.5f), s(2 * 20, 0.25f);
  auto const slot = [&](index_t k) {  // (N, view, C, H, W)[:, k]
    return sage::strided_view{memory.data() + k * 60, sage::extents{2, 3, 4, 5},
                              sage::strides{180, 20, 5, 1}};
  };
  sage::strided_view const maps{s.data(), sage::extents{2, 4, 5}};
  CHECK_NOTHROW(sage::saliency_pair{sage::constant{}}(slot(0), maps, slot(1), slot(2)));
  CHECK(slot(1)(1, 2, 3, 4) == 0.125f);
  CHECK(slot(2)(1, 2, 3, 4) == 0.375f);
}
