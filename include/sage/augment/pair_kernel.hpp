#pragma once

#include <sage/augment/image_view.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/augment/scratch.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Row y of an image or map as neighbouring accumulators: the row itself, or a converted copy of it in
/// `copy`.
template <class A, class T>
SAGE_INLINE A const* dense_row(image_view<T const> const& v, index_t n, index_t c, index_t y, A* copy) {
  T const* const row = v.row(n, c, y);
  if constexpr (std::is_same_v<T, A>)
    if (v.has_dense_rows()) return row;
  gather(row, v.stride[3], v.extent[3], copy);
  return copy;
}

/// A plane of an image with dense rows: the image itself, or a converted copy of it in `copy`.
template <class A, class T>
SAGE_INLINE plane<A const> dense_plane(image_view<T const> const& v, index_t n, index_t c, A* copy) {
  index_t const height = v.extent[2], width = v.extent[3];
  if constexpr (std::is_same_v<T, A>)
    if (v.has_dense_rows()) return {v.row(n, c, 0), v.stride[2], height, width, n, c};
  for (index_t y = 0; y < height; ++y) gather(v.row(n, c, y), v.stride[3], width, copy + y * width);
  return {copy, width, height, width, n, c};
}

/// Does dense_plane need its copy?
template <class A, class T>
bool needs_copy(image_view<T> const& v) noexcept {
  return !std::is_same_v<std::remove_const_t<T>, A> || !v.has_dense_rows();
}

/// Row y of a degraded plane: where the degradation keeps it, or else written to `copy`. soon(i) may be told, before
/// long computations, that results for element i of the plane, in the order of its rows, are going to follow.
template <class V, class A, class Rows, class F = no_work>
SAGE_INLINE A const* degraded_row(Rows& rows, index_t y, A* copy, F const& soon = {}) {
  if constexpr (requires { rows.template stored_row<V>(y, soon); }) {
    return rows.template stored_row<V>(y, soon);
  } else {
    rows.template row<V>(y, copy);
    return copy;
  }
}

/// out = s·u + (1 − s)·v, each product rounded: exact at s = 0 and s = 1 for finite u and v.
template <class V, class A>
SAGE_INLINE void blend(A const* s, A const* u, A const* v, index_t n, A* out) {
  sweep<V>(n, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
    P const a = load_lanes<P>(s + j);
    store_lanes<P>(out + j, rounded_product(a, load_lanes<P>(u + j)) +
                                rounded_product(P(A(1)) - a, load_lanes<P>(v + j)));
  });
}

/// s·u + (1 − s)·v and s·v + (1 − s)·u.
template <class V, class A>
SAGE_INLINE void blend_both(A const* s, A const* u, A const* v, index_t n, A* out, A* reverse) {
  sweep<V>(n, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
    P const a = load_lanes<P>(s + j), b = P(A(1)) - a, x = load_lanes<P>(u + j), y = load_lanes<P>(v + j);
    store_lanes<P>(out + j, rounded_product(a, x) + rounded_product(b, y));
    store_lanes<P>(reverse + j, rounded_product(a, y) + rounded_product(b, x));
  });
}

/// x⁺ and x⁻ of N·C planes; one task per plane.
template <class T, class Bound>
struct pair_kernel {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  Bound const& degradation;
  image_view<T const> images, maps;
  image_view<T> plus, minus;
  index_t rows;    // N·C
  index_t length;  // H·W

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    index_t const width = images.extent[3];
    bool const copied = needs_copy<A>(images);
    scratch<A> memory(4 * scratch<A>::padded(width) + scratch<A>::padded(copied ? length : 0) +
                      degradation.scratch());
    A *const degraded = memory.take(width), *const map = memory.take(width), *const up = memory.take(width),
             *const down = memory.take(width), *const copy = memory.take(copied ? length : 0),
             *const work = memory.take(0);
    for (index_t i = first; i < last; ++i) {
      index_t const n = i / images.extent[1], c = i % images.extent[1];
      plane<A const> const x = dense_plane(images, n, c, copy);
      T const* const from_map = rows_in_sequence(maps, n, 0);
      T *const to_plus = rows_in_sequence(plus, n, c), *const to_minus = rows_in_sequence(minus, n, c);
      auto degrade = degradation.template degrade<V>(x, work);
      for (index_t y = 0; y < x.height; ++y) {
        A const* const a = degraded_row<V>(degrade, y, degraded, [&](index_t at) SAGE_INLINE_LAMBDA {
          if (from_map != nullptr) prefetch_element<2>(from_map, at);
          if (to_plus != nullptr) prefetch_element<2>(to_plus, at);
          if (to_minus != nullptr) prefetch_element<2>(to_minus, at);
        });
        A const* const s = dense_row(maps, n, 0, y, map);
        A *const more = target(plus, n, c, y, up), *const less = target(minus, n, c, y, down);
        blend_both<V>(s, x.row(y), a, width, more, less);
        if (more == up) write(plus, n, c, y, up);
        if (less == down) write(minus, n, c, y, down);
      }
    }
  }

 private:
  // A plane whose rows follow one another without a gap, or null.
  template <class U>
  SAGE_INLINE static U* rows_in_sequence(image_view<U> const& v, index_t n, index_t c) {
    return v.data != nullptr && v.stride[3] == 1 && v.stride[2] == v.extent[3] ? v.row(n, c, 0) : nullptr;
  }

  // Where row y of a result is computed: in its place or, if it has none of neighbouring accumulators, in `copy`.
  SAGE_INLINE static A* target(image_view<T> const& to, index_t n, index_t c, index_t y, A* copy) {
    if constexpr (std::is_same_v<T, A>)
      if (to.data != nullptr && to.has_dense_rows()) return to.row(n, c, y);
    return copy;
  }

  SAGE_INLINE static void write(image_view<T> const& to, index_t n, index_t c, index_t y, A const* copy) {
    if (to.data != nullptr) scatter(copy, to.extent[3], to.row(n, c, y), to.stride[3], false);
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
