#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Jensen-Shannon divergence of two distributions, in nats.
///
///   JS = ½ KL(p‖m) + ½ KL(q‖m),   m = ½ (p + q),   0 ≤ JS ≤ ln 2
///
/// With s = (p − q)/(p + q), log(p/m) = log(1 + s) and log(q/m) = log(1 − s) = log(1 + s) − δ, where δ is the log
/// ratio: one logarithm and one division for both, of the greater probability. A class's share of 2 JS is
/// p log(p/m) + q log(q/m) = m ((1 + s) log(1 + s) + (1 − s) log(1 − s)), whose series begins with m s²: the
/// first-order terms cancel exactly. No digits are lost at p ≈ q, where the textbook sum loses all of them, and no
/// value is negative.
///
/// skewed_jensen_shannon weighs p and q differently.
struct jensen_shannon {
  static constexpr int steps = 3;
  static constexpr int kept = 2;  // |s| and the greater logarithm, then p log(p/m) and q log(q/m)

  template <class V>
  struct sums {
    V p = V(0);     // KL(p‖m)
    V both = V(0);  // KL(p‖m) + KL(q‖m), to its own relative precision
  };

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void prepare(step<0>, probability_pair<V> const& c, Kept const& kept_here) const {
    kept_here.set(0, math::fraction(math::magnitude(c.difference),
                                    math::larger(V(c.p + c.q), math::smallest_normal<V>())));
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void prepare(step<1>, probability_pair<V> const&, Kept const& kept_here) const {
    kept_here.set(1, math::log1p_of_fraction(kept_here[0]));
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c, Kept const& kept_here) const {
    using T = scalar_of<V>;
    V const s = kept_here[0], log_greater = kept_here[1], s2 = s * s;
    // Beyond the largest log ratio the lesser is 0, and 0 · ∞ must not arise; nor NaN of a class that neither has.
    V const log_lesser = log_greater - math::smaller(math::magnitude(c.apart), math::largest_log_ratio<V>());
    auto const p_greater = c.difference > V(0);
    V const p_log = c.p * math::select(p_greater, log_greater, log_lesser);
    V const q_log = c.q * math::select(p_greater, log_lesser, log_greater);
    kept_here.set(0, p_log);
    kept_here.set(1, q_log);
    // KL(p‖m) serves the gradient alone, beside log(p/m): rounding of its order may stay in it. With m − p, which sums
    // to 0, it is a sum of what is not negative, and loses less by rounding.
    V const m_less_q = V(T(0.5)) * c.difference;
    V const near = math::magnitude(m_less_q) * s * math::entropy_deficit(s2);
    a.p = a.p + (p_log - m_less_q);
    a.both = a.both + math::select(s2 < V(T(0.25)), near, V(p_log + q_log));
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.p = a.p + b.p;
    a.both = a.both + b.both;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    // Shares of denormal probabilities may be rounded below 0.
    return math::larger(V(0), V(V(scalar_of<V>(0.5)) * a.both));
  }
  /// ½ p (log(p/m) − KL(p‖m)), ½ q (log(q/m) − KL(q‖m)).
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a,
                                           Kept const& kept_here) const {
    V const half = V(scalar_of<V>(0.5)), q = a.both - a.p;
    return {{half * (kept_here[0] - c.p * a.p), half * (kept_here[1] - c.q * q)}};
  }
};

SAGE_ABI_END
}  // namespace sage
