#pragma once

#include <sage/augment/blur_loops.hpp>
#include <sage/augment/border.hpp>
#include <sage/augment/gaussian_weights.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/augment/scratch.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>

#include <cstddef>
#include <vector>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Rows around row y of a plane continued by a border rule.
template <class A>
struct bordered_rows {
  plane<A const> const& x;
  index_t const* index;  // of the coordinates y − radius … y + radius at index[0 … 2·radius]
  index_t radius;
  A const* zeros;

  SAGE_INLINE A const* row(index_t k) const noexcept {
    index_t const y = index[k + radius];
    return y < 0 ? zeros : x.row(y);
  }
};

/// Rows around coordinate y of a plane that is zero outside.
template <class A>
struct lone_rows {
  plane<A const> const& x;
  index_t y;
  A const* zeros;

  SAGE_INLINE A const* row(index_t k) const noexcept {
    return y + k < 0 || y + k >= x.height ? zeros : x.row(y + k);
  }
};

/// A Gaussian kernel for images of one size: weights and border positions, made once per call.
///
/// A(x) = B_H x B_Wᵀ with the banded matrices B of the kernel and its border rule. Row by row: a vertical
/// pass into a padded row, then a horizontal pass; no plane in between. The adjoint B_Hᵀ g B_W spreads into
/// the padding and folds it back.
template <class A>
class blur_plan {
 public:
  blur_plan(double sigma, index_t radius, border rule, index_t height, index_t width)
      : radius_(radius),
        width_(width),
        weight_(static_cast<std::size_t>(2 * radius + 1)),
        row_index_(border_positions(radius, height, rule)),
        column_index_(border_positions(radius, width, rule)) {
    gaussian_weights const w(sigma, radius);
    for (index_t k = -radius; k <= radius; ++k)
      weight_[static_cast<std::size_t>(k + radius)] = static_cast<A>(w[k]);
  }

  index_t scratch() const noexcept {
    return blur_block * pitch() + detail::scratch<A>::padded(width_ + 4 * radius_) +
           detail::scratch<A>::padded(width_);
  }

  /// The blurred rows of one plane, asked for in their order.
  struct blurred_rows {
    blur_plan const& plan;
    plane<A const> x;
    A* padded;       // four rows (radius + W + radius)
    A const* zeros;  // (W)
    index_t next = 0, ready = 0;

    template <class V>
    SAGE_INLINE void row(index_t y, A* out) {
      index_t const r = plan.radius_;
      if (y >= ready) {
        bordered_rows<A> const around{x, plan.row_index_.data() + y, r, zeros};
        ready = y + plan.template vertical<V>(around, y, x.height, padded + r);
        next = 0;
      }
      A* const line = padded + next++ * plan.pitch();
      plan.pad(line);
      using U = typename unaligned_lanes<V>::type;
      blur_row<U>(plan.weight(), r, shifted_row<A>{line + r}, x.width, out);
    }
  };

  template <class V>
  SAGE_INLINE blurred_rows degrade(plane<A const> const& x, A* memory) const {
    return {*this, x, memory, clear_zeros(memory)};
  }

  /// The rows of Aᵀ g, asked for in their order; `g` has been through the horizontal pass already.
  struct adjoint_rows {
    blur_plan const& plan;
    plane<A const> g;
    A* spread;       // four rows (W)
    A* folded;       // (W)
    A const* zeros;  // (W)
    index_t next = 0, ready = 0;

    template <class V>
    SAGE_INLINE void add_row(index_t y, A* out) {
      if (y >= ready) {
        ready = y + plan.template vertical<V>(lone_rows<A>{g, y, zeros}, y, g.height, spread);
        next = 0;
      }
      add<V>(spread + next++ * plan.pitch(), out);
      index_t const r = plan.radius_;
      index_t const* const index = plan.row_index_.data();
      for (index_t c = 0; c < r; ++c)  // coordinates of the padding that the border rule fills from row y
        if (index[c] == y) add_padding<V>(c - r, out);
      for (index_t c = r + g.height; c < r + g.height + r; ++c)
        if (index[c] == y) add_padding<V>(c - r, out);
    }

