#include "augment/pictures.hpp"
#include "exec/threaded_launch.hpp"

#include <sage/augment/blur_layout.hpp>
#include <sage/augment/blur_tiles.hpp>
#include <sage/augment/channel_mean.hpp>
#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/augment/saliency_map.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/exec/emulated.hpp>

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

// The launches of a GPU on memory of the host, thread by thread, against what executors of the host compute.

namespace {

using namespace pictures;
using device = sage::exec::emulated_device<>;
using sage::detail::blur_policy;

/// Every thread of a block a std::thread.
struct threaded_device : device {
  template <class Work>
  void launch(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    threaded_launch{}(blocks, threads, shared_bytes, work);
  }
};
/// Blocks that have to stride over what there is to do.
struct two_blocks : device {
  template <class Work>
  void launch(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    device::launch(blocks < 2 ? blocks : 2, threads, shared_bytes, work);
  }
};

struct results {
  batch plus, minus, d_images, d_maps;
};

template <class T, class Degradation, class Executor>
results all_of(Degradation const& degradation, size shape, Executor const& executor,
               layout how = layout::nchw) {
  batch images = random_images(shape, 1), maps = random_maps(shape, 2), up = random_images(shape, 3),
        down = random_images(shape, 4);
  stored<T> x(images, how), s(maps, how), d_plus(up, how), d_minus(down, how), plus(shape, how),
      minus(shape, how), dx(shape, how), ds(maps.shape, how);
  sage::saliency_pair const pair{degradation};
  pair(executor, x.view(), s.map_view(), plus.view(), minus.view());
  pair.backward(executor, d_plus.view(), d_minus.view(), x.view(), s.map_view(), dx.view(), ds.view());
  for (auto* v : {&plus, &minus, &dx, &ds}) CHECK(v->guards_hold());
  return {plus.read(), minus.read(), dx.read(), ds.read()};
}

bool near(batch const& a, batch const& b, double tolerance) {
  return differing(a, b) == 0 || distance(a, b) <= tolerance;
}

void check_near(results const& a, results const& b, double tolerance) {
  CHECK(near(a.plus, b.plus, tolerance));
  CHECK(near(a.minus, b.minus, tolerance));
  CHECK(near(a.d_images, b.d_images, tolerance));
  CHECK(near(a.d_maps, b.d_maps, 100 * tolerance));  // of differences x − A(x), which may be small
}
void check_same_bits(results const& a, results const& b) {
  CHECK(differing(a.plus, b.plus) == 0);
  CHECK(differing(a.minus, b.minus) == 0);
  CHECK(differing(a.d_images, b.d_images) == 0);
  CHECK(differing(a.d_maps, b.d_maps) == 0);
}

// No side a multiple of a tile; less than a quad; several strips, steps and channels.
constexpr size shapes[] = {{2, 3, 9, 37}, {1, 1, 1, 7},   {1, 2, 41, 1},
                           {1, 2, 2, 2},  {3, 1, 70, 33}, {1, 5, 33, 68}};

/// A degradation of the user's that has a device's members, and one that has not.
struct darkened {
  double by = 0.5;

  template <class A>
  darkened bind(char const*, sage::image_shape const&) const {
    return *this;
  }
  index_t scratch() const { return 0; }
  template <class A>
  SAGE_HD A pixel(A x, sage::pixel_position const& at) const {
    return at.row % 2 == 0 ? static_cast<A>(by) * x : x;
  }
  template <class A>
  SAGE_HD A pixel_adjoint(A, A g, sage::pixel_position const& at) const {
    return at.row % 2 == 0 ? static_cast<A>(by) * g : g;
  }
  template <class A>
  struct rows {
    darkened const& how;
    sage::plane<A const> x;
    template <class V>
    void row(index_t y, A* out) const {
      for (index_t j = 0; j < x.width; ++j) out[j] = how.pixel(x.row(y)[j], {x.sample, x.channel, y, j});
    }
    template <class V>
    void add_row(index_t y, A* out) const {
      for (index_t j = 0; j < x.width; ++j)
        out[j] += how.pixel_adjoint(A(0), x.row(y)[j], {x.sample, x.channel, y, j});
    }
  };
  template <class V, class A>
  rows<A> degrade(sage::plane<A const> const& x, A*) const {
    return {*this, x};
  }
  template <class V, class A>
  rows<A> adjoint(sage::plane<A const> const&, sage::plane<A> const& g, A*) const {
    return {*this, {g.data, g.pitch, g.height, g.width, g.sample, g.channel}};
  }
};

}  // namespace

