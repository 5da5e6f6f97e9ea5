#pragma once

#include <sage/augment/blur_plan.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/map_values.hpp>
#include <sage/augment/pair_kernel.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/resample.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/augment/scratch.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/functions.hpp>

namespace sage {

SAGE_ABI_BEGIN
namespace detail {

/// Raw maps of type M into prepared maps of type T; one task per map.
template <class M, class T>
struct map_kernel {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  image_view<M const> in;  // (N,1,h,w)
  image_view<T> out;       // (N,1,H,W)
  T* weights;              // (N) at weight_stride, or null
  index_t weight_stride;
  resampled_axis<A> const& row_axis;
  resampled_axis<A> const& column_axis;
  blur_plan<A> const* smoothing;  // or null
  map_values<A> values;
  index_t rows;    // N
  index_t length;  // H·W

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    index_t const h = in.extent[2], w = in.extent[3], height = out.extent[2], width = out.extent[3];
    index_t const blur_size = smoothing ? length : 0, blur_work = smoothing ? smoothing->scratch() : 0;
    using s = scratch<A>;
    s memory(s::padded(h * w) + s::padded(h * width) + s::padded(length) + s::padded(blur_size) + blur_work);
    A *const raw = memory.take(h * w), *const narrow = memory.take(h * width),
             *const sized = memory.take(length), *const smooth = memory.take(blur_size),
             *const work = memory.take(0);
    for (index_t n = first; n < last; ++n) {
      bool const usable = read(n, raw);
      A* map = sized;
      if (usable) {
        plane<A> const resized{sized, width, height, width, n, 0};
        resample<V>(plane<A const>{raw, w, h, w, n, 0}, row_axis, column_axis, narrow, resized);
        if (smoothing) {
          auto blurred =
              smoothing->template degrade<V>(plane<A const>{sized, width, height, width, n, 0}, work);
          for (index_t y = 0; y < height; ++y) blurred.template row<V>(y, smooth + y * width);
          map = smooth;
        }
      }
      bool const counts = usable && finish(map);
      if (!usable)
        for (index_t i = 0; i < length; ++i) map[i] = A(0);
      for (index_t y = 0; y < height; ++y)
        scatter(static_cast<A const*>(map) + y * width, width, out.row(n, 0, y), out.stride[3], false);
      if (weights) weights[n * weight_stride] = static_cast<T>(counts ? A(1) : A(0));
    }
  }

 private:
  // Copies a raw map; false if it holds an infinity or a NaN.
  SAGE_INLINE bool read(index_t n, A* raw) const {
    index_t const h = in.extent[2], w = in.extent[3];
    bool finite = true;
    for (index_t y = 0; y < h; ++y) {
      gather(in.row(n, 0, y), in.stride[3], w, raw + y * w);
      for (index_t x = 0; x < w; ++x) finite = finite && !is_non_finite(raw[y * w + x]);
    }
    return finite;
  }

  SAGE_INLINE value_range<A> range_of(A const* map) const {
    value_range<A> r{map[0], map[0]};
    for (index_t i = 1; i < length; ++i) r.add(map[i]);
    return r;
  }

  // Normalises, sharpens and inverts in place; false if the map tells nothing.
  bool finish(A* map) const {
    auto const by = values.normalization_of(range_of(map));
    for (index_t i = 0; i < length; ++i) map[i] = values.prepared(map[i], by);
    return values.tells(by, range_of(map));
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
