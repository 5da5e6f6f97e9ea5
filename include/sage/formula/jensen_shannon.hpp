#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

#include <limits>

namespace sage {
SAGE_ABI_BEGIN

/// Jensen-Shannon divergence of two distributions, in nats.
///
///   JS = β KL(p‖m) + (1 − β) KL(q‖m),   m = βp + (1 − β)q,   0 ≤ JS ≤ ln 2 at β = ½
///
/// With u_p = m/p − 1 = (1−β)(q − p)/p, u_q = β(p − q)/q and φ(u) = u − log(1 + u) ≥ 0 the first-order terms cancel
/// exactly: KL(p‖m) = Σ p φ(u_p), KL(q‖m) = Σ q φ(u_q). No digits are lost at p ≈ q, where the textbook sum loses
/// all of them, and no value is negative.
///
/// At β = ½, with s = (p − q)/(p + q), log(p/m) = log(1 + s) and log(q/m) = log(1 − s) = log(1 + s) − δ, where δ is
/// the log ratio: one logarithm and one division for both, of the greater probability. A class's share of 2 JS is
/// p log(p/m) + q log(q/m) = m ((1 + s) log(1 + s) + (1 − s) log(1 − s)), whose series begins with m s².
struct jensen_shannon {
  double beta = 0.5;

  static constexpr int kept = 2;  // p log(p/m), q log(q/m)

  template <class V>
  struct sums {
    V p = V(0), q = V(0);  // KL(p‖m), KL(q‖m)
    V both = V(0);         // at β = ½ their sum, to its own relative precision
  };

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c, Kept const& kept_here) const {
    sides<V> const r = is_symmetric() ? symmetric(c) : skewed(c);
    kept_here.set(0, r.p_log);
    kept_here.set(1, r.q_log);
    a.p = a.p + r.p;
    a.q = a.q + r.q;
    a.both = a.both + r.both;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.p = a.p + b.p;
    a.q = a.q + b.q;
    a.both = a.both + b.both;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    // Shares of denormal probabilities may be rounded below 0.
    using T = scalar_of<V>;
    return math::larger(V(0),
                        is_symmetric() ? V(V(T(0.5)) * a.both) : V(V(T(beta)) * a.p + V(T(1 - beta)) * a.q));
  }
  /// β p (log(p/m) − KL(p‖m)), (1−β) q (log(q/m) − KL(q‖m)).
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a,
                                           Kept const& kept_here) const {
    using T = scalar_of<V>;
    return {{V(T(beta)) * (kept_here[0] - c.p * a.p), V(T(1 - beta)) * (kept_here[1] - c.q * a.q)}};
  }
  constexpr option_defect defect() const noexcept {
    return beta > 0 && beta < 1 ? option_defect{}
                                : option_defect{"beta", beta, "between 0 and 1, both excluded"};
  }

 private:
  SAGE_HD SAGE_INLINE constexpr bool is_symmetric() const noexcept { return beta == 0.5; }

  /// What one class adds to the sums, and p log(p/m), q log(q/m).
  template <class V>
  struct sides {
    V p, q, both, p_log, q_log;
  };

  // KL(p‖m) and KL(q‖m) serve the gradient alone, beside log(p/m) and log(q/m): rounding of their order may stay in
  // them. With m − p and m − q, which sum to 0, they are sums of what is not negative, and lose less by rounding.
  template <class V>
  SAGE_HD SAGE_INLINE sides<V> symmetric(probability_pair<V> const& c) const {
    using T = scalar_of<V>;
    V const sum = c.p + c.q, apart = math::magnitude(c.difference);
    V const s = math::fraction(apart, math::larger(sum, math::smallest_normal<V>()));
    V const s2 = s * s;
    // Beyond the ratio of the largest to the smallest number the lesser is 0, and 0 · ∞ must not arise.
    V const limit = V(T(std::numeric_limits<T>::max_exponent + std::numeric_limits<T>::digits));
    V const log_greater = math::log1p_of_fraction(s);
    V const log_lesser = log_greater - math::smaller(math::magnitude(c.log_ratio), limit);
    auto const p_greater = c.difference > V(0);
    V const p_log = c.p * math::select(p_greater, log_greater, log_lesser);
    V const q_log = c.q * math::select(p_greater, log_lesser, log_greater);
    V const m_less_q = V(T(0.5)) * c.difference;
    V const near = math::magnitude(m_less_q) * s * math::entropy_deficit(s2);
    return {p_log - m_less_q, q_log + m_less_q, math::select(s2 < V(T(0.25)), near, V(p_log + q_log)), p_log,
            q_log};
  }

  template <class V>
  SAGE_HD SAGE_INLINE sides<V> skewed(probability_pair<V> const& c) const {
    using T = scalar_of<V>;
    side<V> const p = side_of(c.p, V(V(T(beta - 1)) * c.difference));
    side<V> const q = side_of(c.q, V(V(T(beta)) * c.difference));
    return {p.share, q.share, V(0), p.log, q.log};
  }

  /// p φ(u) and p log(p/m).
  template <class V>
  struct side {
    V share, log;
  };

  // v is m − p = p u. Where u is small p φ(u) comes from the series of φ, else from v − p log(m/p) with m = p + v, for
  // the linear terms must cancel to the last digit.
  template <class V>
  SAGE_HD SAGE_INLINE static side<V> side_of(V const& p, V const& v) {
    using T = scalar_of<V>;
    V const tiny = math::smallest_normal<V>();
    auto const is_near = math::magnitude(v) < V(T(0.25)) * p;
    // p = 0 contributes v. Neither m/p nor its logarithm must be infinite: 0 · ∞ would be NaN.
    V const divisor = math::larger(p, tiny), m = math::larger(V(p + v), tiny);
    math::logarithm<V> const l = math::log_or_log1p(is_near, V(math::select(is_near, v, m) / divisor));
    V const p_log = -p * l.log;
    return {math::select(is_near, V(p * l.defect), V(v + p_log)), p_log};
  }
};

SAGE_ABI_END
}  // namespace sage
