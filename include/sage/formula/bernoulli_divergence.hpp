#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of a divergence between yes-or-no distributions, one logit each; operands z, z⁺:
///
///   l = f s Σ_k D((p_k, 1 − p_k), (q_k, 1 − q_k)),   p = σ(z/T),  q = σ(z⁺/T)
///
/// with s = 1, or 1/K for the mean over the labels. A label is a softmax of two classes with the logits z and
/// 0; with x = (z − z⁺)/T and y = |x|
///
///   p − q = ± p q' (1 − e^−y), the larger probability times the other distribution's complement,
///   log p − log q = −log1p((1 − q) expm1(−x)) near, the difference of the log-sigmoids far
///
/// so that nothing cancels at z ≈ z⁺, and nothing overflows.
/// Edge: equal logits, also infinite ones, contribute 0.
template <class Divergence>
struct bernoulli_divergence {
  static_assert(
      !requires { typename Divergence::row_program; },
      "sage: squared_error is of logits, not of distributions: it goes with consistency_loss only");

  static constexpr int inputs = 2, gradients = 2;
  static constexpr bool hinged = false;
  static constexpr bool uses_column = false;

  Divergence divergence{};
  double temperature = 1;
  double factor = 1;
  bool mean_over_labels = true;

  template <class V>
  struct sums {
    static constexpr int partial_states = 1;
    V loss = V(0);
  };
  template <class V>
  struct result {
    V loss;
    V scale;  // upstream · f s/T
  };
  template <class V>
  using passes = pass_list<sums<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 2> const& z, row<V> const&) const {
    a.loss = a.loss + divergence.value(label_of(z).of);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.loss = a.loss + b.loss;
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, sums<V> const& a) const {
    using T = scalar_of<V>;
    V const share = mean_over_labels ? V(T(factor)) / r.length : V(T(factor));
    return {a.loss * share, r.upstream * share * V(T(1 / temperature))};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const& z, row<V> const&, result<V> const& r) const {
    label<V> l = label_of(z);
    lanes<V, 2> const g = detail::gradient_of_class(divergence, l.yes, l.of, kept_here<V>{l.kept_yes});
    return {{g[0] * r.scale, g[1] * r.scale}};
  }

 private:
  static constexpr int kept = detail::kept_by_divergence<Divergence>;

  // What a divergence keeps of one class.
  template <class V>
  struct kept_here {
    V* at;
    SAGE_HD SAGE_INLINE V const& operator[](int i) const { return at[i]; }
    SAGE_HD SAGE_INLINE void set(int i, V const& x) const { at[i] = x; }
  };
  // One logit of both rows: its two classes, of which the gradient needs the first, and their sums.
  template <class V>
  struct label {
    probability_pair<V> yes;
    typename Divergence::template sums<V> of{};
    V kept_yes[kept > 0 ? kept : 1], kept_no[kept > 0 ? kept : 1];
  };
  // σ(x), σ(−x) and their logarithms.
  template <class V>
  struct sigmoid {
    V yes, no, log_yes, log_no;
  };

  template <class V>
  SAGE_HD SAGE_INLINE sigmoid<V> sigmoid_of(V const& x) const {
    using math::exp, math::log1p;
    V const e = exp(-math::magnitude(x)), share = V(1) / (V(1) + e), rest = log1p(e);
    auto const positive = x > V(0);
    V const small = e * share;
    return {math::select(positive, share, small), math::select(positive, small, share),
            math::select(positive, V(0), x) - rest, math::select(positive, -x, V(0)) - rest};
  }

  template <class V>
  SAGE_HD SAGE_INLINE label<V> label_of(lanes<V, 2> const& z) const {
    using math::expm1, math::log1p;
    using T = scalar_of<V>;
    V const t = V(T(1 / temperature)), zero = V(0);
    V const x = math::select(z[0] == z[1], zero, math::rounded(z[0] - z[1]) * t);
    sigmoid<V> const p = sigmoid_of(z[0] * t), q = sigmoid_of(z[1] * t);
    auto const up = x > zero;
    V const apart = -expm1(-math::magnitude(x));
    V const difference = math::select(up, p.yes * q.no, -(q.yes * p.no)) * apart;
    auto const near = math::magnitude(x) < V(1);
    V const small = math::select(near, x, zero);
    V const log_yes = math::select(near, -log1p(q.no * expm1(-small)), p.log_yes - q.log_yes);
    V const log_no = math::select(near, -log1p(q.yes * expm1(small)), p.log_no - q.log_no);
    label<V> r;
    r.yes = {p.yes, q.yes, difference, log_yes, log_yes};
    probability_pair<V> const no{p.no, q.no, -difference, log_no, log_no};
    detail::accumulate_class(divergence, r.of, r.yes, kept_here<V>{r.kept_yes});
    detail::accumulate_class(divergence, r.of, no, kept_here<V>{r.kept_no});
    return r;
  }
};

SAGE_ABI_END
}  // namespace sage
