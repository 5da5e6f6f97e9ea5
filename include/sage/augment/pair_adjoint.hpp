#pragma once

#include <sage/augment/arguments.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/pair_kernel.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/augment/scratch.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The gradients of N images and maps; one task per image, whose channels add to the map's gradient in their
/// order.
///
///   d_x = s⊙d⁺ + (1−s)⊙d⁻ + Aᵀ( (1−s)⊙d⁺ + s⊙d⁻ ),    d_s = Σ_c (x − A(x))⊙(d⁺ − d⁻)
template <class T, class Bound>
struct pair_adjoint {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  Bound const& degradation;
  image_view<T const> images, maps, d_plus, d_minus;  // a null view of an upstream is a zero
  image_gradient<T> d_images, d_maps;
  index_t rows;    // N
  index_t length;  // C·H·W

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    index_t const width = images.extent[3], size = images.extent[2] * width;
    bool const to_images = d_images.mode != gradient_mode::skip, to_maps = d_maps.mode != gradient_mode::skip;
    index_t const of_x = needs_copy<A>(images) ? size : 0, of_g = to_images ? size : 0,
                  of_s = to_maps ? size : 0;
    using s = scratch<A>;
    s memory(5 * s::padded(width) + s::padded(of_x) + s::padded(of_g) + s::padded(of_s) +
             degradation.scratch());
    buffers b;
    b.map = memory.take(width);
    b.up = memory.take(width);
    b.down = memory.take(width);
    b.out = memory.take(width);
    b.zeros = memory.take(width);
    b.x = memory.take(of_x);
    b.g = memory.take(of_g);
    b.d_map = memory.take(of_s);
    b.work = memory.take(0);
    for (index_t j = 0; j < width; ++j) b.zeros[j] = A(0);
    for (index_t n = first; n < last; ++n) {
      for (index_t j = 0; j < of_s; ++j) b.d_map[j] = A(0);
      for (index_t c = 0; c < images.extent[1]; ++c) {
        plane<A const> const x = dense_plane(images, n, c, b.x);
        if (to_maps) add_map_gradient<V>(x, b);
        if (to_images) write_image_gradient<V>(x, b);
      }
      for (index_t y = 0; to_maps && y < images.extent[2]; ++y)
        write_row(d_maps, n, 0, y, b.d_map + y * width);
    }
  }

 private:
  struct buffers {
    A *map, *up, *down, *out, *zeros;  // rows
    A *x, *g, *d_map;                  // planes
    A* work;
  };

  SAGE_INLINE A const* upstream(image_view<T const> const& d, plane<A const> const& x, index_t y, A* copy,
                                A const* zeros) const {
    return d.data == nullptr ? zeros : dense_row(d, x.sample, x.channel, y, copy);
  }

  template <class V>
  SAGE_INLINE void add_map_gradient(plane<A const> const& x, buffers const& b) const {
    auto degrade = degradation.template degrade<V>(x, b.work);
    for (index_t y = 0; y < x.height; ++y) {
      A const* const a = degraded_row<V>(degrade, y, b.out);
      A const *const up = upstream(d_plus, x, y, b.up, b.zeros), *const down =
                                                                     upstream(d_minus, x, y, b.down, b.zeros);
      A const* const row = x.row(y);
      A* const sum = b.d_map + y * x.width;
      sweep<V>(x.width, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
        P const lost = load_lanes<P>(row + j) - load_lanes<P>(a + j);
        store_lanes<P>(sum + j,
                       load_lanes<P>(sum + j) + lost * (load_lanes<P>(up + j) - load_lanes<P>(down + j)));
      });
    }
  }

  template <class V>
  SAGE_INLINE void write_image_gradient(plane<A const> const& x, buffers const& b) const {
    plane<A> const g{b.g, x.width, x.height, x.width, x.sample, x.channel};
    for (index_t y = 0; y < x.height; ++y)
      blend<V>(dense_row(maps, x.sample, 0, y, b.map), upstream(d_minus, x, y, b.down, b.zeros),
               upstream(d_plus, x, y, b.up, b.zeros), x.width, g.row(y));
    auto adjoint = degradation.template adjoint<V>(x, g, b.work);
    for (index_t y = 0; y < x.height; ++y) {
      blend<V>(dense_row(maps, x.sample, 0, y, b.map), upstream(d_plus, x, y, b.up, b.zeros),
               upstream(d_minus, x, y, b.down, b.zeros), x.width, b.out);
      adjoint.template add_row<V>(y, b.out);
      write_row(d_images, x.sample, x.channel, y, b.out);
    }
  }

  SAGE_INLINE static void write_row(image_gradient<T> const& d, index_t n, index_t c, index_t y,
                                    A const* from) {
    scatter(from, d.to.extent[3], d.to.row(n, c, y), d.to.stride[3], d.mode == gradient_mode::add);
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
