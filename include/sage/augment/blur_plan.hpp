#pragma once

#include <sage/augment/blur_loops.hpp>
#include <sage/augment/border.hpp>
#include <sage/augment/gaussian_weights.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/row_lanes.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/augment/scratch.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <algorithm>
#include <cstddef>
#include <type_traits>
#include <vector>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// A Gaussian kernel for images of one size: weights and border positions, made once per call.
///
/// A(x) = B_H x B_Wᵀ with the banded matrices B of the kernel and its border rule, the adjoint B_Hᵀ g B_W. Both passes
/// run along lines that lie side by side in a buffer, a lane to each, continued at both ends: columns as they are, rows
/// transposed. The adjoint's lines are continued by zeros, and what their ends receive is folded back.
template <class A>
class blur_plan {
 public:
  blur_plan(double sigma, index_t radius, border rule, index_t height, index_t width)
      : radius_(radius),
        height_(height),
        width_(width),
        pitch_((rounded_up(width, strip) / strip | 1) * strip),
        band_(band_of(height, pitch_)),
        weight_(static_cast<std::size_t>(radius + 1)),
        row_index_(border_positions(radius, height, rule)),
        column_index_(border_positions(radius, width, rule)) {
    gaussian_weights const w(sigma, radius);
    for (index_t k = 0; k <= radius; ++k) weight_[static_cast<std::size_t>(k)] = static_cast<A>(w[k]);
  }

  index_t scratch() const noexcept { return (band_ + strip) * pitch_ + 2 * buffer(); }

  /// The blurred rows of one plane, asked for in their order.
  struct blurred_rows {
    blur_plan const& plan;
    plane<A const> x;
    A *band, *group, *buffer;
    index_t band_start = 0, band_end = 0;    // rows that the vertical pass has made
    index_t group_start = 0, group_end = 0;  // rows that are finished

    /// Where row y stands until the next is asked for. soon(i) is told of the elements of the plane that are worked on,
    /// while there is time to fetch what belongs to them.
    template <class V, class F>
    SAGE_INLINE A const* stored_row(index_t y, F const& soon) {
      if (y >= band_end) {
        band_start = y;
        band_end = std::min(y + plan.band_, x.height);
        plan.template blur_columns<V>(x, band_start, band_end - band_start, buffer, band);
      }
      if (y >= group_end) {
        group_start = y;
        group_end = std::min(y + lane_traits<V>::width, band_end);
        fetching_ahead<V, F> const meanwhile{*this, soon, y * x.width, (plan.band_ + plan.radius_) * x.width};
        plan.template blur_rows<V>(band + (y - band_start) * plan.pitch_, group_end - y, buffer, group,
                                   meanwhile);
      }
      return group + (y - group_start) * plan.pitch_;
    }

    template <class V>
    SAGE_INLINE void row(index_t y, A* out) {
      A const* const from = stored_row<V>(y, no_work{});
      sweep<V>(x.width, [&]<class P>(std::type_identity<P>, index_t j)
                            SAGE_INLINE_LAMBDA { store_lanes<P>(out + j, load_lanes<P>(from + j)); });
    }
  };

  template <class V>
  SAGE_INLINE blurred_rows degrade(plane<A const> const& x, A* memory) const {
    A *const group = memory + band_ * pitch_, *const buffer = group + strip * pitch_;
    return {*this, x, memory, group, buffer};
  }

  /// The rows of Aᵀ g, asked for in their order; `g` has been through the vertical pass already.
  struct adjoint_rows {
    blur_plan const& plan;
    plane<A const> g;
    A *group, *buffer;
    index_t group_start = 0, group_end = 0;

