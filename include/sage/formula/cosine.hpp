#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/unit_rows.hpp>
#include <sage/math/functions.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

struct one_minus_cosine {
  static constexpr double eps = 1e-8;

  template <class V>
  SAGE_HD SAGE_INLINE static V value(V const& squares, unit_scales<V> const& p) {
    return V(scalar_of<V>(0.5)) * (squares + ((V(1) - p.length_u) + (V(1) - p.length_v)));
  }
  template <class V>
  SAGE_HD SAGE_INLINE static unit_slope<V> slope(V const& squares, V const& upstream, unit_scales<V> const& p) {
    // Along a long row: û·(û − v̂) = 1 − û·v̂ = d. A short one takes −v̂ = (û − v̂) − û.
    V const d = value(squares, p);
    return p.slope(V(upstream * p.u), V(upstream * p.v), V((p.is_long_u * d + (V(1) - p.is_long_u)) * p.u),
                   V((p.is_long_v * d + (V(1) - p.is_long_v)) * p.v));
  }
};

}  // namespace detail

/// Cosine distance of two rows, between 0 and 2:
///
///   d = 1 − û·v̂ = (‖û − v̂‖² + (1 − ‖û‖²) + (1 − ‖v̂‖²))/2,   û = u / max(‖u‖, eps)
///   ∂d/∂u = ((û − v̂) − û (û·(û − v̂))) / ‖u‖
///
/// As half of a squared difference it keeps its digits where u ≈ v, and 1 − cos has none left. A row shorter
/// than eps is divided by eps, and its gradient is −v̂/eps without a projection.
/// Source: 1 − torch.nn.functional.cosine_similarity; optax.cosine_distance(epsilon). For a row shorter than eps
/// PyTorch 2 has this value and the gradient of a row that is not; PyTorch 1 bounds ‖u‖ ‖v‖ instead.
using cosine = detail::unit_rows_distance<detail::one_minus_cosine>;

SAGE_ABI_END
}  // namespace sage
