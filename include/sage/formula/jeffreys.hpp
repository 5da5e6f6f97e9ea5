#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Jeffreys divergence, in nats: the sum of the Kullback-Leibler divergences of both directions. Symmetric.
///
///   J = KL(p‖q) + KL(q‖p) = Σ (p − q) δ,   δ = log p − log q
///
/// No term is negative, and both factors are exact at p ≈ q.
/// Edge: ∞ where one of p, q is 0 and the other is not.
/// Source: Jeffreys, Proc. R. Soc. A 1946; the sum of two torch.nn.functional.kl_div calls.
struct jeffreys {
  template <class V>
  struct sums {
    V s = V(0);            // J
    V p = V(0), q = V(0);  // Σ p δ = KL(p‖q), Σ q δ = −KL(q‖p), to the precision that the gradient needs
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c) const {
    a.s = a.s + math::select(c.difference == V(0), V(0), c.difference * c.log_ratio);
    a.p = a.p + product(c.p, c.log_ratio);
    a.q = a.q + product(c.q, c.log_ratio);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
    a.p = a.p + b.p;
    a.q = a.q + b.q;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return a.s;
  }
  /// (p (δ − Σ p δ) + p − q, −q (δ − Σ q δ) − (p − q))
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a) const {
    return {
        {product(c.p, c.log_ratio - a.p) + c.difference, -product(c.q, c.log_ratio - a.q) - c.difference}};
  }

 private:
  // A probability of 0 times an infinite logarithm is 0.
  template <class V>
  SAGE_HD SAGE_INLINE static V product(V const& p, V const& x) {
    return math::select(p == V(0), V(0), p * x);
  }
};

SAGE_ABI_END
}  // namespace sage
