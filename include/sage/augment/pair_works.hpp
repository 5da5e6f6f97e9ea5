#pragma once

#include <sage/augment/arguments.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>

#include <concepts>
#include <type_traits>

/// What the blocks of a GPU do for a pair whose degraded image is known at every pixel: by itself, from the mean of its
/// plane, or from memory. `degraded(quad, x, a)` gives it.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// What a bound degradation has for a device: a pixel at a time, or four, as the noise, which has four deviates from one
/// counter.
template <class Bound, class A>
concept degrades_quads = requires(Bound const& b, A const (&x)[4], A (&a)[4]) {
  b.pixels(x, pixel_position{}, a);
};
template <class Bound, class A>
concept degrades_pixels = requires(Bound const& b, A x) {
  { b.pixel(x, pixel_position{}) } -> std::same_as<A>;
};
template <class Bound, class A>
concept has_pixel_adjoint = requires(Bound const& b, A x) {
  { b.pixel_adjoint(x, x, pixel_position{}) } -> std::same_as<A>;
};

SAGE_HD inline pixel_position pixel_of(pixel_quad const& q, int k) noexcept {
  return {q.first.sample, q.first.channel, q.first.row, q.first.column + k};
}

/// A pixel from itself and its position.
template <class Bound>
struct degraded_by_pixel {
  static_assert(std::is_trivially_copyable_v<Bound>,
                "sage: what a degradation binds is copied to the device: it must be trivially copyable");
  Bound bound;

  template <class A>
  SAGE_HD void operator()(pixel_quad const& q, A const (&x)[4], A (&a)[4]) const {
    if constexpr (degrades_quads<Bound, A>) {
      bound.pixels(x, q.first, a);
    } else {
      for (int k = 0; k < 4; ++k) a[k] = k < q.count ? bound.pixel(x[k], pixel_of(q, k)) : A(0);
    }
  }
};
template <class Bound>
struct adjoint_by_pixel {
  Bound bound;

  template <class A>
  SAGE_HD void operator()(pixel_quad const& q, A const (&x)[4], A const (&g)[4], A (&out)[4]) const {
    for (int k = 0; k < 4; ++k) out[k] = k < q.count ? bound.pixel_adjoint(x[k], g[k], pixel_of(q, k)) : A(0);
  }
};

/// One number for a plane: its mean, or in the adjoint that of its gradient.
template <class A>
struct mean_of_plane {
  A const* means;
  index_t channels;

  SAGE_HD void operator()(pixel_quad const& q, A const (&)[4], A (&a)[4]) const {
    for (int k = 0; k < 4; ++k) a[k] = means[q.first.sample * channels + q.first.channel];
  }
  SAGE_HD void operator()(pixel_quad const& q, A const (&x)[4], A const (&)[4], A (&out)[4]) const {
    (*this)(q, x, out);
  }
};

template <class A>
struct degraded_in_memory {
  image_view<A const> at;

  SAGE_HD void operator()(pixel_quad const& q, A const (&)[4], A (&a)[4]) const { load_quad(at, q, a); }
};

/// The map's quad, whatever the channel.
template <class T, class A>
SAGE_HD void load_map(image_view<T const> const& maps, pixel_quad q, A (&s)[4]) {
  q.first.channel = 0;
  load_quad(maps, q, s);
}

/// x⁺ and x⁻.
template <class T, class Degraded>
struct pair_work {
  static constexpr int most_threads = quad_loop::threads;
  using A = accumulator_t<T>;

  image_view<T const> images, maps;
  image_view<T> plus, minus;
  Degraded degraded;
  quad_loop loop;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      loop(group, block.number(), block.count(), [&](pixel_quad const& q) {
        A x[4], s[4], a[4], out[4];
        load_quad(images, q, x);
        load_map(maps, q, s);
        degraded(q, x, a);
        if (plus.data != nullptr) {
          for (int k = 0; k < 4; ++k) out[k] = blended(s[k], x[k], a[k]);
          store_quad(plus, q, out);
        }
        if (minus.data != nullptr) {
          for (int k = 0; k < 4; ++k) out[k] = blended(s[k], a[k], x[k]);
          store_quad(minus, q, out);
        }
      });
    });
  }
};

/// What a blur does with a blurred pixel: x⁺ and x⁻ of it.
template <class T>
struct pair_sink {
  using A = accumulator_t<T>;
  image_view<T const> images, maps;
  image_view<T> plus, minus;

  SAGE_HD void operator()(index_t n, index_t c, index_t y, index_t x, A a) const {
    A const v = static_cast<A>(images.row(n, c, y)[x * images.stride[3]]),
            s = static_cast<A>(maps.row(n, 0, y)[x * maps.stride[3]]);
    if (plus.data != nullptr) plus.row(n, c, y)[x * plus.stride[3]] = static_cast<T>(blended(s, v, a));
    if (minus.data != nullptr) minus.row(n, c, y)[x * minus.stride[3]] = static_cast<T>(blended(s, a, v));
  }
};