   private:
    template <class V>
    SAGE_INLINE void add_padding(index_t y, A* out) const {
      blur_row<V>(plan.weight(), plan.radius_, lone_rows<A>{g, y, zeros}, g.width, folded);
      add<V>(folded, out);
    }
    template <class V>
    SAGE_INLINE void add(A const* from, A* out) const {
      sweep<V>(g.width, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
        store_lanes<P>(out + j, load_lanes<P>(out + j) + load_lanes<P>(from + j));
      });
    }
  };

  /// Overwrites g with its horizontal pass.
  template <class V>
  SAGE_INLINE adjoint_rows adjoint(plane<A const> const&, plane<A> const& g, A* memory) const {
    A* const spread = memory;                           // (radius + W + radius)
    A* const isolated = memory + blur_block * pitch();  // (2·radius zeros, W, 2·radius zeros)
    A const* const zeros = clear_zeros(memory);
    for (index_t j = 0; j < width_ + 4 * radius_; ++j) isolated[j] = A(0);
    for (index_t y = 0; y < g.height; ++y) {
      A* const row = g.row(y);
      for (index_t j = 0; j < width_; ++j) isolated[2 * radius_ + j] = row[j];
      using U = typename unaligned_lanes<V>::type;
      blur_row<U>(weight(), radius_, shifted_row<A>{isolated + radius_}, width_ + 2 * radius_, spread);
      for (index_t j = 0; j < width_; ++j) row[j] = spread[radius_ + j];
      for (index_t c = 0; c < radius_; ++c) {
        if (index_t const left = column_index_[static_cast<std::size_t>(c)]; left >= 0)
          row[left] += spread[c];
        index_t const after = radius_ + width_ + c;
        if (index_t const right = column_index_[static_cast<std::size_t>(after)]; right >= 0)
          row[right] += spread[after];
      }
    }
    return {*this, plane<A const>{g.data, g.pitch, g.height, g.width, g.sample, g.channel}, spread, isolated,
            zeros};
  }

 private:
  static std::vector<index_t> border_positions(index_t radius, index_t n, border rule) {
    std::vector<index_t> index(static_cast<std::size_t>(n + 2 * radius));
    if (n > 0)
      for (index_t c = -radius; c < n + radius; ++c)
        index[static_cast<std::size_t>(c + radius)] = border_index(c, n, rule);
    return index;
  }

  SAGE_INLINE A const* weight() const noexcept { return weight_.data() + radius_; }

  // Elements between padded rows.
  SAGE_INLINE index_t pitch() const noexcept { return detail::scratch<A>::padded(width_ + 2 * radius_); }

  SAGE_INLINE A const* clear_zeros(A* memory) const {
    A* const zeros = memory + blur_block * pitch() + detail::scratch<A>::padded(width_ + 4 * radius_);
    for (index_t j = 0; j < width_; ++j) zeros[j] = A(0);
    return zeros;
  }

  // The vertical pass of rows y, y + 1, …; as many as it returns.
  template <class V, class Rows>
  SAGE_INLINE index_t vertical(Rows const& around, index_t y, index_t height, A* to) const {
    if (radius_ > 0 && y + blur_block <= height) {
      blur_rows<V>(weight(), radius_, around, width_, to, pitch());
      return blur_block;
    }
    blur_row<V>(weight(), radius_, around, width_, to);
    return 1;
  }

  SAGE_INLINE void pad(A* padded) const {
    A* const row = padded + radius_;
    for (index_t c = 0; c < radius_; ++c) {
      index_t const left = column_index_[static_cast<std::size_t>(c)];
      index_t const right = column_index_[static_cast<std::size_t>(radius_ + width_ + c)];
      padded[c] = left < 0 ? A(0) : row[left];
      row[width_ + c] = right < 0 ? A(0) : row[right];
    }
  }

  index_t radius_, width_;
  std::vector<A> weight_;              // w_−radius … w_radius
  std::vector<index_t> row_index_;     // of the coordinates −radius … H + radius − 1
  std::vector<index_t> column_index_;  // of the coordinates −radius … W + radius − 1
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
