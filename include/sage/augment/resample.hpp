#pragma once

#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/tensor/rows.hpp>

#include <cstddef>
#include <type_traits>
#include <vector>

namespace sage {

/// How a map is brought to another size.
///
///   bilinear    between the two nearest pixels' centres, as PyTorch's with align_corners = False (and no
///               antialiasing)
///   area        the exact average over the box that the new pixel covers, as OpenCV's INTER_AREA when
///               shrinking
///   automatic   axis by axis: area when shrinking, bilinear when growing
enum class interpolation { automatic, bilinear, area };

SAGE_ABI_BEGIN
namespace detail {

/// One axis of a resize from n to m pixels: output i is Σ_k weight(i, k) · input[first(i) + k].
struct axis_resize {
  index_t from, to;
  interpolation method;

  SAGE_HD bool by_area() const noexcept {
    return method == interpolation::area || (method == interpolation::automatic && from > to);
  }
  SAGE_HD index_t taps() const noexcept { return by_area() ? quotient(from, to) + 2 : 2; }

  /// Writes the weights of output i, of which there are taps(), and returns first(i).
  template <class A>
  SAGE_HD index_t weights_of(index_t i, A* w) const noexcept {
    for (index_t k = 0; k < taps(); ++k) w[k] = A(0);
    return by_area() ? area(i, w) : bilinear(i, w);
  }

 private:
  // The box [i·n/m, (i+1)·n/m), in units of 1/m pixels, so that its overlap with every pixel is an exact
  // integer.
  template <class A>
  SAGE_HD index_t area(index_t i, A* w) const noexcept {
    index_t const low = i * from, high = low + from, first = quotient(low, to);
    for (index_t k = 0; (first + k) * to < high; ++k) {
      index_t const left = (first + k) * to, right = left + to;
      index_t const overlap = (right < high ? right : high) - (left > low ? left : low);
      w[k] = static_cast<A>(static_cast<double>(overlap) / static_cast<double>(from));
    }
    return first;
  }

  template <class A>
  SAGE_HD index_t bilinear(index_t i, A* w) const noexcept {
    double const ratio = static_cast<double>(from) / static_cast<double>(to);
    double const at = rounded_product(static_cast<double>(i) + 0.5, ratio) - 0.5;
    index_t first = at > 0 ? static_cast<index_t>(at) : 0;
    double right = at > 0 ? at - static_cast<double>(first) : 0;
    if (first >= from - 1) {
      first = from - 1;
      right = 0;
    }
    w[0] = static_cast<A>(1 - right);
    w[1] = static_cast<A>(right);
    return first;
  }
};

/// The weights of all outputs of an axis.
template <class A>
class resampled_axis {
 public:
  resampled_axis(index_t from, index_t to, interpolation method)
      : taps_(axis_resize{from, to, method}.taps()),
        first_(static_cast<std::size_t>(to)),
        weight_(static_cast<std::size_t>(to * taps_)) {
    axis_resize const axis{from, to, method};
    for (index_t i = 0; i < to; ++i)
      first_[static_cast<std::size_t>(i)] = axis.weights_of(i, weight_.data() + i * taps_);
  }

  index_t taps() const noexcept { return taps_; }
  index_t first(index_t i) const noexcept { return first_[static_cast<std::size_t>(i)]; }
  A const* weights(index_t i) const noexcept { return weight_.data() + i * taps_; }

 private:
  index_t taps_;
  std::vector<index_t> first_;
  std::vector<A> weight_;
};

/// Resizes a plane: columns of every row into `narrow` (h × W), then rows into `to` (H × W).
template <class V, class A>
SAGE_INLINE void resample(plane<A const> const& from, resampled_axis<A> const& rows,
                          resampled_axis<A> const& columns, A* narrow, plane<A> const& to) {
  for (index_t y = 0; y < from.height; ++y)
    for (index_t x = 0; x < to.width; ++x) {
      A const *const row = from.row(y) + columns.first(x), *const w = columns.weights(x);
      A sum = w[0] * row[0];
      for (index_t k = 1; k < columns.taps(); ++k)
        if (w[k] != A(0)) sum += w[k] * row[k];  // a tap beyond the edge has weight zero and is not read
      narrow[y * to.width + x] = sum;
    }
  for (index_t y = 0; y < to.height; ++y) {
    A* const out = to.row(y);
    A const* const w = rows.weights(y);
    for (index_t k = 0; k < rows.taps(); ++k) {
      if (k > 0 && !(w[k] != A(0))) continue;
      A const* const row = narrow + (rows.first(y) + k) * to.width;
      sweep<V>(to.width, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
        P const part = P(w[k]) * load_lanes<P>(row + j);
        store_lanes<P>(out + j, k == 0 ? part : load_lanes<P>(out + j) + part);
      });
    }
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
