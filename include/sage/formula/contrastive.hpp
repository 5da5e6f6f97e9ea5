#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/formula/paired_rows.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of the contrastive loss, operands u, v and a label y:
///
///   l = h(d(u, v) − m⁺) for y = 1 (a pair that belongs together),   h(m − d(u, v)) for y = 0
template <class Distance, class Hinge>
struct contrastive_formula : detail::paired_rows<Distance, 2, 1> {
  using base = detail::paired_rows<Distance, 2, 1>;
  static constexpr bool hinged = true;
  template <class V>
  using sums = typename base::template sums<V>;
  template <class V>
  using prepared = typename base::template prepared<V>;

  double margin = 1;           // m
  double positive_margin = 0;  // m⁺

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
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const& x, row<V> const&, result<V> const& r) const {
    return this->distance.gradient(x[0], x[1], r.slope.pair[0]);
  }

 private:
  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE result<V> finalize_with(row<V> const& r, sums<V> const& a, Prepared const&... p) const {
    lanes<V, 1> const d = this->distances(a, p...);
    auto const together = r.label == broadcast_integer<integer_of<V>>(1);
    V const x =
        math::select(together, d[0] - V(scalar_of<V>(positive_margin)), V(scalar_of<V>(margin)) - d[0]);
    V const passed = r.upstream * Hinge::slope(x);
    lanes<V, 1> const upstream{{math::select(together, passed, -passed)}};
    return {Hinge::value(x), this->slopes_of(a, upstream, p...)};
  }
};

SAGE_ABI_END
}  // namespace sage
