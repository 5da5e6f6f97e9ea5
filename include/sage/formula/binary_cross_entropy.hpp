#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of cross entropy of independent labels, one logit each; operands z, targets y, then weights w
/// of the elements and weights P of the positive case where the loss has them:
///
///   l = s Σ_k a_k softplus(−z_k) + b_k softplus(z_k),   a = w P y', b = w (1 − y'),   y' = (1 − ε) y + ε/2
///   ∂l/∂z = s (b σ(z) − a σ(−z)),   ∂l/∂y = s (1 − ε) w (P softplus(−z) − softplus(z))
///
/// with s = 1, or 1/K for the mean over the labels. From e = exp(−|z|) ≤ 1 alone: softplus(z) = max(z, 0) +
/// log1p(e), σ(|z|) = 1/(1 + e), σ(−|z|) = e/(1 + e). Nothing overflows, and a confident prediction keeps its
/// digits.
/// Edge: a coefficient of 0 times an infinite softplus is 0.
template <bool Weighted, bool PositiveWeighted>
struct binary_cross_entropy_formula {
  static constexpr int inputs = 2 + Weighted + PositiveWeighted, gradients = 2;
  static constexpr bool hinged = false;
  static constexpr bool uses_column = false;

  double label_smoothing = 0;
  bool mean_over_labels = true;

  template <class V>
  struct sums {
    static constexpr int partial_states = 1;
    V loss = V(0);
  };
  template <class V>
  struct result {
    V loss;
    V scale;  // upstream · s
  };
  template <class V>
  using passes = pass_list<sums<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, inputs> const& x, row<V> const&) const {
    coefficients<V> const c = coefficients_of(x);
    softened<V> const s = soften(x[0]);
    a.loss = a.loss + math::select(c.positive == V(0), V(0), c.positive * (s.below + s.log1p_e)) +
             math::select(c.negative == V(0), V(0), c.negative * (s.above + s.log1p_e));
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.loss = a.loss + b.loss;
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, sums<V> const& a) const {
    V const scale = mean_over_labels ? V(1) / r.length : V(1);
    return {a.loss * scale, r.upstream * scale};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, inputs> const& x, row<V> const&,
                                           result<V> const& r) const {
    using T = scalar_of<V>;
    coefficients<V> const c = coefficients_of(x);
    softened<V> const s = soften(x[0]);
    V const share = V(1) / (V(1) + s.e);
    auto const is_positive = x[0] > V(0);
    V const above = math::select(is_positive, share, s.e * share),
            below = math::select(is_positive, s.e * share, share);
    V const d_logit = math::select(c.negative == V(0), V(0), c.negative * above) -
                      math::select(c.positive == V(0), V(0), c.positive * below);
    V const positive = positive_weight(x);
    V const d_target = (positive * s.below - s.above) + (positive - V(1)) * s.log1p_e;
    V const weight = V(T(1 - label_smoothing)) * element_weight(x);
    return {{r.scale * d_logit, r.scale * math::select(weight == V(0), V(0), weight * d_target)}};
  }

 private:
  template <class V>
  struct coefficients {
    V positive, negative;  // a, b
  };
  template <class V>
  struct softened {
    V above, below;  // max(z, 0), max(−z, 0)
    V e, log1p_e;    // exp(−|z|), log1p of it
  };

  template <class V>
  SAGE_HD SAGE_INLINE V element_weight(lanes<V, inputs> const& x) const {
    if constexpr (Weighted) return x[2];
    return V(1);
  }
  template <class V>
  SAGE_HD SAGE_INLINE V positive_weight(lanes<V, inputs> const& x) const {
    if constexpr (PositiveWeighted) return x[inputs - 1];
    return V(1);
  }
  template <class V>
  SAGE_HD SAGE_INLINE coefficients<V> coefficients_of(lanes<V, inputs> const& x) const {
    using T = scalar_of<V>;
    V const y = V(T(1 - label_smoothing)) * x[1] + V(T(label_smoothing / 2));
    V const w = element_weight(x);
    return {w * positive_weight(x) * y, w * (V(1) - y)};
  }
  template <class V>
  SAGE_HD SAGE_INLINE softened<V> soften(V const& z) const {
    using math::exp, math::log1p;
    V const e = exp(-math::magnitude(z));
    return {math::select(z < V(0), V(0), z), math::select(z > V(0), V(0), -z), e, log1p(e)};
  }
};

SAGE_ABI_END
}  // namespace sage
