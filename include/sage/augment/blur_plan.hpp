#pragma once

#include <sage/augment/border.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/augment/scratch.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>

#include <cmath>
#include <cstddef>
#include <memory>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// w_0 + Σ_k w_k (below + above) at the columns j … j + Packs·width, for k = 1 … radius. `row(k)` is the row k away.
template <class P, class A, class Rows, std::size_t... I>
SAGE_INLINE void blur_strip(A const* weight, index_t radius, Rows const& rows, index_t j, A* to,
                            std::index_sequence<I...>) {
  constexpr index_t width = lane_traits<P>::width;
  A const* const center = rows.row(0) + j;
  P const first(weight[0]);
  P sum[sizeof...(I)] = {(first * load_lanes<P>(center + static_cast<index_t>(I) * width))...};
  for (index_t k = 1; k <= radius; ++k) {
    A const *const below = rows.row(-k) + j, *const above = rows.row(k) + j;
    P const w(weight[k]);
    ((sum[I] += w * (load_lanes<P>(below + static_cast<index_t>(I) * width) +
                     load_lanes<P>(above + static_cast<index_t>(I) * width))),
     ...);
  }
  (store_lanes<P>(to + j + static_cast<index_t>(I) * width, sum[I]), ...);
}

/// The strip over n columns, four packs at a time; the last pack overlaps its neighbour.
template <class V, class A, class Rows>
SAGE_INLINE void blur_row(A const* weight, index_t radius, Rows const& rows, index_t n, A* to) {
  constexpr index_t width = lane_traits<V>::width;
  index_t j = 0;
  for (; j + 4 * width <= n; j += 4 * width)
    blur_strip<V>(weight, radius, rows, j, to, std::make_index_sequence<4>{});
  for (; j + width <= n; j += width) blur_strip<V>(weight, radius, rows, j, to, std::make_index_sequence<1>{});
  if (j == n) return;
  if (n >= width) return blur_strip<V>(weight, radius, rows, n - width, to, std::make_index_sequence<1>{});
  for (; j < n; ++j) blur_strip<A>(weight, radius, rows, j, to, std::make_index_sequence<1>{});
}

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

/// One row, and its shifts by k columns.
template <class A>
struct shifted_row {
  A const* origin;
  SAGE_INLINE A const* row(index_t k) const noexcept { return origin + k; }
};

/// A Gaussian kernel for images of one size: weights and border positions, made once per call.
///
/// A(x) = B_H x B_Wᵀ with the banded matrices B of the kernel and its border rule. Row by row: a vertical pass into a
/// padded row, then a horizontal pass; no plane in between. The adjoint B_Hᵀ g B_W spreads into the padding and folds
/// it back.
template <class A>
class blur_plan {
 public:
  blur_plan(double sigma, index_t radius, border rule, index_t height, index_t width)
      : radius_(radius),
        width_(width),
        weight_(new A[static_cast<std::size_t>(radius + 1)]),
        row_index_(border_positions(radius, height, rule)),
        column_index_(border_positions(radius, width, rule)) {
    auto const gauss = [sigma](index_t k) {
      double const t = static_cast<double>(k) / sigma;
      return std::exp(-0.5 * t * t);
    };
    double total = 1;
    for (index_t k = 1; k <= radius; ++k) total += 2 * gauss(k);
    for (index_t k = 0; k <= radius; ++k) weight_[static_cast<std::size_t>(k)] = static_cast<A>(gauss(k) / total);
  }

  index_t scratch() const noexcept {
    using s = detail::scratch<A>;
    return s::padded(width_ + 4 * radius_) + s::padded(width_ + 2 * radius_) + s::padded(width_);
  }

  /// The blurred rows of one plane.
  struct blurred_rows {
    blur_plan const& plan;
    plane<A const> x;
    A* padded;  // (radius + W + radius)
    A const* zeros;

