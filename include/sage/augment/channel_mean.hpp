#pragma once

#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The mean of a plane: rows in the accumulator type, lane by lane; the sums of the rows one step wider.
template <class V, class A>
SAGE_INLINE A plane_mean(plane<A> const& x) {
  using number = std::remove_const_t<A>;
  constexpr int width = lane_traits<V>::width;
  using wide = wide_t<number>;
  wide total = wide(0);
  for (index_t y = 0; y < x.height; ++y) {
    A* const row = x.row(y);
    V lanes_sum(number(0));
    number rest = number(0);
    index_t j = 0;
    for (; j + width <= x.width; j += width) lanes_sum += load_lanes<V>(row + j);
    for (; j < x.width; ++j) rest += row[j];
    number part[width];
    store_lanes<V>(part, lanes_sum);
    for (int l = 0; l < width; ++l) total += wide(part[l]);
    total += wide(rest);
  }
  return static_cast<number>(total / static_cast<wide>(x.height * x.width));
}

}  // namespace detail

/// Degradation: every channel of every image becomes its mean, A(x)_nchw = Σ_hw x_nchw / HW.
///
/// Precision: a row is summed in the accumulator type, the rows one step wider.
struct channel_mean {
  template <class A>
  channel_mean bind(char const*, image_shape const&) const noexcept {
    return *this;
  }

  index_t scratch() const noexcept { return 0; }

  template <class A>
  struct mean_rows {
    A mean;
    index_t width;

    template <class V>
    SAGE_INLINE void row(index_t, A* out) const {
      for (index_t j = 0; j < width; ++j) out[j] = mean;
    }
    template <class V>
    SAGE_INLINE void add_row(index_t, A* out) const {
      for (index_t j = 0; j < width; ++j) out[j] += mean;
    }
  };
  template <class V, class A>
  SAGE_INLINE mean_rows<A> degrade(plane<A const> const& x, A*) const {
    return {detail::plane_mean<V>(x), x.width};
  }
  /// Every pixel moves the mean by 1/HW, and the mean every pixel: Aᵀ g is the mean of g.
  template <class V, class A>
  SAGE_INLINE mean_rows<A> adjoint(plane<A const> const&, plane<A> const& g, A*) const {
    return {detail::plane_mean<V>(g), g.width};
  }
};

SAGE_ABI_END
}  // namespace sage
