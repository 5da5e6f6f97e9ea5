#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Total variation: how much probability stands elsewhere. Symmetric, between 0 and 1.
///
///   TV = ½ Σ |p − q|
///   ∂TV/∂z_p = ½ p_k Σ_j p_j (s_k − s_j),   s = sign(p − q);   ∂TV/∂z_q = −½ q_k Σ_j q_j (s_k − s_j)
///
/// Σ_j p_j (s_k − s_j) is a sum of the masses with another sign than k's, so that a saturated softmax keeps
/// its digits.
/// Edge: s = 0 at p = q, as the slope of torch.abs at 0.
/// Source: ½ of torch.nn.functional.l1_loss(p, q, reduction="sum") of a row; Liger-Kernel's LigerTVDLoss.
struct total_variation {
  static constexpr bool uses_log_ratio = false;

  template <class V>
  struct sums {
    V s = V(0);                        // Σ |p − q|
    V p_above = V(0), p_below = V(0);  // Σ p over p > q and over p < q
    V q_above = V(0), q_below = V(0);  // Σ q
    V p_equal = V(0), q_equal = V(0);  // over p = q
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c) const {
    V const zero = V(0);
    auto const above = c.difference > zero, below = c.difference < zero;
    a.s = a.s + math::magnitude(c.difference);
    a.p_above = a.p_above + math::select(above, c.p, zero);
    a.p_below = a.p_below + math::select(below, c.p, zero);
    a.q_above = a.q_above + math::select(above, c.q, zero);
    a.q_below = a.q_below + math::select(below, c.q, zero);
    auto const equal = c.difference == zero;
    a.p_equal = a.p_equal + math::select(equal, c.p, zero);
    a.q_equal = a.q_equal + math::select(equal, c.q, zero);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
    a.p_above = a.p_above + b.p_above;
    a.p_below = a.p_below + b.p_below;
    a.q_above = a.q_above + b.q_above;
    a.q_below = a.q_below + b.q_below;
    a.p_equal = a.p_equal + b.p_equal;
    a.q_equal = a.q_equal + b.q_equal;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return V(scalar_of<V>(0.5)) * a.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a) const {
    V const half = V(scalar_of<V>(0.5));
    return {{half * c.p * turned_mass(c.difference, a.p_above, a.p_equal, a.p_below),
             -half * c.q * turned_mass(c.difference, a.q_above, a.q_equal, a.q_below)}};
  }

 private:
  // Σ_j mass_j (s_k − s_j); a NaN difference stays NaN.
  template <class V>
  SAGE_HD SAGE_INLINE static V turned_mass(V const& difference, V const& above, V const& equal,
                                           V const& below) {
    V const two = V(scalar_of<V>(2));
    V const of_above = two * below + equal, of_below = -(two * above + equal);
    return math::select(difference > V(0), of_above,
                        math::select(difference < V(0), of_below, (below - above) + difference));
  }
};

SAGE_ABI_END
}  // namespace sage
