#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Squared Hellinger distance. Symmetric, between 0 and 1.
///
///   H² = 1 − Σ √(p q) = ½ Σ h²,   h = √p − √q = (p − q)/(√p + √q)
///
/// The second form has no cancellation. H ≤ √(2 TV), and H² ≈ ⅛ Σ (p − q)²/p at p ≈ q.
/// Edge: 1 for distributions that share no class.
/// Source: Hellinger, J. reine angew. Math. 1909. No function of PyTorch; 1 − Σ √(p q) loses all digits at p
///         ≈ q.
struct squared_hellinger {
  static constexpr bool uses_log_ratio = false;

  template <class V>
  struct sums {
    V s = V(0);  // Σ h²
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c) const {
    roots<V> const r = roots_of(c);
    a.s = a.s + r.h * r.h;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return V(scalar_of<V>(0.5)) * a.s;
  }
  /// ½ (√p h − p H²), ½ (−√q h − q H²)
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a) const {
    V const half = V(scalar_of<V>(0.5));
    roots<V> const r = roots_of(c);
    V const distance = half * a.s;
    return {{half * (r.p * r.h - c.p * distance), -half * (r.q * r.h + c.q * distance)}};
  }

 private:
  template <class V>
  struct roots {
    V p, q, h;
  };
  template <class V>
  SAGE_HD SAGE_INLINE static roots<V> roots_of(probability_pair<V> const& c) {
    using math::sqrt;
    V const p = sqrt(c.p), q = sqrt(c.q), sum = p + q;
    return {p, q, math::select(sum == V(0), V(0), c.difference / sum)};
  }
};

SAGE_ABI_END
}  // namespace sage
