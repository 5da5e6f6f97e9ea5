#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/probability_pair.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of a divergence between the distributions of two rows of logits at a temperature:
///
///   p = softmax(z_p/T),  q = softmax(z_q/T),  l = D(p, q)
///
/// Three passes: maxima; sums of exponentials, which are kept; the divergence. Of p̃ = exp((z_p − max z_p)/T) and q̃ the
/// greater is an exponential, the lesser its share e^−|x|, x = ((z_p − z_q) − (max z_p − max z_q))/T. Then
///
///   p − q = (d − q Σd)/Σp̃,   d = p̃ − q̃         δ = log p − log q = x − c,   c = log Σp̃ − log Σq̃ = log1p(Σd/Σq̃)
///
/// keep their relative precision however close the logits are.
///
/// A divergence is a class with
///
///   template <class V> struct sums;                                            // its state
///   void accumulate(sums<V>&, probability_pair<V> const&) const;               // one class
///   void combine(sums<V>&, sums<V> const&) const;
///   V value(sums<V> const&) const;
///   lanes<V, 2> gradient(probability_pair<V> const&, sums<V> const&) const;    // T ∂D/∂z_p, T ∂D/∂z_q at one class
///   option_defect defect() const;                                              // may be missing: no option to check
///
/// It may keep values of every class for its gradient: `static constexpr int kept = n`, and accumulate and gradient
/// take an object k as last argument, with k.set(i, x) and k[i]. One that works long on a class may do it in steps, `static
/// constexpr int steps = n`: `void prepare(step<i>, probability_pair<V> const&, k) const`, i = 0 … n − 2, come before
/// accumulate, and hand on by k what they compute; its gradient then has of the pair p and q only.
/// `static constexpr bool uses_log_ratio = false` spares the logarithms of the normalizers.
///
/// Edge: a logit of −∞ is a class of probability zero; a row of nothing but −∞, or with +∞ or NaN, gives NaN.
template <class Divergence>
struct softmax_divergence {
  static_assert(
      !requires { typename Divergence::row_program; },
      "sage: squared_error is of logits, not of distributions: it goes with consistency_loss only");

  static constexpr bool uses_log_ratio = [] {
    if constexpr (requires { Divergence::uses_log_ratio; }) return Divergence::uses_log_ratio;
    return true;
  }();

  static constexpr int inputs = 2, gradients = 2;
  static constexpr int own_kept = uses_log_ratio ? 4 : 3;  // p̃, q̃, d, x
  static constexpr int kept = own_kept + detail::kept_by_divergence<Divergence>;
  /// Do p and q stand in the place of p̃ and q̃ from the last pass on? They do where the divergence works in steps.
  static constexpr bool keeps_probabilities = detail::steps_of_divergence<Divergence> > 1;
  static constexpr bool hinged = false;
  static constexpr bool uses_column = false;

  Divergence divergence{};
  double temperature = 1;

