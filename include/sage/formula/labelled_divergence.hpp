#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/cross_entropy.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of three losses of two rows of logits z, z⁺ with a label y, which share their exponentials:
///
///   CE(z, y),   CE(z⁺, y),   D(softmax(z/T), softmax(z⁺/T))
///
/// Those of the divergence are, at T = 1, what cross entropy needs, and at T = 2 its root: e^x = (e^(x/2))². The gradient is
/// that of CE(z, y) + w_p CE(z⁺, y) + w_d D; the losses are given before their weights. `Divergence` is softmax_divergence<…> or
/// derived from it: its kept values begin with p̃ and q̃, or with p and q from the last pass on.
template <class Divergence>
struct labelled_divergence {
  static constexpr int inputs = 2, gradients = 2, losses = 3;
  static constexpr int kept = Divergence::kept;
  static constexpr bool hinged = false;

  Divergence divergence{};
  cross_entropy_formula classification{};
  double positive_weight = 1, divergence_weight = 1;  // w_p, w_d

  /// Are the exponentials of this temperature shared?
  static constexpr bool shares_at(double temperature) noexcept {
    return temperature == 1 || temperature == 2;
  }

  template <class V>
  using maxima = typename Divergence::template maxima<V>;
  template <class V>
  using shifts = typename Divergence::template shifts<V>;
  template <class V>
  using sums = typename Divergence::template sums<V>;

  template <class V>
  struct exponentials {
    static constexpr int partial_states = 1, steps = Divergence::template exponentials<V>::steps;
    typename Divergence::template exponentials<V> of{};
    cross_entropy_formula::sums<V> x{}, plus{};
  };
  template <class V>
  struct normalizers {
    typename Divergence::template normalizers<V> of;
    cross_entropy_formula::sums<V> x, plus;
  };
  template <class V>
  struct result {
    lanes<V, 3> loss;
    cross_entropy_formula::result<V> x, plus;
    typename Divergence::template result<V> of;
  };
  template <class V>
  using passes = pass_list<maxima<V>, exponentials<V>, sums<V>>;

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(maxima<V>& a, lanes<V, 2> const& z, row<V> const& r,
                                      Kept const& kept_here) const {
    divergence.accumulate(a, z, r, kept_here);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(maxima<V>& a, maxima<V> const& b) const {
    divergence.combine(a, b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE shifts<V> conclude(maxima<V> const& a, row<V> const& r) const {
    return divergence.conclude(a, r);
  }

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(exponentials<V>& a, lanes<V, 2> const& z, row<V> const& r,
                                      Kept const& kept_here, shifts<V> const& m) const {
    divergence.accumulate(a.of, z, r, kept_here, m);
    classify(a, z, r, kept_here, m);
  }
  template <int I, class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<I> s, exponentials<V>& a, lanes<V, 2> const& z, row<V> const& r,
                                      Kept const& kept_here, shifts<V> const& m) const {
    divergence.accumulate(s, a.of, z, r, kept_here, m);
    if constexpr (I + 1 == exponentials<V>::steps) classify(a, z, r, kept_here, m);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(exponentials<V>& a, exponentials<V> const& b) const {
    divergence.combine(a.of, b.of);
    classification.combine(a.x, b.x);
    classification.combine(a.plus, b.plus);
  }
  template <class V>
  SAGE_HD SAGE_INLINE normalizers<V> conclude(exponentials<V> const& a, row<V> const& r,
                                              shifts<V> const& m) const {
    return {divergence.conclude(a.of, r, m), a.x, a.plus};
  }

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 2> const& z, row<V> const& r,
                                      Kept const& kept_here, shifts<V> const& m,
                                      normalizers<V> const& n) const {
    divergence.accumulate(a, z, r, kept_here, m, n.of);
  }
  template <int I, class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<I> s, sums<V>& a, lanes<V, 2> const& z, row<V> const& r,
                                      Kept const& kept_here, shifts<V> const& m,
                                      normalizers<V> const& n) const {
    divergence.accumulate(s, a, z, r, kept_here, m, n.of);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    divergence.combine(a, b);
  }

  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, shifts<V> const& m, normalizers<V> const& n,
                                         sums<V> const& a) const {
    auto const weighted = [&](double weight) {
      row<V> of = r;
      of.upstream = r.upstream * V(scalar_of<V>(weight));
      return of;
    };
    result<V> s{{},
                classification.finalize(r, {}, n.x),
                classification.finalize(weighted(positive_weight), {}, n.plus),
                divergence.finalize(weighted(divergence_weight), m, n.of, a)};
    if constexpr (Divergence::keeps_probabilities) {  // of what is kept, in the place of exponentials
      s.x.normalizer = s.x.normalizer * exponential_of_sum(n.of.p);
      s.plus.normalizer = s.plus.normalizer * exponential_of_sum(n.of.q);
    }
    s.loss[0] = s.x.loss;
    s.loss[1] = s.plus.loss;
    s.loss[2] = s.of.loss;
    return s;
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const& z, row<V> const& r, Kept const& kept_here,
                                           result<V> const& s) const {
    auto const here = r.at_label();
    lanes<V, 2> g = divergence.gradient(z, r, kept_here, s.of);
    g[0] = g[0] + classification.gradient_of(exponential(kept_here[0]), here, s.x);
    g[1] = g[1] + classification.gradient_of(exponential(kept_here[1]), here, s.plus);
    return g;
  }

 private:
  // Adds a class to the sums of both cross entropies.
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void classify(exponentials<V>& a, lanes<V, 2> const& z, row<V> const& r,
                                    Kept const& kept_here, shifts<V> const& m) const {
    auto const here = r.at_label();
    cross_entropy_formula::add(a.x, here, V(z[0] - m.p), exponential(kept_here[0]));
    cross_entropy_formula::add(a.plus, here, V(z[1] - m.q), exponential(kept_here[1]));
  }
  /// (Σ p̃)^T of 1/Σ p̃, for which p = p̃/Σ p̃ makes e^(z − max z) of its T-th power.
  template <class V>
  SAGE_HD SAGE_INLINE V exponential_of_sum(V const& normalizer) const {
    V const sum = V(1) / normalizer;
    return divergence.temperature == 1 ? sum : V(sum * sum);
  }
  /// e^(z − max z) of e = e^((z − max z)/T) ≤ 1.
  template <class V>
  SAGE_HD SAGE_INLINE V exponential(V const& e) const {
    return e * math::larger(e, V(scalar_of<V>(divergence.temperature == 1 ? 1 : 0)));
  }
};

SAGE_ABI_END
}  // namespace sage
