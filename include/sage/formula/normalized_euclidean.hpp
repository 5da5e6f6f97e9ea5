#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/unit_rows.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Euclidean distance of the rows scaled to unit length; between 0 and 2, and d² = 2 (1 − cos).
///
///   û = u / max(‖u‖, eps),   d = ‖û − v̂‖
///   ∂d/∂u = ((û − v̂) − û (û·(û − v̂))) / (max(‖u‖, eps) d),   û·(û − v̂) = (‖û‖² − ‖v̂‖² + d²)/2
///
/// Differences of unit vectors, not √(2 − 2cos), which loses half of the digits where u ≈ v; see
/// unit_rows.hpp for how they keep theirs. A row shorter than eps is divided by eps and its gradient has no
/// projection. Source: torch.nn.functional.normalize, then the distance; pytorch-metric-learning's
/// LpDistance().
struct normalized_euclidean {
  double eps = 1e-12;

  template <class V>
  using first = detail::unit_norms<V>;
  template <class V>
  using prepared = detail::unit_scales<V>;
  template <class V>
  struct sums {
    V s = V(0);  // Σ (û − v̂)²
  };
  template <class V>
  using slope = detail::unit_slope<V>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(first<V>& a, V const& u, V const& v) const {
    a.accumulate(u, v);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(first<V>& a, first<V> const& b) const {
    a.combine(b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> prepare(first<V> const& a) const {
    return detail::scales_of(a, eps);
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v, prepared<V> const& p) const {
    V const t = p.difference(u, v);
    a.s = a.s + t * t;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a, prepared<V> const&) const {
    using math::sqrt;
    return sqrt(a.s);
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream, prepared<V> const& p) const {
    using math::sqrt;
    V const d = sqrt(a.s);
    V const c = math::select(d > V(0), upstream / d, d * V(0));
    V const half = V(scalar_of<V>(0.5));
    V const excess = p.length_u - p.length_v;
    return {c * p.u,
            c * p.v,
            p.is_long_u * half * (a.s + excess) * p.u,
            p.is_long_v * half * (a.s - excess) * p.v,
            p.longer,
            p.rest_u,
            p.rest_v};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    return r.gradient(u, v);
  }
  constexpr option_defect defect() const noexcept {
    return eps > 0 ? option_defect{} : option_defect{"eps", eps, "> 0"};
  }
};

SAGE_ABI_END
}  // namespace sage