  template <class V>
  struct maxima {
    V p = -math::infinity<V>(), q = -math::infinity<V>();
  };
  /// What later passes need of the maxima.
  template <class V>
  struct shifts {
    V p, q;                     // max z_p, max z_q
    V from_p, from_q, between;  // x T = ((z_p − from_p) − (z_q − from_q)) − between − between_error
    V between_error;
    V largest_error;                  // beyond that of any difference of finite logits
    math::exponent_factor<V> factor;  // 1/T
  };
  template <class V>
  struct exponentials {
    static constexpr int partial_states = 1, steps = uses_log_ratio ? 4 : 3;
    V p = V(0), q = V(0);  // Σ p̃, Σ q̃
    V difference = V(0);   // Σ d
    V distances = V(0);    // Σ (z_p − max z_p) + (z_q − max z_q), NaN if one of them is
  };
  template <class V>
  struct normalizers {
    V p, q;   // 1/Σp̃, 1/Σq̃
    V shift;  // Σd/Σp̃
    V c;      // log Σp̃ − log Σq̃
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = 1, steps = detail::steps_of_divergence<Divergence>;
    typename Divergence::template sums<V> of{};
  };
  template <class V>
  struct result {
    V loss;
    V scale;  // upstream / T
    normalizers<V> norm;
    sums<V> sum;
  };
  template <class V>
  using passes = pass_list<maxima<V>, exponentials<V>, sums<V>>;

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(maxima<V>& a, lanes<V, 2> const& z, row<V> const&, Kept const&) const {
    a.p = math::larger(z[0], a.p);
    a.q = math::larger(z[1], a.q);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(maxima<V>& a, maxima<V> const& b) const {
    a.p = math::larger(b.p, a.p);
    a.q = math::larger(b.q, a.q);
  }

  template <class V>
  SAGE_HD SAGE_INLINE shifts<V> conclude(maxima<V> const& m, row<V> const&) const {
    // From the differences of the classes; where these would overflow, from the distances to the maxima.
    V const zero = V(0), between = math::rounded(V(m.p - m.q));
    auto const moderate = math::magnitude(between) < largest_difference<V>();
    return {m.p,
            m.q,
            math::select(moderate, zero, m.p),
            math::select(moderate, zero, m.q),
            math::select(moderate, between, zero),
            math::select(moderate, math::difference_error(m.p, m.q, between), zero),
            math::largest_difference_error<V>(),
            math::exponent_factor_of<V>(1 / temperature)};
  }

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(exponentials<V>& a, lanes<V, 2> const& z, row<V> const&,
                                      Kept const& kept_here, shifts<V> const& m) const {
    distances<V> const y = distances_of(a, z, m);
    if constexpr (uses_log_ratio) kept_here.set(3, y.apart);
    add(a, math::exp_of_product(y.nearer, m.factor), y.apart, math::decay_of(V(-math::magnitude(y.apart))),
        kept_here);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<0>, exponentials<V>& a, lanes<V, 2> const& z, row<V> const&,
                                      Kept const& kept_here, shifts<V> const& m) const {
    distances<V> const y = distances_of(a, z, m);
    kept_here.set(0, y.nearer);
    kept_here.set(own_kept - 1, y.apart);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<1>, exponentials<V>&, lanes<V, 2> const&, row<V> const&,
                                      Kept const& kept_here, shifts<V> const& m) const {
    kept_here.set(0, math::exp_of_product(kept_here[0], m.factor));
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<2>, exponentials<V>& a, lanes<V, 2> const&, row<V> const&,
                                      Kept const& kept_here, shifts<V> const&) const {
    if constexpr (uses_log_ratio) {
      math::begun_decay<V> const lesser = math::begin_decay(V(-math::magnitude(kept_here[3])));
      kept_here.set(1, lesser.expm1);
      kept_here.set(2, lesser.turns);
    } else {
      V const x = kept_here[2];
      add(a, kept_here[0], x, math::decay_of(V(-math::magnitude(x))), kept_here);
    }
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<3>, exponentials<V>& a, lanes<V, 2> const&, row<V> const&,
                                      Kept const& kept_here, shifts<V> const&) const {
    add(a, kept_here[0], kept_here[3], math::finish_decay(math::begun_decay<V>{kept_here[1], kept_here[2]}),
        kept_here);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(exponentials<V>& a, exponentials<V> const& b) const {
    a.p = a.p + b.p;
    a.q = a.q + b.q;
    a.difference = a.difference + b.difference;
    a.distances = a.distances + b.distances;
  }
  template <class V>
  SAGE_HD SAGE_INLINE normalizers<V> conclude(exponentials<V> const& a, row<V> const&,
                                              shifts<V> const&) const {
    V const zero_or_nan = math::select(a.distances == a.distances, V(0), a.distances);
    V const p = V(1) / a.p + zero_or_nan, q = V(1) / a.q + zero_or_nan;
    if constexpr (uses_log_ratio) {
      V const s = a.difference * q;
      auto const is_near = math::magnitude(s) < V(scalar_of<V>(0.25));
      return {p, q, a.difference * p, math::log_or_log1p(is_near, math::select(is_near, s, V(a.p * q))).log};
    } else {
      return {p, q, a.difference * p, V(0)};
    }
  }

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 2> const&, row<V> const&, Kept const& kept_here,
                                      shifts<V> const&, normalizers<V> const& n) const {
    probability_pair<V> const c = pair_of(kept_here, n);
    if constexpr (keeps_probabilities) {
      kept_here.set(0, c.p);
      kept_here.set(1, c.q);
    }
    detail::accumulate_class(divergence, a.of, c, kept_here.from(own_kept));
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<0>, sums<V>&, lanes<V, 2> const&, row<V> const&,
                                      Kept const& kept_here, shifts<V> const&,
                                      normalizers<V> const& n) const {
    probability_pair<V> const c = pair_of(kept_here, n);
    kept_here.set(0, c.p);
    kept_here.set(1, c.q);
    kept_here.set(2, c.difference);
    kept_here.set(3, c.apart);
    divergence.prepare(step<0>{}, c, kept_here.from(own_kept));
  }
  template <int I, class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(step<I> s, sums<V>& a, lanes<V, 2> const&, row<V> const&,
                                      Kept const& kept_here, shifts<V> const&, normalizers<V> const&) const {
    probability_pair<V> const c{kept_here[0], kept_here[1], kept_here[2], kept_here[3], kept_here[3]};
    if constexpr (I + 1 < sums<V>::steps) {
      divergence.prepare(s, c, kept_here.from(own_kept));
    } else {
      divergence.accumulate(a.of, c, kept_here.from(own_kept));
    }
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    divergence.combine(a.of, b.of);
  }

  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, shifts<V> const& m, normalizers<V> const& n,
                                         sums<V> const& a) const {
    return {divergence.value(a.of), r.upstream * m.factor.c, n, a};
  }

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const&, row<V> const&, Kept const& kept_here,
                                           result<V> const& r) const {
    probability_pair<V> c;
    if constexpr (keeps_probabilities) {
      c = {kept_here[0], kept_here[1], V(0), V(0), V(0)};
    } else {
      c = pair_of(kept_here, r.norm);
    }
    lanes<V, 2> const g = detail::gradient_of_class(divergence, c, r.sum.of, kept_here.from(own_kept));
    return {{g[0] * r.scale, g[1] * r.scale}};
  }

 private:
  /// Of one class: the greater of its logits' distances to the maxima, which are not positive, and x.
  template <class V>
  struct distances {
    V nearer, apart;
  };
  // Every difference with what its rounding took: a constant that one row has costs no digit. Infinite logits have
  // infinite differences, and no rounding.
  template <class V>
  SAGE_HD SAGE_INLINE static distances<V> distances_of(exponentials<V>& a, lanes<V, 2> const& z,
                                                       shifts<V> const& m) {
    V const z_p = math::rounded(V(z[0] - m.from_p)), z_q = math::rounded(V(z[1] - m.from_q));
    V const apart = math::rounded(V(z_p - z_q));
    V const lost =
        math::smaller(V(math::difference_error(z_p, z_q, apart) - m.between_error), m.largest_error);
    V const y_p = z[0] - m.p, y_q = z[1] - m.q;
    a.distances = a.distances + (y_p + y_q);
    return {math::larger(y_p, y_q), (math::rounded(V(apart - m.between)) + lost) * m.factor.c};
  }
  // p̃, q̃ and d, of the greater of the two, x, and the lesser's share e^−|x|.
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE static void add(exponentials<V>& a, V const& greater, V const& x,
                                      math::decay<V> const& lesser, Kept const& kept_here) {
    auto const p_greater = x > V(0);
    V const share = greater * lesser.ratio, d = math::with_sign_of(x, V(greater * lesser.gap));
    V const p = math::select(p_greater, greater, share), q = math::select(p_greater, share, greater);
    kept_here.set(0, p);
    kept_here.set(1, q);
    kept_here.set(2, d);
    a.p = a.p + p;
    a.q = a.q + q;
    a.difference = a.difference + d;
  }
  /// Of logits whose differences of differences are finite.
  template <class V>
  SAGE_HD SAGE_INLINE static V largest_difference() {
    return math::largest_number<V>() / V(scalar_of<V>(8));
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE probability_pair<V> pair_of(Kept const& kept_here, normalizers<V> const& n) const {
    probability_pair<V> c;
    c.p = kept_here[0] * n.p;
    c.q = kept_here[1] * n.q;
    c.difference = kept_here[2] * n.p - c.q * n.shift;
    if constexpr (uses_log_ratio) {
      V const sum = c.p + c.q;  // 0 for a class that neither has; NaN stays
      c.apart = kept_here[3] - n.c;
      c.log_ratio = math::select(sum > V(0), c.apart, sum);
    } else {
      c.apart = c.log_ratio = V(0);
    }
    return c;
  }
};

SAGE_ABI_END
}  // namespace sage
