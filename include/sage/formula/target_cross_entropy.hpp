#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Target of a class by its label, operands z, w:    τ_k = w_k ((1 − ε) [k = y] + ε/K)
struct weighted_labels {
  static constexpr int inputs = 2, gradients = 1;

  template <class V>
  SAGE_HD SAGE_INLINE V target(lanes<V, 2> const& x, row<V> const& r, V const& hard, V const& uniform) const {
    return x[1] * (math::select(r.at_label(), hard, V(0)) + uniform);
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 1> gradient(lanes<V, 2> const&, V const& d_logit, V const&) const {
    return {{d_logit}};
  }
};

/// Target given as a number, operands z, t:    τ_k = (1 − ε) t_k + ε/K
struct probabilities {
  static constexpr int inputs = 2, gradients = 2;

  template <class V>
  SAGE_HD SAGE_INLINE V target(lanes<V, 2> const& x, row<V> const&, V const& hard, V const& uniform) const {
    return hard * x[1] + uniform;
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const&, V const& d_logit, V const& d_target) const {
    return {{d_logit, d_target}};
  }
};

/// The same with a weight for every class, operands z, t, w:    τ_k = w_k ((1 − ε) t_k + ε/K)
struct weighted_probabilities {
  static constexpr int inputs = 3, gradients = 2;

  template <class V>
  SAGE_HD SAGE_INLINE V target(lanes<V, 3> const& x, row<V> const&, V const& hard, V const& uniform) const {
    return x[2] * (hard * x[1] + uniform);
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 3> const& x, V const& d_logit, V const& d_target) const {
    return {{d_logit, x[2] * d_target}};
  }
};

/// Row program of cross entropy with a number τ_k ≥ 0 for every class, which `Targets` makes of label,
/// probabilities, class weights w and smoothing ε; operand z first:
///
///   l = Σ_k τ_k (lse − z_k) = S log Σ exp(z − max) − Σ τ_k (z_k − max),   S = Σ τ
///   ∂l/∂z_k = S p_k − τ_k = (S − τ_k) p_k − τ_k (1 − p_k)
///   ∂l/∂t_k = (1 − ε) w_k (lse − z_k)
///
/// Both parts of the loss are ≥ 0. The logarithm is log1p of the sum without one maximum, and there 1 − p_k
/// is that sum's share: a confident prediction keeps the digits of its loss and gradient.
/// Edge: a logit of −∞ adds nothing where τ = 0, and makes the loss ∞ where τ > 0; a row of nothing but −∞,
/// or with +∞ or NaN, gives NaN.
template <class Targets>
struct target_cross_entropy_formula {
  static constexpr int inputs = Targets::inputs, gradients = Targets::gradients;
  static constexpr bool hinged = false;

  Targets targets{};
  double label_smoothing = 0;

  template <class V>
  struct maximum {
    V z = -math::infinity<V>();
  };
  template <class V>
  struct prepared {
    V max;
    V hard, uniform;  // 1 − ε, ε/K
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = 1;
    V lower = V(0);    // Σ exp(z − max) over z < max
    V maxima = V(0);   // how many are max
    V mass = V(0);     // Σ τ
    V shifted = V(0);  // Σ τ (z − max)
  };
  template <class V>
  struct result {
    V loss;
    V scale;  // upstream
    prepared<V> of;
    V normalizer;  // 1/Σ exp(z − max)
    V log_total;   // log Σ exp(z − max)
    V gap;         // 1 − p at a maximum
    V mass;
  };
  template <class V>
  using passes = pass_list<maximum<V>, sums<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(maximum<V>& a, lanes<V, inputs> const& x, row<V> const&) const {
    a.z = math::larger(x[0], a.z);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(maximum<V>& a, maximum<V> const& b) const {
    a.z = math::larger(b.z, a.z);
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> conclude(maximum<V> const& a, row<V> const& r) const {
    using T = scalar_of<V>;
    return {a.z, V(T(1 - label_smoothing)), V(T(label_smoothing)) / r.length};
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, inputs> const& x, row<V> const& r,
                                      prepared<V> const& c) const {
    using math::exp;
    V const z = x[0] - c.max;
    V const t = targets.target(x, r, c.hard, c.uniform);
    auto const is_maximum = z == V(0);
    a.lower = a.lower + math::select(is_maximum, V(0), exp(z));
    a.maxima = a.maxima + math::select(is_maximum, V(1), V(0));
    a.mass = a.mass + t;
    a.shifted = a.shifted + math::select(t == V(0), V(0), t * z);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.lower = a.lower + b.lower;
    a.maxima = a.maxima + b.maxima;
    a.mass = a.mass + b.mass;
    a.shifted = a.shifted + b.shifted;
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, prepared<V> const& c, sums<V> const& a) const {
    using math::log1p;
    // Not lower + (maxima − 1) alone, which -ffast-math may sum in the other order.
    V const others = math::select(a.maxima == V(1), a.lower, a.lower + (a.maxima - V(1)));
    V const normalizer = V(1) / (a.lower + a.maxima), log_total = log1p(others);
    return {
        a.mass * log_total - a.shifted, r.upstream, c, normalizer, log_total, others * normalizer, a.mass};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, gradients> gradient(lanes<V, inputs> const& x, row<V> const& r,
                                                   result<V> const& s) const {
    using math::exp;
    V const z = x[0] - s.of.max;
    V const t = targets.target(x, r, s.of.hard, s.of.uniform);
    V const p = exp(z) * s.normalizer;
    V const rest = math::select(z == V(0), s.gap, V(1) - p);
    return targets.gradient(x, s.scale * (math::rounded(s.mass - t) * p - t * rest),
                            s.scale * s.of.hard * (s.log_total - z));
  }
};

SAGE_ABI_END
}  // namespace sage
