#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Kullback-Leibler divergence of two distributions, in nats.
///
///   KL(p‖q) = Σ p log(p/q) = Σ p (expm1(−δ) + δ),   δ = log p − log q
///
/// The second form adds Σ p expm1(−δ) = Σ (q − p) = 0: every term is ≥ 0 and none cancels at p ≈ q.
/// Edge: ∞ where q = 0 < p.
/// Source: torch.nn.functional.kl_div(log q, log p, log_target=True), whose first argument is q.
struct kullback_leibler {
  template <class V>
  struct sums {
    V s = V(0);  // KL(p‖q)
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c) const {
    using T = scalar_of<V>;
    // expm1(x) − x of the small x = −δ by its series: x²/2 + x³/6 + …
    V const x = -c.log_ratio;
    constexpr int terms = std::numeric_limits<T>::digits / 5 + 3;
    V series = V(0);
    SAGE_UNROLL
    for (int k = terms; k >= 0; --k) series = (V(1) + series) * x * V(T(1) / T(k + 3));
    V const near = x * x * V(T(0.5)) * (V(1) + series);
    V const term = math::select(math::magnitude(x) < V(T(0.5)), c.p * near, c.p * c.log_ratio - c.difference);
    a.s = a.s + math::select(c.p > V(0), term, c.q + c.p);  // p = 0: the term is q; NaN stays
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return a.s;
  }
  /// (p (δ − KL), q − p)
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a) const {
    V const zero_or_nan = c.p * V(0);
    return {{math::select(c.p > V(0), c.p * (c.log_ratio - a.s), zero_or_nan), -c.difference}};
  }
};

SAGE_ABI_END
}  // namespace sage
