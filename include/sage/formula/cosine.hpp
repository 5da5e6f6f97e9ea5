#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/unit_rows.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Cosine distance of two rows, between 0 and 2:
///
///   d = 1 − û·v̂ = (‖û − v̂‖² + (1 − ‖û‖²) + (1 − ‖v̂‖²))/2,   û = u / max(‖u‖, eps)
///   ∂d/∂u = ((û − v̂) − û (û·(û − v̂))) / ‖u‖
///
/// As half of a squared difference it keeps its digits where u ≈ v, and 1 − cos has none left. A row shorter
/// than eps is divided by eps, and its gradient is −v̂/eps without a projection.
/// Source: 1 − torch.nn.functional.cosine_similarity; optax.cosine_distance(epsilon).
struct cosine {
  double eps = 1e-8;

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
  SAGE_HD SAGE_INLINE V value(sums<V> const& a, prepared<V> const& p) const {
    return V(scalar_of<V>(0.5)) * (a.s + ((V(1) - p.length_u) + (V(1) - p.length_v)));
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream, prepared<V> const& p) const {
    // Along a long row: û·(û − v̂) = 1 − û·v̂ = d. A short one takes −v̂ = (û − v̂) − û.
    V const d = value(a, p);
    return {upstream * p.u,
            upstream * p.v,
            (p.is_long_u * d + (V(1) - p.is_long_u)) * p.u,
            (p.is_long_v * d + (V(1) - p.is_long_v)) * p.v,
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
