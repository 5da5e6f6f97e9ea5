#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/unit_rows.hpp>
#include <sage/math/functions.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

struct distance_of_units {
  static constexpr double eps = 1e-12;

  template <class V>
  SAGE_HD SAGE_INLINE static V value(V const& squares, unit_scales<V> const&) {
    using math::sqrt;
    return sqrt(squares);
  }
  template <class V>
  SAGE_HD SAGE_INLINE static unit_slope<V> slope(V const& squares, V const& upstream, unit_scales<V> const& p) {
    V const d = value(squares, p);
    V const c = math::select(d > V(0), upstream / d, d * V(0));
    V const half = V(scalar_of<V>(0.5));
    V const excess = p.length_u - p.length_v;
    return p.slope(V(c * p.u), V(c * p.v), V(p.is_long_u * half * (squares + excess) * p.u),
                   V(p.is_long_v * half * (squares - excess) * p.v));
  }
};

}  // namespace detail

/// Euclidean distance of the rows scaled to unit length; between 0 and 2, and d² = 2 (1 − cos).
///
///   û = u / max(‖u‖, eps),   d = ‖û − v̂‖
///   ∂d/∂u = ((û − v̂) − û (û·(û − v̂))) / (max(‖u‖, eps) d),   û·(û − v̂) = (‖û‖² − ‖v̂‖² + d²)/2
///
/// Differences of unit vectors, not √(2 − 2cos), which loses half of the digits where u ≈ v; see
/// unit_rows.hpp for how they keep theirs. A row shorter than eps is divided by eps and its gradient has no
/// projection. Source: torch.nn.functional.normalize, then the distance; pytorch-metric-learning's
/// LpDistance().
using normalized_euclidean = detail::unit_rows_distance<detail::distance_of_units>;

SAGE_ABI_END
}  // namespace sage