    template <class V>
    SAGE_INLINE void add_row(index_t y, A* out) {
      if (y >= group_end) {
        group_start = y;
        group_end = std::min(y + lane_traits<V>::width, g.height);
        plan.template spread_rows<V>(g, y, group_end - y, buffer, group);
      }
      A const* const from = group + (y - group_start) * plan.pitch_;
      sweep<V>(g.width, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
        store_lanes<P>(out + j, load_lanes<P>(out + j) + load_lanes<P>(from + j));
      });
    }
  };

  /// Overwrites g with its vertical pass.
  template <class V>
  SAGE_INLINE adjoint_rows adjoint(plane<A const> const&, plane<A> const& g, A* memory) const {
    A* const buffer = memory + strip * pitch_;
    spread_columns<V>(g, buffer);
    return {*this, plane<A const>{g.data, g.pitch, g.height, g.width, g.sample, g.channel}, memory, buffer};
  }

 private:
  // Elements of a cache line: the columns that pass through the buffer together, and the most rows that do.
  static constexpr index_t strip = detail::scratch<A>::padded(1);

  // The vertical pass runs ahead of the horizontal by at most these bytes, and both stay in a second cache of 512 KiB
  // beside as many rows of the image, the map and the results.
  static constexpr index_t band_bytes = index_t(80) << 10;

  /// Asks for memory while a group of rows is in the horizontal pass: the image where the next band's vertical pass will
  /// read, in the next plane if planes follow one another, and what the caller has for this group.
  template <class V, class F>
  struct fetching_ahead {
    blurred_rows const& rows;
    F const& soon;
    index_t first, ahead;  // the element where the group begins; how far the next band's begin from there

    SAGE_INLINE void operator()(index_t block) const {
      constexpr index_t lines = std::max(lane_traits<V>::width * blur_block / strip, index_t(1));
      for (index_t i = first + block * lines * strip, k = 0; k < lines; ++k, i += strip) {
        soon(i);
        if (rows.x.pitch == rows.x.width) prefetch_element<2>(rows.x.data, i + ahead);
      }
    }
  };

  SAGE_INLINE static index_t rounded_up(index_t n, index_t to) noexcept { return (n + to - 1) / to * to; }

  static std::vector<index_t> border_positions(index_t radius, index_t n, border rule) {
    std::vector<index_t> index(static_cast<std::size_t>(n + 2 * radius));
    if (n > 0)
      for (index_t c = -radius; c < n + radius; ++c)
        index[static_cast<std::size_t>(c + radius)] = border_index(c, n, rule);
    return index;
  }

  // The plane in equal parts.
  static index_t band_of(index_t height, index_t pitch) noexcept {
    index_t const most = std::max(band_bytes / static_cast<index_t>(sizeof(A)) / pitch, strip),
                  bands = std::max((height + most - 1) / most, index_t(1));
    return rounded_up((height + bands - 1) / bands, strip);
  }

  // Elements of a buffer of lines: the longest, with what the adjoint puts around it, in whole blocks.
  SAGE_INLINE index_t buffer() const noexcept {
    return (std::max(height_, width_) + 4 * radius_ + 2 * blur_block) * strip;
  }

  template <class V>
  SAGE_INLINE static void clear(A* to, index_t n) {
    for (index_t i = 0; i < n; i += lane_traits<V>::width) store_lanes<V>(to + i, zero_lanes<V>());
  }

  // Packs of the strip that begins at column j.
  template <class V>
  SAGE_INLINE index_t packs_from(index_t j) const {
    return (std::min(width_ - j, strip) + lane_traits<V>::width - 1) / lane_traits<V>::width;
  }

  // The columns j … of a row: zeros beyond the image.
  template <class V>
  SAGE_INLINE static void load_strip(A const* row, index_t j, index_t width, A* to) {
    if (j + strip <= width) {
      SAGE_UNROLL
      for (index_t p = 0; p < strip; p += lane_traits<V>::width)
        store_lanes<V>(to + p, load_lanes<V>(row + j + p));
    } else {
      for (index_t p = 0; p < strip; ++p) to[p] = j + p < width ? row[j + p] : A(0);
    }
  }

  // The vertical pass of the rows y … y + rows − 1. (What does not change has names of its own: after a store through a
  // vector, a compiler reads members again.)
  template <class V>
  SAGE_INLINE void blur_columns(plane<A const> const& x, index_t y, index_t rows, A* buffer, A* to) const {
    index_t const n = rounded_up(rows, blur_block), lines = rows + 2 * radius_, width = width_,
                  pitch = x.pitch;
    index_t const* const index = row_index_.data() + y;
    A const* const image = x.data;
    for (index_t j = 0; j < width; j += strip) {
      for (index_t c = 0; c < lines; ++c) {
        index_t const from = index[c];
        if (from < 0) {
          clear<V>(buffer + c * strip, strip);
        } else {
          load_strip<V>(image + from * pitch, j, width, buffer + c * strip);
          prefetch_element<1>(image + from * pitch, j + strip);
        }
      }
      clear<V>(buffer + lines * strip, (n - rows) * strip);
      blur_lines_of<V, strip>(weight_.data(), radius_, buffer + radius_ * strip, n, packs_from<V>(j), to + j,
                              pitch_);
    }
  }

  // The horizontal pass of a group of rows, at most as many as a pack has lanes.
  template <class V, class F>
  SAGE_INLINE void blur_rows(A const* from, index_t rows, A* buffer, A* to, F const& meanwhile) const {
    constexpr index_t width = lane_traits<V>::width;
    index_t const n = rounded_up(width_, blur_block);
    A *const lines = buffer + radius_ * width, *const sums = buffer + this->buffer();
    rows_to_lanes<V>(from, pitch_, rows, width_, lines);
    for (index_t c = 0; c < radius_; ++c) {
      pad<V>(lines, c - radius_);
      pad<V>(lines, width_ + c);
    }
    clear<V>(lines + (width_ + radius_) * width, (n - width_) * width);
    blur_lines_of<V, width>(weight_.data(), radius_, lines, n, 1, sums, width, meanwhile);
    lanes_to_rows<V>(sums, to, pitch_, width_);
  }

  // What stands at the coordinate c outside of the lines.
  template <class V>
  SAGE_INLINE void pad(A* lines, index_t c) const {
    constexpr index_t width = lane_traits<V>::width;
    index_t const from = column_index_[static_cast<std::size_t>(c + radius_)];
    store_lanes<V>(lines + c * width, from < 0 ? zero_lanes<V>() : load_lanes<V>(lines + from * width));
  }

  // The adjoint of the vertical pass, in place.
  template <class V>
  SAGE_INLINE void spread_columns(plane<A> const& g, A* buffer) const {
    A* const sums = buffer + this->buffer();
    index_t const n = rounded_up(height_ + 2 * radius_, blur_block);
    for (index_t j = 0; j < width_; j += strip) {
      clear<V>(buffer, 2 * radius_ * strip);
      for (index_t y = 0; y < height_; ++y)
        load_strip<V>(g.row(y), j, width_, buffer + (2 * radius_ + y) * strip);
      clear<V>(buffer + (2 * radius_ + height_) * strip, (n - height_) * strip);
      index_t const packs = packs_from<V>(j), columns = std::min(width_ - j, strip);
      blur_lines_of<V, strip>(weight_.data(), radius_, buffer + radius_ * strip, n, packs, sums, strip);
      fold<V, strip>(sums, packs, height_, row_index_.data());
      for (index_t y = 0; y < height_; ++y) {
        A const* const from = sums + (radius_ + y) * strip;
        A* const to = g.row(y) + j;
        sweep<V>(columns, [&]<class P>(std::type_identity<P>, index_t p)
                              SAGE_INLINE_LAMBDA { store_lanes<P>(to + p, load_lanes<P>(from + p)); });
      }
    }
  }

  // The adjoint of the horizontal pass of a group of rows.
  template <class V>
  SAGE_INLINE void spread_rows(plane<A const> const& g, index_t y, index_t rows, A* buffer, A* to) const {
    constexpr index_t width = lane_traits<V>::width;
    A *const lines = buffer + 2 * radius_ * width, *const sums = buffer + this->buffer();
    index_t const n = rounded_up(width_ + 2 * radius_, blur_block);
    clear<V>(buffer, 2 * radius_ * width);
    rows_to_lanes<V>(g.row(y), g.pitch, rows, width_, lines);
    clear<V>(lines + width_ * width, (n - width_) * width);
    blur_lines_of<V, width>(weight_.data(), radius_, buffer + radius_ * width, n, 1, sums, width);
    fold<V, width>(sums, 1, width_, column_index_.data());
    lanes_to_rows<V>(sums + radius_ * width, to, pitch_, width_);
  }

  // Adds what the coordinates outside of n positions have received to the positions that stand there.
  template <class V, index_t Pitch>
  SAGE_INLINE void fold(A* sums, index_t packs, index_t n, index_t const* index) const {
    for (index_t side = 0; side <= n + radius_; side += n + radius_)
      for (index_t c = side; c < side + radius_; ++c)
        for (index_t p = 0; index[c] >= 0 && p < packs * lane_traits<V>::width; p += lane_traits<V>::width) {
          A* const at = sums + (index[c] + radius_) * Pitch + p;
          store_lanes<V>(at, load_lanes<V>(at) + load_lanes<V>(sums + c * Pitch + p));
        }
  }

  index_t radius_, height_, width_;
  index_t pitch_;          // elements between rows: an odd number of cache lines, so that a column of them
                           // finds room in the first cache
  index_t band_;           // rows that the vertical pass makes before the horizontal
  std::vector<A> weight_;  // w_0 … w_radius
  std::vector<index_t> row_index_;     // of the coordinates −radius … H + radius − 1
  std::vector<index_t> column_index_;  // of the coordinates −radius … W + radius − 1
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
