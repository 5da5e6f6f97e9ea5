#pragma once

#include <sage/augment/border.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Sums along one line of an image, of taps anywhere in memory; any radius.
template <class A>
struct line_taps {
  A const* half;  // w_0 … w_radius
  index_t radius;
  border rule;

  /// Σ_k w_|k| line(at + k) of a line of n pixels continued by the border rule.
  template <class Line>
  SAGE_HD A gathered(Line const& line, index_t at, index_t n) const {
    A sum = A(0);
    for (index_t k = -radius; k <= radius; ++k) {
      index_t const i = border_index(at + k, n, rule);
      if (i >= 0) sum += half[k < 0 ? -k : k] * line(i);
    }
    return sum;
  }

  /// The adjoint of `gathered`: what pixel `at` and the coordinates outside that it fills have given to all sums.
  template <class Line>
  SAGE_HD A spread(Line const& line, index_t at, index_t n) const {
    A sum = given(line, at, n);
    for_each_border_coordinate(at, n, radius, rule, [&](index_t c) { sum += given(line, c, n); });
    return sum;
  }

 private:
  template <class Line>
  SAGE_HD A given(Line const& line, index_t c, index_t n) const {
    A sum = A(0);
    index_t const last = c + radius < n - 1 ? c + radius : n - 1;
    for (index_t i = c - radius > 0 ? c - radius : 0; i <= last; ++i)
      sum += half[i < c ? c - i : i - c] * line(i);
    return sum;
  }
};

enum class axis { rows, columns };

/// One pass of a blur, or of its adjoint, along the rows or the columns of a batch: a thread to a pixel, everything
/// through the caches. For radii that are too large for blur_tiles, and for adjoints.
template <class T, class Sink, axis Along, bool Adjoint>
struct blur_lines {
  static constexpr int most_threads = quad_loop::threads;
  using A = accumulator_t<T>;

  image_view<T const> in;
  Sink sink;
  line_taps<A> taps;
  quad_loop loop;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      loop(group, block.number(), block.count(), [&](pixel_quad const& q) {
        for (int k = 0; k < q.count; ++k) {
          auto const [n, c, y, first] = q.first;
          sink(n, c, y, first + k, sum(n, c, y, first + k));
        }
      });
    });
  }

 private:
  SAGE_HD A sum(index_t n, index_t c, index_t y, index_t x) const {
    bool const along_rows = Along == axis::rows;
    T const* const origin = along_rows ? in.row(n, c, y) : in.row(n, c, 0) + x * in.stride[3];
    index_t const stride = along_rows ? in.stride[3] : in.stride[2], at = along_rows ? x : y,
                  size = along_rows ? in.extent[3] : in.extent[2];
    auto const line = [&](index_t i) { return static_cast<A>(origin[i * stride]); };
    if constexpr (Adjoint) {
      return taps.spread(line, at, size);
    } else {
      return taps.gathered(line, at, size);
    }
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
