#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Euclidean distance of the rows scaled to unit length; between 0 and 2, and d² = 2 (1 − cos).
///
///   û = u / max(‖u‖, eps),   d = ‖û − v̂‖
///   ∂d/∂u = ((û − v̂) − û (û·(û − v̂))) / (max(‖u‖, eps) d),   û·(û − v̂) = (‖û‖² − ‖v̂‖² + d²)/2
///
/// Differences of unit vectors, not √(2 − 2cos), which loses half of the digits where u ≈ v. A row shorter than eps
/// is divided by eps and its gradient has no projection, as in torch.nn.functional.normalize.
struct normalized_euclidean {
  double eps = 1e-12;

  /// State of one operand, gathered in a pass before the pairs'.
  template <class V>
  struct operand {
    V squares = V(0);  // Σ u²
  };
  template <class V>
  struct prepared {
    V scale;    // 1 / max(‖u‖, eps)
    V length2;  // ‖û‖²: 1, or less for a row shorter than eps
    V project;  // 1, or 0 for a row shorter than eps
  };
  template <class V>
  struct sums {
    V s = V(0);  // Σ (û − v̂)²
  };
  template <class V>
  struct slope {
    V c_u, c_v;          // upstream / d · scale
    V scale_u, scale_v;  // of the operands
    V along_u, along_v;  // û·(û − v̂) and v̂·(v̂ − û)
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(operand<V>& a, V const& u) const {
    a.squares = a.squares + u * u;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(operand<V>& a, operand<V> const& b) const {
    a.squares = a.squares + b.squares;
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> prepare(operand<V> const& a) const {
    using math::sqrt;
    V const floor = V(scalar_of<V>(eps));
    V const norm = sqrt(a.squares);
    auto const is_short = norm < floor;
    V const scale = V(1) / math::select(is_short, floor, norm);
    V const x = norm * scale;
    return {scale, math::select(is_short, x * x, V(1)), math::select(is_short, V(0), V(1))};
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v, prepared<V> const& pu,
                                      prepared<V> const& pv) const {
    V const t = u * pu.scale - v * pv.scale;
    a.s = a.s + t * t;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    using math::sqrt;
    return sqrt(a.s);
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream, prepared<V> const& pu,
                                        prepared<V> const& pv) const {
    V const d = value(a);
    V const c = math::select(d > V(0), upstream / d, d * V(0));
    V const half = V(scalar_of<V>(0.5));
    V const excess = pu.length2 - pv.length2;
    return {c * pu.scale,
            c * pv.scale,
            pu.scale,
            pv.scale,
            pu.project * half * (a.s + excess),
            pv.project * half * (a.s - excess)};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const unit_u = u * r.scale_u, unit_v = v * r.scale_v;
    V const t = unit_u - unit_v;
    return {{r.c_u * (t - r.along_u * unit_u), r.c_v * (-t - r.along_v * unit_v)}};
  }
  constexpr bool valid() const noexcept { return eps > 0; }
};

SAGE_ABI_END
}  // namespace sage