TEST_CASE("On a device a blur is that of the host, for every radius, border and shape, with its adjoint") {
  for (size const shape : shapes)
    for (double const sigma : {0.3, 1.5, 4.0, 20.0})
      for (auto const rule :
           {sage::border::reflect, sage::border::symmetric, sage::border::replicate, sage::border::zero}) {
        CAPTURE(shape.h, shape.w, sigma, static_cast<int>(rule));
        sage::gaussian_blur const blur{.sigma = sigma, .border = rule};
        check_near(all_of<float>(blur, shape, device{}), all_of<float>(blur, shape, sage::exec::scalar{}),
                   1e-6);
      }
}

TEST_CASE("On a device a blur too wide for shared memory goes in two passes") {
  sage::gaussian_blur const wide{.sigma = 40}, none{.sigma = 0.1};
  static_assert(blur_policy::largest_radius(4) < 160);
  for (size const shape : {size{2, 2, 9, 37}, size{1, 1, 70, 33}})
    check_near(all_of<float>(wide, shape, device{}), all_of<float>(wide, shape, sage::exec::scalar{}), 1e-6);
  check_near(all_of<double>(wide, {1, 1, 9, 37}, device{}),
             all_of<double>(wide, {1, 1, 9, 37}, sage::exec::scalar{}), 1e-14);
  check_same_bits(all_of<float>(none, {1, 2, 9, 37}, device{}),
                  all_of<float>(none, {1, 2, 9, 37}, sage::exec::scalar{}));
}

TEST_CASE("On a device a constant and noise have the bits of the host, Philox's included") {
  for (size const shape : shapes) {
    CAPTURE(shape.h, shape.w);
    auto const same = [&](auto const& degradation) {
      results const a = all_of<float>(degradation, shape, device{}),
                    b = all_of<float>(degradation, shape, sage::exec::scalar{});
      CHECK(differing(a.plus, b.plus) == 0);
      CHECK(differing(a.minus, b.minus) == 0);
      CHECK(differing(a.d_images, b.d_images) == 0);
      CHECK(near(a.d_maps, b.d_maps, 1e-6));  // sums of products, which a host may fuse
      check_near(all_of<double>(degradation, shape, device{}),
                 all_of<double>(degradation, shape, sage::exec::scalar{}), 1e-14);
    };
    same(sage::constant{.value = 0.25});
    same(sage::gaussian_noise{.sigma = 0.5, .seed = 0x123456789abcdef0});
  }
}

TEST_CASE("On a device the mean of a channel is that of the host, in one part and in several") {
  using means = sage::detail::plane_means<float, sage::detail::image_source<float>>;
  static_assert(means::parts_of(1, 200, 200) == 2 && means::parts_of(600, 200, 200) == 1);
  for (size const shape : {size{2, 3, 9, 37}, size{1, 1, 1, 7}, size{1, 1, 200, 200}})
    check_near(all_of<float>(sage::channel_mean{}, shape, device{}),
               all_of<float>(sage::channel_mean{}, shape, sage::exec::scalar{}), 1e-6);
}

TEST_CASE("A degradation of the user's runs on a device by its pixel and pixel_adjoint") {
  check_same_bits(all_of<float>(darkened{}, {2, 3, 9, 37}, device{}),
                  all_of<float>(darkened{}, {2, 3, 9, 37}, sage::exec::scalar{}));
}

