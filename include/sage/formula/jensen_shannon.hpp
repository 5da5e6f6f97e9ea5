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
/// the log ratio: one logarithm and one division for both, of the greater probability.
struct jensen_shannon {
  double beta = 0.5;

  static constexpr int kept = 2;  // p log(p/m), q log(q/m)

  template <class V>
  struct sums {
    V p = V(0), q = V(0);  // KL(p‖m), KL(q‖m)
  };

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c, Kept const& kept_here) const {
    sides<V> const r = beta == 0.5 ? symmetric(c) : skewed(c);
    kept_here.set(0, r.p_log);
    kept_here.set(1, r.q_log);
    a.p = a.p + r.p;
    a.q = a.q + r.q;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.p = a.p + b.p;
    a.q = a.q + b.q;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    // Shares of denormal probabilities may be rounded below 0.
    return math::larger(V(0), V(V(scalar_of<V>(beta)) * a.p + V(scalar_of<V>(1 - beta)) * a.q));
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
  /// One class's share of KL(p‖m) and KL(q‖m), each with what makes it ≥ 0, and p log(p/m), q log(q/m).
  template <class V>
  struct sides {
    V p, q, p_log, q_log;
  };

  // With g the greater of p and q, l the lesser, σ = |s|, D = σ − log(1 + σ) and a = |δ| = 2 artanh σ:
  //   g log(g/m) + (m − g) = g log(1 + σ) − m σ = m σ² − g D
  //   l log(l/m) + (m − l) = l log(1 − σ) + m σ = m σ² − l (D + a − 2σ),   log(1 − σ) = log(1 + σ) − a
  // The last forms serve small σ, where the others cancel.
  template <class V>
  SAGE_HD SAGE_INLINE sides<V> symmetric(probability_pair<V> const& c) const {
    using T = scalar_of<V>;
    V const half = V(T(0.5));
    V const sum = c.p + c.q;
    auto const p_greater = c.difference > V(0);
    V const g = math::select(p_greater, c.p, c.q), l = math::select(p_greater, c.q, c.p);
    V const s =
        math::fraction(math::magnitude(c.difference), math::larger(sum, math::smallest_normal<V>()));
    V const s2 = s * s;
    auto const is_near = s < V(T(0.25));
    math::logarithm<V> const g_log = math::log1p_of_fraction(s);
    V const l_defect = g_log.defect + V(2) * math::artanh_excess(s, s2);
    // Beyond the ratio of the largest to the smallest number l is 0, and 0 · ∞ must not arise.
    V const limit = V(T(std::numeric_limits<T>::max_exponent + std::numeric_limits<T>::digits));
    V const far_l_log = g_log.log - math::smaller(math::magnitude(c.log_ratio), limit);
    V const l_log = math::select(is_near, -s - l_defect, far_l_log);
    V const g_term = g * g_log.log, l_term = l * l_log;
    V const ms = half * math::magnitude(c.difference), ms2 = half * sum * s2;
    V const g_share = math::select(is_near, ms2 - g * g_log.defect, g_term - ms);
    V const l_share = math::select(is_near, ms2 - l * l_defect, l_term + ms);
    return {math::select(p_greater, g_share, l_share), math::select(p_greater, l_share, g_share),
            math::select(p_greater, g_term, l_term), math::select(p_greater, l_term, g_term)};
  }

  template <class V>
  SAGE_HD SAGE_INLINE sides<V> skewed(probability_pair<V> const& c) const {
    using T = scalar_of<V>;
    V const b = V(T(beta)), rest = V(T(1 - beta));
    sides<V> r;
    one_side(c.p, V(-rest * c.difference), r.p, r.p_log);
    one_side(c.q, V(b * c.difference), r.q, r.q_log);
    return r;
  }

  // p φ(u) and p log(p/m); v is m − p = p u. Where u is small p φ(u) comes from the series of φ, else from
  // v − p log(m/p) with m = p + v, for the linear terms must cancel to the last digit.
  template <class V>
  SAGE_HD SAGE_INLINE static void one_side(V const& p, V const& v, V& share, V& p_log) {
    using T = scalar_of<V>;
    V const tiny = math::smallest_normal<V>();
    auto const is_near = math::magnitude(v) < V(T(0.25)) * p;
    // p = 0 contributes v. Neither m/p nor its logarithm must be infinite: 0 · ∞ would be NaN.
    V const divisor = math::larger(p, tiny), m = math::larger(V(p + v), tiny);
    math::logarithm<V> const l = math::log_or_log1p(is_near, V(math::select(is_near, v, m) / divisor));
    p_log = -p * l.log;
    share = math::select(is_near, p * l.defect, v + p_log);
  }
};

SAGE_ABI_END
}  // namespace sage
