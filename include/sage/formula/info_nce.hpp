#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/candidates.hpp>
#include <sage/math/functions.hpp>

#include <limits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Whose a query's negatives are: other samples, of which a wrong one is left out; given ones, wrong for the query if one
/// is, shared by all queries or its own, whose gradients then are wrong too.
enum class negatives_are { of_batch, shared, own };

/// The loss of a query among its candidates, of which one is its positive:
///
///   l = log(1 + Σ_{j≠own} exp x_j),   x_j = (d_own − d_j)/T
///   ∂l/∂d_j = −π_j/T,   ∂l/∂d_own = (1 − π_own)/T = Σ_{j≠own} π_j/T,   π the softmax of −d/T
///
/// From differences of distances and with the largest exponent taken out: nothing overflows, and a loss near 0
/// keeps its digits, as does 1 − π_own.
struct info_nce_rule {
  double temperature = 0.1;
  negatives_are negatives = negatives_are::of_batch;

  static constexpr bool takes_positives = true;
  template <class A>
  static constexpr bool sorts = false;

  template <class V, class A>
  SAGE_INLINE rating<A> rate(candidates<A> const& c) const {
    using math::exp, math::log, math::log1p;
    A const scale = A(1 / temperature), lowest = -std::numeric_limits<A>::max();
    A const own_distance = c.distance[c.own];
    bool const given = negatives != negatives_are::of_batch;
    bool wrong = is_non_finite(own_distance);
    A largest = A(0);
    for (index_t j = 0; j < c.padded(); ++j) {
      bool const other = j < c.count && j != c.own;
      wrong = wrong || (given && other && is_non_finite(c.distance[j]));
      c.scratch[j] = other && c.usable(j) ? A((own_distance - c.distance[j]) * scale) : lowest;
      if (c.scratch[j] > largest) largest = c.scratch[j];
    }
    if (wrong) return not_a_number(c);

    V sum = V(0);
    for (index_t j = 0; j < c.padded(); j += lane_traits<V>::width) {
      V const x = load_values<V>(c.scratch + j);
      V const e = math::select(x == V(lowest), V(0), exp(x - V(largest)));
      sum = sum + e;
      store_values(c.scratch + j, e);
    }
    A const others = sum_of_lanes(sum);
    A const total = exp(-largest) + others;
    if (c.weight) {
      A const factor = scale / total;
      for (index_t j = 0; j < c.padded(); ++j) c.weight[j] = -factor * c.scratch[j];
      c.weight[c.own] = factor * others;
    }
    A const loss = largest > A(0) ? A(largest + log(total)) : A(log1p(others));
    return {loss, 1, loss > A(0) ? 1 : 0};
  }

 private:
  template <class A>
  SAGE_INLINE rating<A> not_a_number(candidates<A> const& c) const {
    A const nan = std::numeric_limits<A>::quiet_NaN();
    if (c.weight) {
      for (index_t j = 0; j < c.padded(); ++j) c.weight[j] = negatives == negatives_are::own ? nan : A(0);
      c.weight[c.own] = nan;
    }
    return {nan, 1, 0};
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
