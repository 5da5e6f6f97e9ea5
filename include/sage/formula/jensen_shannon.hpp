#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

#include <limits>

namespace sage {
SAGE_ABI_BEGIN

/// Jensen-Shannon divergence of two distributions, in nats.
///
///   JS = β KL(p‖m) + (1 − β) KL(q‖m),   m = βp + (1 − β)q,   0 ≤ JS ≤ ln 2 at β = ½
///
/// With δ = log p − log q, u_p = (1−β) expm1(−δ), u_q = β expm1(δ) and φ(u) = u − log1p(u) ≥ 0 the first-order terms
/// cancel exactly: KL(p‖m) = Σ p φ(u_p), KL(q‖m) = Σ q φ(u_q). No digits are lost at p ≈ q, where the textbook sum
/// loses all of them, and no value is negative.
///
/// A divergence is a class with these members, called with one class's probabilities p, q and their log ratio δ; a
/// user's own stands in the place of this one.
struct jensen_shannon {
  double beta = 0.5;

  template <class V>
  struct sums {
    V p = V(0), q = V(0);  // KL(p‖m), KL(q‖m)
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& p, V const& q, V const& delta) const {
    using T = scalar_of<V>;
    ratio<V> const r = ratio_of(p, q, delta);
    V const log1p_s = r.a + r.log_g;  // log(m/s)
    V const greater = r.g * math::log1p_defect(r.u_g, r.log_g);
    V const near = r.s * math::log1p_defect(r.w_g * (-r.em / (V(1) + r.em)), log1p_s);
    V const far = r.g * (r.w_g * -r.em) - r.s * log1p_s;  // s u_s = w_g (g − s), with e^δ factored out
    V const smaller = math::select(r.a < V(T(0.2)), near, far);
    a.p = a.p + math::select(r.p_greater, greater, smaller);
    a.q = a.q + math::select(r.p_greater, smaller, greater);
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
  /// (∂JS/∂log-odds of p, of q): β p (log(p/m) − KL(p‖m)), (1−β) q (log(q/m) − KL(q‖m)).
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& p, V const& q, V const& delta, sums<V> const& a) const {
    ratio<V> const r = ratio_of(p, q, delta);
    V const greater = -r.log_g, smaller = -(r.a + r.log_g);
    V const log_p_m = math::select(r.p_greater, greater, smaller);
    V const log_q_m = math::select(r.p_greater, smaller, greater);
    return {{V(scalar_of<V>(beta)) * p * (log_p_m - a.p), V(scalar_of<V>(1 - beta)) * q * (log_q_m - a.q)}};
  }
  constexpr bool valid() const noexcept { return beta > 0 && beta < 1; }

 private:
  // The pair ordered by size: g the greater probability, s the smaller, so that only e^−|δ| ≤ 1 is formed.
  template <class V>
  struct ratio {
    decltype(V() < V()) p_greater;
    V g, s;
    V a;      // |δ| = log(g/s)
    V em;     // expm1(−a)
    V w_g;    // weight of g in m
    V u_g;    // m/g − 1
    V log_g;  // log(m/g)
  };

  template <class V>
  SAGE_HD SAGE_INLINE ratio<V> ratio_of(V const& p, V const& q, V const& delta) const {
    using math::expm1, math::log1p;
    using T = scalar_of<V>;
    ratio<V> r;
    r.p_greater = delta >= V(0);
    r.g = math::select(r.p_greater, p, q);
    r.s = math::select(r.p_greater, q, p);
    // Beyond the ratio of the largest to the smallest number s is 0, and 0 · ∞ must not arise.
    V const limit = V(T(std::numeric_limits<T>::max_exponent + std::numeric_limits<T>::digits));
    r.a = math::smaller(math::magnitude(delta), limit);
    r.em = expm1(-r.a);
    V const w_s = math::select(r.p_greater, V(T(1 - beta)), V(T(beta)));
    r.w_g = V(1) - w_s;
    r.u_g = w_s * r.em;
    r.log_g = log1p(r.u_g);
    return r;
  }
};

SAGE_ABI_END
}  // namespace sage
