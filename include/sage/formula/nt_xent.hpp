#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/formula/candidates.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/math/functions.hpp>

#include <limits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The loss of a query with each sample of its label among all of another one:
///
///   l = Σ_p log(1 + Σ_n exp((d_p − d_n)/T)) = Σ_p softplus(u_p),   u_p = (d_p − d_0)/T + log Z
///   Z = Σ_n exp((d_0 − d_n)/T) ≥ 1,   d_0 the nearest negative
///   ∂l/∂d_p = σ(u_p)/T,   ∂l/∂d_n = −Σ_p σ(u_p)/T · exp((d_0 − d_n)/T)/Z
///
/// From differences of distances: nothing overflows, and a loss near 0 keeps its digits.
struct nt_xent_rule {
  double temperature = 0.07;
  index_t const* labels = nullptr;

  static constexpr bool counts_labels = true;  // `counted` is known from the labels: one for each positive
  static constexpr bool takes_positives = false;
  template <class A>
  static constexpr bool sorts = false;

  template <class V, class A>
  SAGE_INLINE rating<A> rate(candidates<A> const& c) const {
    using math::exp, math::log;
    c.clear_weights();
    // scratch: the distance of a negative, `none` for what is neither, −none for a positive
    A const none = std::numeric_limits<A>::max();
    A nearest = none;
    index_t positives = 0;
    for (index_t j = 0; j < c.padded(); ++j) {
      c.scratch[j] = none;
      if (j >= c.count || j == c.own || (c.left_out && c.left_out[j])) continue;
      bool const same = labels[j] == labels[c.query];
      positives += same ? 1 : 0;
      if (is_non_finite(c.distance[j])) continue;
      c.scratch[j] = same ? A(-none) : c.distance[j];
      if (!same && c.distance[j] < nearest) nearest = c.distance[j];
    }
    if (positives == 0) return {};
    if (is_non_finite(c.distance[c.own])) {  // the query itself is infinite or NaN
      A const nan = std::numeric_limits<A>::quiet_NaN();
      if (c.weight) c.weight[c.own] = nan;
      return {nan, positives, 0};
    }
    if (!(nearest < none)) return {A(0), positives, 0};

    constexpr index_t width = lane_traits<V>::width;
    A const scale = A(1 / temperature);
    V const zero = V(0);
    V terms = zero;
    for (index_t j = 0; j < c.padded(); j += width) {
      V const d = load_values<V>(c.scratch + j);
      V const e = math::select(d < V(none), exp((V(nearest) - d) * V(scale)), zero);
      V const term = math::select(d > V(-none), e, zero);
      terms = terms + term;
      store_values(c.scratch + j, math::select(d > V(-none), term, V(-1)));
    }
    A const z = sum_of_lanes(terms), log_z = log(z);
    V loss = zero, slopes = zero;
    lane_counter<V> active;
    for (index_t j = 0; j < c.padded(); j += width) {
      V const term = load_values<V>(c.scratch + j);
      V const d = math::select(term < zero, load_values<V>(c.distance + j), V(nearest));
      V const u = (d - V(nearest)) * V(scale) + V(log_z);
      V const l = math::select(term < zero, hinge::softplus::value(u), zero);
      loss = loss + l;
      active.add(math::select(l > zero, V(1), zero));
      if (!c.weight) continue;
      V const slope = math::select(term < zero, hinge::softplus::slope(u), zero);
      slopes = slopes + slope;
      store_values(c.weight + j, slope * V(scale));
    }
    if (c.weight) {
      V const factor = V(sum_of_lanes(slopes) * scale / z);
      for (index_t j = 0; j < c.padded(); j += width) {
        V const term = load_values<V>(c.scratch + j), w = load_values<V>(c.weight + j);
        store_values(c.weight + j, math::select(term > zero, -factor * term, w));
      }
    }
    return {sum_of_lanes(loss), positives, active.count()};
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
