#pragma once

#include <sage/core/config.hpp>
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
struct jensen_shannon {
  double beta = 0.5;

  static constexpr int kept = 2;  // p log(m/p), q log(m/q)
  static constexpr bool uses_log_ratio = false;

  template <class V>
  struct sums {
    V p = V(0), q = V(0);  // KL(p‖m), KL(q‖m)
  };

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c, Kept const& kept_here) const {
    using T = scalar_of<V>;
    V const b = V(T(beta)), rest = V(T(1 - beta));
    V const m = b * c.p + rest * c.q;
    side<V> const p = side_of(c.p, -rest * c.difference, m), q = side_of(c.q, b * c.difference, m);
    kept_here.set(0, p.log_term);
    kept_here.set(1, q.log_term);
    a.p = a.p + p.divergence;
    a.q = a.q + q.divergence;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.p = a.p + b.p;
    a.q = a.q + b.q;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return V(scalar_of<V>(beta)) * a.p + V(scalar_of<V>(1 - beta)) * a.q;
  }
  /// β p (log(p/m) − KL(p‖m)), (1−β) q (log(q/m) − KL(q‖m)).
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a,
                                           Kept const& kept_here) const {
    using T = scalar_of<V>;
    return {{-V(T(beta)) * (kept_here[0] + c.p * a.p), -V(T(1 - beta)) * (kept_here[1] + c.q * a.q)}};
  }
  constexpr bool valid() const noexcept { return beta > 0 && beta < 1; }

 private:
  template <class V>
  struct side {
    V divergence;  // p φ(u)
    V log_term;    // p log(m/p)
  };

  // `v` is m − p = p u. Where u is small p φ(u) comes from the series of φ, else from v − p log(m/p).
  template <class V>
  SAGE_HD SAGE_INLINE side<V> side_of(V const& p, V const& v, V const& m) const {
    using T = scalar_of<V>;
    auto const is_near = math::magnitude(v) < V(T(0.25)) * p;
    // p = 0 contributes v. m/p must not be infinite: 0 · ∞ would be NaN.
    V const divisor = math::larger(p, V(std::numeric_limits<T>::min()));
    math::logarithm<V> const l = math::log_or_log1p(is_near, math::select(is_near, v, m) / divisor);
    V const log_term = p * l.log;
    return {math::select(is_near, p * l.defect, v - log_term), log_term};
  }
};

SAGE_ABI_END
}  // namespace sage
