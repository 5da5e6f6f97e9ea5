#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Euclidean distance of two rows, with PyTorch's eps inside the norm.
///
///   d(u, v) = ‖u − v + eps‖₂          ∂d/∂u = (u − v + eps)/d = −∂d/∂v,   0 at d = 0
///
/// Source: torch.nn.functional.pairwise_distance, p = 2.
///
/// A distance is a class with these members; a user's own stands in the place of this one without a change to the
/// library. One that normalises its operands has an `operand` state too: see normalized_euclidean.
struct euclidean {
  double eps = 1e-6;

  template <class V>
  struct sums {
    V s = V(0);  // Σ (u − v + eps)²
  };
  template <class V>
  struct slope {
    V c;  // upstream / d
  };

  /// One position of the pair.
  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v) const {
    V const t = u - v + V(scalar_of<V>(eps));
    a.s = a.s + t * t;
  }
  /// Joins the sums of two parts of the row.
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    using math::sqrt;
    return sqrt(a.s);
  }
  /// What the gradient of upstream · d needs of the whole row.
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream) const {
    V const d = value(a);
    return {math::select(d > V(0), upstream / d, d * V(0))};  // d · 0: a NaN distance stays NaN
  }
  /// upstream · (∂d/∂u, ∂d/∂v) at one position.
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const g = r.c * (u - v + V(scalar_of<V>(eps)));
    return {{g, -g}};
  }
  constexpr bool valid() const noexcept { return eps >= 0; }
};

SAGE_ABI_END
}  // namespace sage