    template <class V>
    SAGE_INLINE void row(index_t y, A* out) const {
      index_t const r = plan.radius_;
      bordered_rows<A> const around{x, plan.row_index_.get() + y, r, zeros};
      blur_row<V>(plan.weight_.get(), r, around, x.width, padded + r);
      plan.pad(padded);
      blur_row<V>(plan.weight_.get(), r, shifted_row<A>{padded + r}, x.width, out);
    }
  };

  template <class V>
  SAGE_INLINE blurred_rows degrade(plane<A const> const& x, A* memory) const {
    A* const zeros = memory + scratch() - detail::scratch<A>::padded(width_);
    for (index_t j = 0; j < width_; ++j) zeros[j] = A(0);
    return {*this, x, memory, zeros};
  }

  /// The rows of Aᵀ g; `g` has been through the horizontal pass already.
  struct adjoint_rows {
    blur_plan const& plan;
    plane<A const> g;
    A* spread;  // (W)
    A const* zeros;

    template <class V>
    SAGE_INLINE void add_row(index_t y, A* out) const {
      add_coordinate<V>(y, out);
      index_t const r = plan.radius_;
      index_t const* const index = plan.row_index_.get();
      for (index_t c = 0; c < r; ++c)  // coordinates of the padding that the border rule fills from row y
        if (index[c] == y) add_coordinate<V>(c - r, out);
      for (index_t c = r + g.height; c < r + g.height + r; ++c)
        if (index[c] == y) add_coordinate<V>(c - r, out);
    }

   private:
    template <class V>
    SAGE_INLINE void add_coordinate(index_t y, A* out) const {
      blur_row<V>(plan.weight_.get(), plan.radius_, lone_rows<A>{g, y, zeros}, g.width, spread);
      sweep<V>(g.width, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
        store_lanes<P>(out + j, load_lanes<P>(out + j) + load_lanes<P>(spread + j));
      });
    }
  };

  /// Overwrites g with its horizontal pass.
  template <class V>
  SAGE_INLINE adjoint_rows adjoint(plane<A const> const&, plane<A> const& g, A* memory) const {
    A* const isolated = memory;  // (2·radius zeros, W, 2·radius zeros)
    A* const spread = memory + detail::scratch<A>::padded(width_ + 4 * radius_);  // (radius + W + radius)
    A* const zeros = spread + detail::scratch<A>::padded(width_ + 2 * radius_);
    for (index_t j = 0; j < width_ + 4 * radius_; ++j) isolated[j] = A(0);
    for (index_t j = 0; j < width_; ++j) zeros[j] = A(0);
    for (index_t y = 0; y < g.height; ++y) {
      A* const row = g.row(y);
      for (index_t j = 0; j < width_; ++j) isolated[2 * radius_ + j] = row[j];
      blur_row<V>(weight_.get(), radius_, shifted_row<A>{isolated + radius_}, width_ + 2 * radius_, spread);
      for (index_t j = 0; j < width_; ++j) row[j] = spread[radius_ + j];
      for (index_t c = 0; c < radius_; ++c) {
        if (index_t const left = column_index_[static_cast<std::size_t>(c)]; left >= 0) row[left] += spread[c];
        index_t const after = radius_ + width_ + c;
        if (index_t const right = column_index_[static_cast<std::size_t>(after)]; right >= 0) row[right] += spread[after];
      }
    }
    return {*this, plane<A const>{g.data, g.pitch, g.height, g.width, g.sample, g.channel}, spread, zeros};
  }

 private:
  static std::unique_ptr<index_t[]> border_positions(index_t radius, index_t n, border rule) {
    std::unique_ptr<index_t[]> index(new index_t[static_cast<std::size_t>(n + 2 * radius)]);
    if (n > 0)
      for (index_t c = -radius; c < n + radius; ++c) index[static_cast<std::size_t>(c + radius)] = border_index(c, n, rule);
    return index;
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
  std::unique_ptr<A[]> weight_;              // w_0 … w_radius
  std::unique_ptr<index_t[]> row_index_;     // of the coordinates −radius … H + radius − 1
  std::unique_ptr<index_t[]> column_index_;  // of the coordinates −radius … W + radius − 1
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
