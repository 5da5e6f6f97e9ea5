#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Jensen-Shannon divergence that weighs its two distributions differently, in nats.
///
///   JS_β = β KL(p‖m) + (1 − β) KL(q‖m),   m = βp + (1 − β)q
///
/// With u_p = m/p − 1 = (1−β)(q − p)/p, u_q = β(p − q)/q and φ(u) = u − log(1 + u) ≥ 0 the first-order terms cancel
/// exactly: KL(p‖m) = Σ p φ(u_p), KL(q‖m) = Σ q φ(u_q). No digits are lost at p ≈ q, and no value is negative.
/// At β = ½ it is jensen_shannon, which takes half of the logarithms.
struct skewed_jensen_shannon {
  double beta = 0.5;

  static constexpr int kept = 2;  // p log(p/m), q log(q/m)

  template <class V>
  struct sums {
    V p = V(0), q = V(0);  // KL(p‖m), KL(q‖m)
  };

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c, Kept const& kept_here) const {
    using T = scalar_of<V>;
    side<V> const p = side_of(c.p, V(V(T(beta - 1)) * c.difference));
    side<V> const q = side_of(c.q, V(V(T(beta)) * c.difference));
    kept_here.set(0, p.log);
    kept_here.set(1, q.log);
    a.p = a.p + p.share;
    a.q = a.q + q.share;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.p = a.p + b.p;
    a.q = a.q + b.q;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    // Shares of denormal probabilities may be rounded below 0.
    using T = scalar_of<V>;
    return math::larger(V(0), V(V(T(beta)) * a.p + V(T(1 - beta)) * a.q));
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
