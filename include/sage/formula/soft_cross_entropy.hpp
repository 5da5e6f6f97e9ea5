#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Cross entropy with the soft targets p, in nats: what distillation minimises over q.
///
///   H(p, q) = −Σ p log q = KL(p‖q) + H(p),   H(p) = −Σ p log p
///   ∂H/∂z_p = p (−log q − H(p, q)),   ∂H/∂z_q = q − p
///
/// Both parts are ≥ 0. Of a class with p > ½, 1 − p is the sum of the others, and its logarithm log1p of
/// that: where p is nearly certain the entropy keeps its digits.
/// Edge: not 0 at p = q but H(p); ∞ where q = 0 < p.
/// Source: torch.nn.CrossEntropyLoss of z_q with the probabilities softmax(z_p), differentiated by both;
///         optax.softmax_cross_entropy.
struct soft_cross_entropy {
  template <class V>
  struct sums {
    V divergence = V(0);  // KL(p‖q)
    V entropy = V(0);     // −Σ p log p over p ≤ ½
    V mass = V(0);        // Σ p over p ≤ ½
    V certain = V(0);     // how many p > ½: 0 or 1
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c) const {
    using math::log;
    kullback_leibler::sums<V> d{a.divergence};
    kullback_leibler{}.accumulate(d, c);
    a.divergence = d.s;
    auto const is_certain = c.p > V(scalar_of<V>(0.5));
    V const p = math::select(is_certain, V(0), c.p);
    a.entropy = a.entropy - math::select(p == V(0), V(0), p * log(p));
    a.mass = a.mass + p;
    a.certain = a.certain + math::select(is_certain, V(1), V(0));
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.divergence = a.divergence + b.divergence;
    a.entropy = a.entropy + b.entropy;
    a.mass = a.mass + b.mass;
    a.certain = a.certain + b.certain;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    using math::log1p;
    V const of_certain = math::select(a.certain > V(0), (a.mass - V(1)) * log1p(-a.mass), V(0));
    return a.divergence + (a.entropy + of_certain);
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a) const {
    using math::log, math::log1p;
    auto const is_certain = c.p > V(scalar_of<V>(0.5));
    V const log_p = math::select(is_certain, log1p(-math::select(is_certain, a.mass, V(0))), log(c.p));
    V const d = c.p * ((c.log_ratio - log_p) - value(a));
    return {{math::select(c.p == V(0), V(0), d), -c.difference}};
  }
};

SAGE_ABI_END
}  // namespace sage