TEST_CASE("On a device images of any strides give the same bits") {
  size const shape{2, 3, 35, 37};
  auto const same = [&](auto const& degradation) {
    results const expected = all_of<float>(degradation, shape, device{});
    for (layout how : layouts) {
      INFO("layout " << static_cast<int>(how));
      check_same_bits(all_of<float>(degradation, shape, device{}, how), expected);
    }
  };
  same(sage::gaussian_blur{.sigma = 2});
  same(sage::gaussian_noise{.sigma = 0.5});
  same(sage::channel_mean{});
}

TEST_CASE("A thread of a device plays its part among threads of their own: the bits are the same") {
  size const shape{1, 2, 70, 33};
  check_same_bits(all_of<float>(sage::gaussian_blur{.sigma = 6}, shape, threaded_device{}),
                  all_of<float>(sage::gaussian_blur{.sigma = 6}, shape, device{}));
  check_same_bits(all_of<float>(sage::channel_mean{}, shape, threaded_device{}),
                  all_of<float>(sage::channel_mean{}, shape, device{}));
}

TEST_CASE("Blocks of a device that are fewer than strips or quads take several: the bits are the same") {
  size const shape{2, 2, 70, 68};
  auto const same = [&](auto const& degradation) {
    check_same_bits(all_of<float>(degradation, shape, two_blocks{}),
                    all_of<float>(degradation, shape, device{}));
  };
  same(sage::gaussian_blur{.sigma = 4});
  same(sage::constant{.value = 1});
  same(sage::channel_mean{});
}

TEST_CASE("On a device gradients are added to or skipped, and an upstream may be a zero") {
  size const shape{1, 2, 9, 37};
  batch const start = random_images(shape, 9);
  stored<float> x(random_images(shape, 1)), s(random_maps(shape, 2)), up(random_images(shape, 3));
  auto const computed = [&](auto const& executor) {
    stored<float> dx(start), ds(random_maps(shape, 8));
    sage::saliency_pair<> const pair{{.sigma = 1.5}};
    pair.backward(executor, up.view(), sage::skip, x.view(), s.view(), sage::add_to(dx.view()),
                  sage::add_to(ds.view()));
    pair.backward(executor, sage::skip, up.view(), x.view(), s.view(), sage::add_to(dx.view()), sage::skip);
    return std::array{dx.read(), ds.read()};
  };
  auto const a = computed(device{}), b = computed(sage::exec::scalar{});
  CHECK(distance(a[0], b[0]) < 1e-6);
  CHECK(distance(a[1], b[1]) < 1e-6);
  stored<float> plus(shape, layout::nchw), both(shape, layout::nchw), minus(shape, layout::nchw);
  sage::saliency_pair<>{}(device{}, x.view(), s.view(), plus.view(), sage::skip);
  sage::saliency_pair<>{}(device{}, x.view(), s.view(), both.view(), minus.view());
  CHECK(differing(plus.read(), both.read()) == 0);
}

TEST_CASE("On a device an empty batch is nothing to do, and a NaN stays within the reach of the kernel") {
  for (size e : {size{0, 3, 4, 4}, size{2, 0, 4, 4}, size{2, 3, 0, 4}, size{2, 3, 4, 0}}) {
    stored<float> x(e, layout::nchw), map({e.n, 1, e.h, e.w}, layout::nchw), plus(e, layout::nchw);
    CHECK_NOTHROW(sage::saliency_pair{}(device{}, x.view(), map.view(), plus.view(), sage::skip));
    CHECK_NOTHROW(
        sage::saliency_pair{sage::channel_mean{}}(device{}, x.view(), map.view(), plus.view(), sage::skip));
    CHECK(plus.is_untouched());
  }
  batch images = random_images({1, 1, 40, 40}, 1);
  images.at(0, 0, 20, 18) = std::numeric_limits<double>::quiet_NaN();
  stored<float> x(images), s(random_maps(images.shape, 2)), plus(images.shape, layout::nchw);
  sage::saliency_pair<>{{.sigma = 1, .truncate = 2}}(device{}, x.view(), s.view(), plus.view(), sage::skip);
  batch const p = plus.read();
  std::size_t reached = 0, far = 0;
  for_each_pixel(images.shape, [&](index_t n, index_t c, index_t y, index_t i) {
    bool const near = y >= 18 && y <= 22 && i >= 16 && i <= 20, nan = std::isnan(p.at(n, c, y, i));
    (near ? reached : far) += nan;
  });
  CHECK(reached > 0);
  CHECK(far == 0);
}

