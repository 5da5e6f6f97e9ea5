#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Squared Euclidean distance of two rows: smooth, but no metric.
///
///   d(u, v) = ‖u − v‖₂²          ∂d/∂u = 2 (u − v) = −∂d/∂v
///
/// Source: FaceNet (Schroff et al., CVPR 2015); power = 2 of pytorch-metric-learning's LpDistance.
struct squared_euclidean {
  template <class V>
  struct sums {
    V s = V(0);  // Σ (u − v)²
  };
  template <class V>
  struct slope {
    V c;  // 2 · upstream
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v) const {
    V const t = u - v;
    a.s = a.s + t * t;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return a.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const&, V const& upstream) const {
    return {upstream + upstream};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const g = r.c * (u - v);
    return opposite(g);
  }
};

SAGE_ABI_END
}  // namespace sage
