#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of cross entropy with an integer target y and label smoothing ε over K classes, operand z:
///
///   l = (1 − ε) (lse − z_y) + ε/K Σ_k (lse − z_k),   lse = log Σ exp z
///   ∂l/∂z_k = p_k − (1 − ε) [k = y] − ε/K
///
/// z − max z is formed first; lse − z_y = log Σ exp(z − max) − (z_y − max). At the label p_y − 1 is −Σ_{k≠y} p_k,
/// formed from the sum of the others, so that a confident prediction keeps its gradient.
/// Edge: a logit of −∞ is a class of probability zero; with smoothing its loss is ∞, as in PyTorch.
struct cross_entropy_formula {
  static constexpr int inputs = 1, gradients = 1, kept = 1;  // exp(z − max)
  static constexpr bool hinged = false;

  double label_smoothing = 0;

  template <class V>
  struct maximum {
    V z = -math::infinity<V>();
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = 1;
    V others = V(0);    // Σ_{k≠y} exp(z_k − max)
    V at_label = V(0);  // z_y − max
    V shifted = V(0);   // Σ (z_k − max)
  };
  template <class V>
  struct result {
    V loss;
    V normalizer;  // 1/Σ exp(z − max)
    V label_gap;   // Σ_{k≠y} p_k
    V scale;       // upstream
    V uniform;     // ε/K
  };
  template <class V>
  using passes = pass_list<maximum<V>, sums<V>>;

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(maximum<V>& a, lanes<V, 1> const& z, row<V> const&, Kept const&) const {
    a.z = math::larger(z[0], a.z);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(maximum<V>& a, maximum<V> const& b) const {
    a.z = math::larger(b.z, a.z);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 1> const& z, row<V> const& r,
                                      Kept const& kept_here, maximum<V> const& m) const {
    V const x = z[0] - m.z;
    V const e = math::exp_of_product(x, math::exponent_factor_of<V>(1));
    kept_here.set(0, e);
    add(a, r.at_label(), x, e);
  }
  /// One class: is it the label, z − max and its exponential.
  template <class Mask, class V>
  SAGE_HD SAGE_INLINE static void add(sums<V>& a, Mask const& here, V const& x, V const& e) {
    a.others = a.others + math::select(here, V(0), e);
    a.at_label = a.at_label + math::select(here, x, V(0));
    a.shifted = a.shifted + x;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.others = a.others + b.others;
    a.at_label = a.at_label + b.at_label;
    a.shifted = a.shifted + b.shifted;
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, maximum<V> const&, sums<V> const& a) const {
    using math::exp, math::log, math::log1p;
    using T = scalar_of<V>;
    V const own = exp(a.at_label);
    V const total = own + a.others;
    // Where the label is the maximum, log Σ is log1p of the others: small losses keep their digits.
    V const log_total = math::select(a.at_label == V(0), log1p(a.others), log(total));
    V loss = log_total - a.at_label;
    V uniform = V(0);
    if (label_smoothing > 0) {
      uniform = V(T(label_smoothing)) / r.length;
      loss = V(T(1 - label_smoothing)) * loss + uniform * (r.length * log_total - a.shifted);
    }
    return {loss, V(1) / total, a.others / total, r.upstream, uniform};
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 1> gradient(lanes<V, 1> const&, row<V> const& r, Kept const& kept_here,
                                           result<V> const& s) const {
    return {{gradient_of(kept_here[0], r.at_label(), s)}};
  }
  template <class Mask, class V>
  SAGE_HD SAGE_INLINE V gradient_of(V const& e, Mask const& here, result<V> const& s) const {
    V const p = e * s.normalizer;
    V const at_label = V(scalar_of<V>(label_smoothing)) - s.label_gap;  // p_y − (1 − ε)
    return s.scale * (math::select(here, at_label, p) - s.uniform);
  }
};

SAGE_ABI_END
}  // namespace sage