#if SAGE_HAS_FLOAT16
TEST_CASE("On a device halves are computed in float and rounded once") {
  size const shape{1, 2, 35, 36};
  check_near(all_of<_Float16>(sage::gaussian_blur{.sigma = 1.5}, shape, device{}),
             all_of<_Float16>(sage::gaussian_blur{.sigma = 1.5}, shape, sage::exec::scalar{}), 1e-4);
  check_near(all_of<_Float16>(sage::gaussian_noise{.sigma = 0.5}, shape, device{}),
             all_of<_Float16>(sage::gaussian_noise{.sigma = 0.5}, shape, sage::exec::scalar{}), 1e-5);
}
#endif

TEST_CASE("Every layout of a blur fits 48 KiB, covers the image, and does not start too many segments") {
  for (index_t const bytes : {4, 8}) {
    index_t const largest = blur_policy::largest_radius(bytes);
    CHECK(blur_policy::shared_bytes(largest, 8, bytes) <= blur_policy::shared_limit);
    for (index_t const radius : {index_t(0), index_t(1), index_t(16), largest, largest + 1})
      for (index_t const planes : {index_t(0), index_t(1), index_t(96), index_t(1) << 31})
        for (index_t const h :
             {index_t(0), index_t(1), index_t(32), index_t(33), index_t(224), index_t(5000)})
          for (index_t const w : {index_t(0), index_t(1), index_t(33), index_t(5000)}) {
            auto const l = blur_policy::layout_of(planes, h, w, radius, bytes);
            bool const right =
                !l.tiled ? radius > largest
                         : planes * h * w == 0 ||
                               (radius <= largest && l.shared_bytes <= blur_policy::shared_limit &&
                                l.band % 8 == 0 && l.strips * 32 >= w && l.segment_rows % 32 == 0 &&
                                l.segments * l.segment_rows >= h && (l.segments - 1) * l.segment_rows < h &&
                                (l.segments == 1 || l.segment_rows >= 2 * radius) && l.blocks > 0 &&
                                l.blocks <= blur_policy::most_blocks);
            CAPTURE(bytes, radius, planes, h, w);
            CHECK(right);
          }
  }
  static_assert(blur_policy::layout_of(96, 224, 224, 16, 4).segments == 1);
  static_assert(blur_policy::layout_of(1, 4096, 64, 16, 4).segments > 100);
  static_assert(blur_policy::layout_of(96, 224, 224, 16, 4).band == 32);
  static_assert(blur_policy::largest_radius(4) == 130 && blur_policy::largest_radius(8) == 57);
}

