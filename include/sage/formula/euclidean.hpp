#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/eps.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Euclidean distance of two rows, by default with PyTorch's eps inside the norm.
///
///   d(u, v) = ‖u − v + eps‖₂          ∂d/∂u = (u − v + eps)/d = −∂d/∂v,   0 at d = 0
///
/// Options:   eps, and where it stands as a type: euclidean_distance<eps::inside_root>, see formula/eps.hpp.
/// Source:    torch.nn.functional.pairwise_distance, p = 2; with eps::none torch.cdist, with eps::inside_root
///            optax.
/// Edge:      squares are summed in the accumulator: rows further apart than 1.8e19 in float are at distance
///            ∞, nearer than 1e-23 at 0; lp{.p = 2} has no such limits, in two passes.
///
/// A distance is a class with these members; a user's own stands in the place of this one without a change to
/// the library (examples/own_distance.cpp). One that must see the whole rows first has a state `first` too,
/// and its conclusion `prepared`: see lp.hpp.
template <class Eps = eps::inside_norm>
struct euclidean_distance {
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
    V const t = difference(u, v);
    a.s = a.s + t * t;
  }
  /// Joins the sums of two parts of the row.
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    V const d = norm(a);
    if constexpr (Eps::floors) return math::select(d < number<V>(eps), number<V>(eps), d);
    return d;
  }
  /// What the gradient of upstream · d needs of the whole row; linear in upstream.
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream) const {
    V const d = norm(a);
    V const c = math::select(d > V(0), upstream / d, d * V(0));  // d · 0: a NaN distance stays NaN
    if constexpr (Eps::floors) return {math::select(d < number<V>(eps), V(0), c)};
    return {c};
  }
  /// upstream · (∂d/∂u, ∂d/∂v) at one position.
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const g = r.c * difference(u, v);
    return opposite(g);
  }
  constexpr option_defect defect() const noexcept { return detail::unless_non_negative("eps", eps); }

 private:
  template <class V>
  SAGE_HD SAGE_INLINE static V number(double x) {
    return V(scalar_of<V>(x));
  }
  template <class V>
  SAGE_HD SAGE_INLINE V difference(V const& u, V const& v) const {
    if constexpr (Eps::shifts) return math::rounded(u - v) + number<V>(eps);
    return u - v;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V norm(sums<V> const& a) const {
    using math::sqrt;
    if constexpr (Eps::under_root) return sqrt(a.s + number<V>(eps));
    return sqrt(a.s);
  }
};

using euclidean = euclidean_distance<>;

SAGE_ABI_END
}  // namespace sage
