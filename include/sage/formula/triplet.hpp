#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Does the distance gather a state of each operand before the pairs'?
template <class Distance>
concept normalizing_distance = requires { typename Distance::template operand<float>; };

/// Row program of the triplet margin loss, operands a, p, n:
///
///   l = max(0, m + d(a, p) − d⁻),    d⁻ = d(a, n), or with swap min(d(a, n), d(p, n))
///
/// The gradient passes where the argument is exactly 0, as in PyTorch, and is split ½/½ where the two distances of
/// swap are equal. A row is read once for the distances and once, still in cache, for the gradient.
template <class Distance, bool Swap>
struct triplet_formula {
  static constexpr int inputs = 3, gradients = 3;
  static constexpr bool hinged = true;  // an active row is one with l > 0
  static constexpr int pairs = Swap ? 3 : 2;
  static constexpr bool normalizes = normalizing_distance<Distance>;

  // The operands of pair k: (a, p), (a, n), (p, n).
  static constexpr int first_of[3] = {0, 0, 1};
  static constexpr int second_of[3] = {1, 2, 2};

  Distance distance{};
  double margin = 1;

  template <class V>
  struct operands {
    static constexpr int partial_states = 2;
    lanes<typename Distance::template operand<V>, 3> of{};
  };
  template <class V>
  struct prepared {
    lanes<typename Distance::template prepared<V>, 3> of;
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = Swap ? 2 : 4;
    lanes<typename Distance::template sums<V>, pairs> pair{};
  };
  template <class V>
  struct result {
    V loss;
    lanes<typename Distance::template slope<V>, pairs> slope;
  };

  template <class V, bool Normalizes>
  struct pass_selection {
    using type = pass_list<sums<V>>;
  };
  template <class V>
  struct pass_selection<V, true> {
    using type = pass_list<operands<V>, sums<V>>;
  };
  template <class V>
  using passes = typename pass_selection<V, normalizes>::type;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(operands<V>& a, lanes<V, 3> const& x, row<V> const&) const {
    SAGE_UNROLL
    for (int i = 0; i < 3; ++i) distance.accumulate(a.of[i], x[i]);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(operands<V>& a, operands<V> const& b) const {
    SAGE_UNROLL
    for (int i = 0; i < 3; ++i) distance.combine(a.of[i], b.of[i]);
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> conclude(operands<V> const& a, row<V> const&) const {
    prepared<V> r;
    SAGE_UNROLL
    for (int i = 0; i < 3; ++i) r.of[i] = distance.prepare(a.of[i]);
    return r;
  }

  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 3> const& x, row<V> const&, Prepared const&... r) const {
    SAGE_UNROLL
    for (int k = 0; k < pairs; ++k)
      distance.accumulate(a.pair[k], x[first_of[k]], x[second_of[k]], r.of[first_of[k]]..., r.of[second_of[k]]...);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    SAGE_UNROLL
    for (int k = 0; k < pairs; ++k) distance.combine(a.pair[k], b.pair[k]);
  }

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
    auto const ap = distance.gradient(x[0], x[1], r.slope[0]);
    auto const an = distance.gradient(x[0], x[2], r.slope[1]);
    if constexpr (Swap) {
      auto const pn = distance.gradient(x[1], x[2], r.slope[2]);
      return {{ap[0] + an[0], ap[1] + pn[0], an[1] + pn[1]}};
    } else {
      return {{ap[0] + an[0], ap[1], an[1]}};
    }
  }

 private:
  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE result<V> finalize_with(row<V> const& r, sums<V> const& a, Prepared const&... p) const {
    V const zero = V(0);
    V d[pairs];
    SAGE_UNROLL
    for (int k = 0; k < pairs; ++k) d[k] = distance.value(a.pair[k]);
    V negative = d[1];
    V share = V(1);  // of the upstream that goes to d(a, n) rather than d(p, n)
    if constexpr (Swap) {
      negative = math::select(d[2] < d[1], d[2], d[1]);
      share = math::select(d[2] < d[1], zero, math::select(d[2] == d[1], V(scalar_of<V>(0.5)), V(1)));
    }
    V const x = V(scalar_of<V>(margin)) + d[0] - negative;
    V const passed = math::select(x < zero, zero, r.upstream);
    result<V> out;
    out.loss = math::select(x < zero, zero, x);  // NaN stays NaN
    V const upstream[3] = {passed, -passed * share, -passed * (V(1) - share)};
    SAGE_UNROLL
    for (int k = 0; k < pairs; ++k)
      out.slope[k] = distance.slope_of(a.pair[k], upstream[k], p.of[first_of[k]]..., p.of[second_of[k]]...);
    return out;
  }
};

SAGE_ABI_END
}  // namespace sage