TEST_CASE("Images of more than 2^31 pixels are divided by 64-bit numbers, to their last pixel") {
  using namespace sage::detail;
  float one = 1;
  image_view<float const> images;
  images.data = &one;  // every stride is 0
  index_t const extents[] = {3, index_t(1) << 30, 35, 37};
  for (int d = 0; d < 4; ++d) images.extent[d] = extents[d];

  auto const loop = quad_loop::over(images);
  index_t const planes = images.extent[0] * images.extent[1], blocks = planes * loop.parts;
  sage::exec::detail::emulated_group<256> const group{};
  std::size_t last = 0;
  loop(group, blocks - 1, blocks, [&](pixel_quad const& q) {
    last += q.first.sample == 2 && q.first.channel == (index_t(1) << 30) - 1 && q.first.row == 34 &&
            q.first.column == 36 && q.count == 1;
  });
  CHECK(last == 1);

  struct recorder {
    std::size_t* last;
    void operator()(index_t n, index_t c, index_t y, index_t x, float a) const {
      *last += n == 2 && c == (index_t(1) << 30) - 1 && y == 34 && x == 36 && std::abs(a - 1) < 1e-6f;
    }
  };
  blur_tiles<float, recorder> work{images, {&last}, {}, blur_policy::layout_of(planes, 35, 37, 1, 4)};
  work.taps.radius = 1;
  work.taps.half[0] = 0.5f, work.taps.half[1] = 0.25f;
  index_t const all = planes * work.layout.strips * work.layout.segments;
  std::vector<float> shared(static_cast<std::size_t>(work.layout.shared_bytes) / sizeof(float));
  work(
      sage::exec::detail::emulated_block(all - 1, all, 256, reinterpret_cast<unsigned char*>(shared.data())));
  CHECK(last == 2);
}

TEST_CASE("The coordinates that a border fills from a position are those whose index it is") {
  for (auto const rule :
       {sage::border::reflect, sage::border::symmetric, sage::border::replicate, sage::border::zero})
    for (index_t const n : {1, 2, 3, 8})
      for (index_t const radius : {0, 1, 2, 7, 20}) {
        std::vector<index_t> owner(static_cast<std::size_t>(n + 2 * radius), -1);
        std::size_t twice = 0;
        for (index_t i = 0; i < n; ++i)
          sage::detail::for_each_border_coordinate(i, n, radius, rule, [&](index_t c) {
            auto& o = owner.at(static_cast<std::size_t>(c + radius));
            twice += o != -1;
            o = i;
          });
        CAPTURE(static_cast<int>(rule), n, radius);
        CHECK(twice == 0);
        for (index_t c = -radius; c < n + radius; ++c)
          if (c < 0 || c >= n) CHECK(owner[static_cast<std::size_t>(c + radius)] == continued(c, n, rule));
      }
}

TEST_CASE(
    "On a device a map that becomes constant has weight 0, also where a block has more threads than the map "
    "pixels") {
  using namespace sage;
  for (index_t const side : {1, 7, 14, 15, 16, 20}) {
    CAPTURE(side);
    batch m = random_maps({2, 1, side, side}, 3);
    for (std::size_t i = 0; i < m.value.size() / 2; ++i) m.value[i] = 3 + 6 * m.value[i];  // all become 1
    auto const weights_on = [&](auto const& executor) {
      stored<float> in(m, layout::nchw), out({2, 1, side, side}, layout::nchw);
      std::vector<float> weights(2, -1.0f);
      saliency_map{.normalize = normalize::none}.prepare(executor, in.view(), out.map_view(), weights);
      return weights;
    };
    CHECK(weights_on(device{}) == weights_on(exec::scalar{}));
    CHECK(weights_on(device{})[0] == 0);
  }
}

