#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/formula/reverse_kullback_leibler.hpp>
#include <sage/formula/skewed_jensen_shannon.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Jensen-Shannon divergence whose ends are the Kullback-Leibler divergences, as in distillation of language
/// models.
///
///   0 < β < 1: JS_β(p, q)      β = 0: KL(p‖q)      β = 1: KL(q‖p)
///
/// The ends are not limits of JS_β, which goes to 0 there, but of JS_β/β and JS_β/(1 − β).
/// Source: Agarwal et al., ICLR 2024. Equals LigerJSD(beta)(log q, log p) of Liger-Kernel and
///         generalized_jsd_loss of TRL, with p the teacher and q the student; both lose all digits at p ≈ q,
///         and give NaN for logits of −∞.
struct generalized_jensen_shannon {
  double beta = 0.5;

  static constexpr int kept = skewed_jensen_shannon::kept;

  template <class V>
  using sums = skewed_jensen_shannon::sums<V>;

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, probability_pair<V> const& c, Kept const& kept_here) const {
    if (beta > 0 && beta < 1) return skewed_jensen_shannon{beta}.accumulate(a, c, kept_here);
    kullback_leibler::sums<V> s{a.p};
    if (beta > 0) {
      reverse_kullback_leibler{}.accumulate(s, c);
    } else {
      kullback_leibler{}.accumulate(s, c);
    }
    a.p = s.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    skewed_jensen_shannon{beta}.combine(a, b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return beta > 0 && beta < 1 ? skewed_jensen_shannon{beta}.value(a) : a.p;
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(probability_pair<V> const& c, sums<V> const& a,
                                           Kept const& kept_here) const {
    if (beta > 0 && beta < 1) return skewed_jensen_shannon{beta}.gradient(c, a, kept_here);
    kullback_leibler::sums<V> const s{a.p};
    if (beta > 0) return reverse_kullback_leibler{}.gradient(c, s);
    return kullback_leibler{}.gradient(c, s);
  }
  constexpr option_defect defect() const noexcept { return detail::unless_share("beta", beta); }
};

SAGE_ABI_END
}  // namespace sage
