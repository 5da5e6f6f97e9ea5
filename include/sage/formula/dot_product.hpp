#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Minus the scalar product: the nearer, the more negative. For info_nce_loss with logits u·v/T; no metric.
///
///   d(u, v) = −Σ u v          ∂d/∂u = −v,  ∂d/∂v = −u
struct dot_product {
  template <class V>
  struct sums {
    V s = V(0);  // Σ u v
  };
  template <class V>
  struct slope {
    V c;  // −upstream
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v) const {
    a.s = a.s + u * v;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return -a.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const&, V const& upstream) const {
    return {-upstream};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    return {{r.c * v, r.c * u}};
  }
};

SAGE_ABI_END
}  // namespace sage