/// Or it goes to memory.
template <class A>
struct memory_sink {
  image_view<A> to;

  SAGE_HD void operator()(index_t n, index_t c, index_t y, index_t x, A a) const {
    to.row(n, c, y)[x * to.stride[3]] = a;
  }
};

/// The upstream gradients d⁺ and d⁻; a null view is a zero.
template <class T>
struct pair_upstream {
  using A = accumulator_t<T>;
  image_view<T const> maps, plus, minus;

  SAGE_HD static void load(image_view<T const> const& d, pixel_quad const& q, A (&to)[4]) {
    if (d.data != nullptr) {
      load_quad(d, q, to);
    } else {
      for (int k = 0; k < 4; ++k) to[k] = A(0);
    }
  }
  /// What reaches x directly, s⊙d⁺ + (1−s)⊙d⁻, and what reaches A(x), (1−s)⊙d⁺ + s⊙d⁻.
  SAGE_HD void operator()(pixel_quad const& q, A (&direct)[4], A (&through)[4]) const {
    A s[4], up[4], down[4];
    load_map(maps, q, s);
    load(plus, q, up);
    load(minus, q, down);
    for (int k = 0; k < 4; ++k) {
      direct[k] = blended(s[k], up[k], down[k]);
      through[k] = blended(s[k], down[k], up[k]);
    }
  }
};

/// d_s = Σ_c (x − A(x))⊙(d⁺ − d⁻), the channels in their order.
template <class T, class Degraded>
struct map_gradient_work {
  static constexpr int most_threads = quad_loop::threads;
  using A = accumulator_t<T>;

  image_view<T const> images;
  pair_upstream<T> upstream;
  image_gradient<T> d_maps;
  Degraded degraded;
  quad_loop loop;  // over maps

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      loop(group, block.number(), block.count(), [&](pixel_quad q) {
        A sum[4] = {A(0), A(0), A(0), A(0)};
        for (q.first.channel = 0; q.first.channel < images.extent[1]; ++q.first.channel) {
          A x[4], a[4], up[4], down[4];
          load_quad(images, q, x);
          degraded(q, x, a);
          upstream.load(upstream.plus, q, up);
          upstream.load(upstream.minus, q, down);
          for (int k = 0; k < 4; ++k) sum[k] += (x[k] - a[k]) * (up[k] - down[k]);
        }
        q.first.channel = 0;
        store_quad(d_maps.to, q, sum, d_maps.mode == gradient_mode::add);
      });
    });
  }
};

/// d_x = s⊙d⁺ + (1−s)⊙d⁻ + Aᵀ( (1−s)⊙d⁺ + s⊙d⁻ ), where `adjoint(quad, x, g, out)` is Aᵀ g.
template <class T, class Adjoint>
struct image_gradient_work {
  static constexpr int most_threads = quad_loop::threads;
  using A = accumulator_t<T>;

  image_view<T const> images;
  pair_upstream<T> upstream;
  image_gradient<T> d_images;
  Adjoint adjoint;
  quad_loop loop;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      loop(group, block.number(), block.count(), [&](pixel_quad const& q) {
        A x[4], direct[4], through[4], out[4];
        load_quad(images, q, x);
        upstream(q, direct, through);
        adjoint(q, x, through, out);
        for (int k = 0; k < 4; ++k) out[k] = direct[k] + out[k];
        store_quad(d_images.to, q, out, d_images.mode == gradient_mode::add);
      });
    });
  }
};

/// d_x of a blur, whose Aᵀ g comes pixel by pixel.
template <class T>
struct image_gradient_sink {
  using A = accumulator_t<T>;
  pair_upstream<T> upstream;
  image_gradient<T> d_images;

  SAGE_HD void operator()(index_t n, index_t c, index_t y, index_t x, A a) const {
    pixel_quad const q{{n, c, y, x}, 1};
    A direct[4], through[4];
    upstream(q, direct, through);
    A const out[4] = {direct[0] + a, A(0), A(0), A(0)};
    store_quad(d_images.to, q, out, d_images.mode == gradient_mode::add);
  }
};

/// g = (1−s)⊙d⁺ + s⊙d⁻ as the source of plane_means, and into memory.
template <class T>
struct through_source {
  using A = accumulator_t<T>;
  pair_upstream<T> upstream;

  SAGE_HD void operator()(pixel_quad const& q, A (&g)[4]) const {
    A direct[4];
    upstream(q, direct, g);
    for (int k = q.count; k < 4; ++k) g[k] = A(0);
  }
};
template <class T>
struct image_source {
  image_view<T const> images;

  SAGE_HD void operator()(pixel_quad const& q, accumulator_t<T> (&x)[4]) const { load_quad(images, q, x); }
};

template <class T>
struct through_work {
  static constexpr int most_threads = quad_loop::threads;

  through_source<T> source;
  image_view<accumulator_t<T>> to;
  quad_loop loop;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      loop(group, block.number(), block.count(), [&](pixel_quad const& q) {
        accumulator_t<T> g[4];
        source(q, g);
        store_quad(to, q, g);
      });
    });
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
