#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Kullback-Leibler divergence the other way round, in nats: what p misses of q.
///
///   KL(q‖p) = Σ q log(q/p)
///
/// Edge: ∞ where p = 0 < q.
/// Source: torch.nn.functional.kl_div(log p, log q, log_target=True), whose first argument is p.
struct reverse_kullback_leibler {
  template <class V>
  using sums = kullback_leibler::sums<V>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c) const {
    kullback_leibler{}.accumulate(a, turned(c));
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    kullback_leibler{}.combine(a, b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return kullback_leibler{}.value(a);
  }
  /// (p − q, q (−δ − KL))
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a) const {
    auto const g = kullback_leibler{}.gradient(turned(c), a);
    return {{g[1], g[0]}};
  }

 private:
  template <class V>
  SAGE_HD SAGE_INLINE static probability_pair<V> turned(probability_pair<V> const& c) {
    return {c.q, c.p, -c.difference, -c.log_ratio, -c.apart};
  }
};

SAGE_ABI_END
}  // namespace sage