TEST_CASE("On a device maps are prepared as on the host: resized, smoothed, normalised, weighed") {
  using namespace sage;
  batch m = random_maps({5, 1, 12, 21}, 5);
  for (std::size_t i = 0; i < 252; ++i) m.value[252 + i] = 0;  // empty
  m.value[2 * 252 + 7] = std::numeric_limits<double>::quiet_NaN();
  for (std::size_t i = 0; i < 252; ++i) m.value[3 * 252 + i] = i == 100;  // one pixel
  saliency_map const all[] = {{},
                              {.resize = interpolation::bilinear, .smooth_sigma = 1.5},
                              {.resize = interpolation::area, .normalize = normalize::max, .invert = true},
                              {.smooth_sigma = 50, .normalize = normalize::none, .guard = 1e-6},
                              {.normalize = normalize::none, .scale = 0.5, .strength = 0.5}};
  for (auto const& how : all)
    for (auto const [h, w] : {std::array<index_t, 2>{12, 21}, {5, 40}, {33, 7}, {1, 1}, {70, 64}})
      for (layout const order : {layout::nchw, layout::columns_apart}) {
        CAPTURE(h, w, how.smooth_sigma, static_cast<int>(how.normalize));
        auto const prepared = [&, h = h, w = w](auto const& executor, auto& weights) {
          stored<float> in(m, order), out({5, 1, h, w}, order);
          how.prepare(executor, in.view(), out.map_view(), weights);
          CHECK(out.guards_hold());
          return out.read();
        };
        std::vector<float> a(5, -1.0f), b(5, -1.0f);
        batch const x = prepared(device{}, a), expected = prepared(exec::scalar{}, b);
        CHECK(near(x, expected, 2e-6));
        if (how.smooth_sigma > 2) continue;  // a point blurred so widely is constant up to rounding
        CHECK(a == b);
        if (h * w > 1) CHECK(b == std::vector<float>{1, 0, 0, 1, 1});
      }
}

TEST_CASE("On a device maps of bytes are prepared, in double, in place, and without weights") {
  batch bytes = random_maps({2, 1, 9, 14}, 3);
  for (double& v : bytes.value) v = std::floor(255 * v);
  stored<std::uint8_t> in(bytes);
  stored<double> out({2, 1, 20, 5}, layout::nchw), expected({2, 1, 20, 5}, layout::nchw), here(bytes),
      there(bytes);
  sage::saliency_map const map{.strength = 3};
  map.prepare(device{}, in.view(), out.view(), sage::skip);
  map.prepare(sage::exec::scalar{}, in.view(), expected.view(), sage::skip);
  CHECK(distance(out.read(), expected.read()) < 1e-14);
  map.prepare(device{}, here.view(), here.view(), sage::skip);
  map.prepare(sage::exec::scalar{}, there.view(), there.view(), sage::skip);
  CHECK(distance(here.read(), there.read()) < 1e-14);
}

TEST_CASE("The workspace of a device is as large as announced, and none for a blur in tiles") {
  struct counting : device {
    index_t* asked;
    memory_block memory(index_t bytes) const {
      *asked = bytes;
      return memory_block(bytes);
    }
  };
  sage::image_shape const shape{1, 2, 9, 37};
  stored<float> x({1, 2, 9, 37}, layout::nchw), s({1, 1, 9, 37}, layout::nchw),
      plus({1, 2, 9, 37}, layout::nchw), up(x), dx({1, 2, 9, 37}, layout::nchw),
      ds({1, 1, 9, 37}, layout::nchw);
  auto const check = [&](auto const& degradation) {
    index_t asked = 0;
    counting const executor{{}, &asked};
    sage::saliency_pair const pair{degradation};
    pair(executor, x.view(), s.view(), plus.view(), sage::skip);
    CHECK(asked == pair.template workspace_bytes<float>(shape));
    asked = 0;
    pair.backward(executor, up.view(), up.view(), x.view(), s.view(), dx.view(), ds.view());
    CHECK(asked == pair.template backward_workspace_bytes<float>(shape));
  };
  check(sage::gaussian_blur{});
  check(sage::gaussian_blur{.sigma = 100});
  check(sage::channel_mean{});
  check(sage::gaussian_noise{});
  CHECK(sage::saliency_pair<>{}.workspace_bytes<float>(shape) == 0);
  CHECK(sage::saliency_pair<>{{.sigma = 100}}.workspace_bytes<float>(shape) > 9 * 37 * 2 * 4);
  index_t asked = 0;
  sage::saliency_map const map{.smooth_sigma = 100};
  map.prepare(counting{{}, &asked}, s.view(), ds.view(), sage::skip);
  CHECK(asked == map.workspace_bytes<float>({1, 1, 9, 37}, {1, 1, 9, 37}));
}
