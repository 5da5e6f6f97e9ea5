#pragma once

#include <sage/augment/blur_layout.hpp>
#include <sage/augment/blur_lines.hpp>
#include <sage/augment/blur_tiles.hpp>
#include <sage/augment/border.hpp>
#include <sage/augment/gaussian_weights.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/pair_works.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/augment/stored_numbers.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// A dense batch of one element type, (N,C,H,W).
template <class A, class T>
image_view<A> dense_like(image_view<T> const& v, A* data) noexcept {
  image_view<A> r;
  r.data = data;
  index_t stride = 1;
  for (int d = 3; d >= 0; --d) {
    r.extent[d] = v.extent[d];
    r.stride[d] = stride;
    stride *= v.extent[d];
  }
  return r;
}
template <class T>
index_t elements_of(image_view<T> const& v) noexcept {
  return v.extent[0] * v.extent[1] * v.extent[2] * v.extent[3];
}

/// A Gaussian kernel, and the launches of a blur with it.
template <class A>
struct device_blur {
  double sigma;
  index_t radius;
  border rule;

  bool is_tiled() const noexcept {
    constexpr index_t largest = blur_policy::largest_radius(static_cast<index_t>(sizeof(A)));
    return radius <= largest;
  }

  /// Elements of memory for the taps, where they are not a kernel's arguments.
  index_t taps_size() const noexcept { return radius + 1; }

  template <class Device>
  line_taps<A> store_taps(Device const& device, A* to) const {
    gaussian_weights const w(sigma, radius);
    for (index_t first = 0; first <= radius; first += 256) {
      stored_numbers<A> work{};
      work.to = to + first;
      work.count = static_cast<int>(radius + 1 - first < 256 ? radius + 1 - first : 256);
      for (int i = 0; i < work.count; ++i) work.number[i] = static_cast<A>(w[first + i]);
      device.launch(1, work.most_threads, 0, work);
    }
    return {to, radius, rule};
  }

  /// Every blurred pixel into the sink, in one launch; only where is_tiled().
  template <class Device, class T, class Sink>
  void by_tiles(Device const& device, image_view<T const> const& images, Sink const& sink) const {
    gaussian_weights const w(sigma, radius);
    blur_tiles<T, Sink> work{images, sink, {}, {}};
    work.taps.radius = static_cast<int>(radius);
    work.taps.rule = rule;
    for (index_t k = 0; k <= radius; ++k) work.taps.half[k] = static_cast<A>(w[k]);
    work.layout = blur_policy::layout_of(images.extent[0] * images.extent[1], images.extent[2],
                                         images.extent[3], radius, static_cast<index_t>(sizeof(A)));
    device.launch(work.layout.blocks, work.most_threads, work.layout.shared_bytes, work);
  }

  /// The same in two passes, rows first, with a batch of A between them.
  template <class Device, class T, class Sink>
  static void by_lines(Device const& device, line_taps<A> const& taps, image_view<T const> const& images,
                       A* between, Sink const& sink) {
    auto const half = dense_like(images, between);
    pass<axis::rows, false>(device, taps, images, memory_sink<A>{half});
    pass<axis::columns, false>(device, taps, read_only(half), sink);
  }

  /// Every pixel of Aᵀ g into the sink.
  template <class Device, class Sink>
  static void adjoint(Device const& device, line_taps<A> const& taps, image_view<A const> const& g,
                      A* between, Sink const& sink) {
    auto const half = dense_like(g, between);
    pass<axis::rows, true>(device, taps, g, memory_sink<A>{half});
    pass<axis::columns, true>(device, taps, read_only(half), sink);
  }

 private:
  template <axis Along, bool Adjoint, class Device, class T, class Sink>
  static void pass(Device const& device, line_taps<A> const& taps, image_view<T const> const& in,
                   Sink const& sink) {
    blur_lines<T, Sink, Along, Adjoint> const work{in, sink, taps, quad_loop::over(in)};
    device.launch(work.loop.blocks(), work.most_threads, 0, work);
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
