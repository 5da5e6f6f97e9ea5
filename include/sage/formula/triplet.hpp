#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/formula/paired_rows.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of the triplet margin loss, operands a, p, n:
///
///   l = h(m + d(a, p) − d⁻),    d⁻ = d(a, n), or with swap min(d(a, n), d(p, n))
///
/// The gradient of the clamp passes where the argument is exactly 0, as in PyTorch, and is split ½/½ where
/// the two distances of swap are equal. A row is read once for the distances (twice, if they need it) and
/// once, still in cache, for the gradient.
template <class Distance, bool Swap, class Hinge = hinge::clamp>
struct triplet_formula : detail::paired_rows<Distance, 3, Swap ? 3 : 2> {
  using base = detail::paired_rows<Distance, 3, Swap ? 3 : 2>;
  static constexpr bool hinged = true;  // an active row is one with l > 0
  static constexpr int pairs = base::pairs;
  template <class V>
  using sums = typename base::template sums<V>;
  template <class V>
  using prepared = typename base::template prepared<V>;

  double margin = 1;

  template <class V>
  struct result {
    V loss;
    typename base::template slopes<V> slope;
  };

  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, sums<V> const& a) const {
    return finalize_with(r, a);
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, prepared<V> const& p, sums<V> const& a) const {
    return finalize_with(r, a, p);
  }

  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 3> gradient(lanes<V, 3> const& x, row<V> const&, result<V> const& r) const {
    auto const ap = this->distance.gradient(x[0], x[1], r.slope.pair[0]);
    auto const an = this->distance.gradient(x[0], x[2], r.slope.pair[1]);
    if constexpr (Swap) {
      auto const pn = this->distance.gradient(x[1], x[2], r.slope.pair[2]);
      return {{ap[0] + an[0], ap[1] + pn[0], an[1] + pn[1]}};
    } else {
      return {{ap[0] + an[0], ap[1], an[1]}};
    }
  }

 private:
  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE result<V> finalize_with(row<V> const& r, sums<V> const& a, Prepared const&... p) const {
    lanes<V, pairs> const d = this->distances(a, p...);
    V negative = d[1];
    V share = V(1);  // of the upstream that goes to d(a, n) rather than d(p, n)
    if constexpr (Swap) {
      negative = math::select(d[2] < d[1], d[2], d[1]);
      share = math::select(d[2] < d[1], V(0), math::select(d[2] == d[1], V(scalar_of<V>(0.5)), V(1)));
    }
    V const x = V(scalar_of<V>(margin)) + d[0] - negative;
    V const passed = r.upstream * Hinge::slope(x);
    lanes<V, pairs> upstream;
    upstream[0] = passed;
    upstream[1] = -passed * share;
    if constexpr (Swap) upstream[2] = -passed * (V(1) - share);
    return {Hinge::value(x), this->slopes_of(a, upstream, p...)};
  }
};

SAGE_ABI_END
}  // namespace sage
