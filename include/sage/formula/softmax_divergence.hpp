#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of a divergence between the distributions of two rows of logits at a temperature:
///
///   p = softmax(z_p/T),  q = softmax(z_q/T),  l = D(p, q)
///
/// Three passes: maxima; sums of exponentials; the divergence, from p, q and the log ratio
///
///   δ = x − c,   x = ((z_p − z_q) − (max z_p − max z_q))/T,   c = log Σp̃ − log Σq̃ = log1p(Σ (p̃ − q̃)/Σ q̃)
///
/// with p̃ = exp((z_p − max z_p)/T), and p̃ − q̃ = q̃ expm1(x) for small x: δ keeps its relative precision however
/// close the logits are.
/// Edge: a logit of −∞ is a class of probability zero; a row of nothing but −∞, or with +∞ or NaN, gives NaN.
template <class Divergence>
struct softmax_divergence {
  static constexpr int inputs = 2, gradients = 2;
  static constexpr bool hinged = false;

  Divergence divergence{};
  double temperature = 1;

  template <class V>
  struct maxima {
    V p = -math::infinity<V>(), q = -math::infinity<V>();
  };
  template <class V>
  struct exponentials {
    static constexpr int partial_states = 1;
    V p = V(0), q = V(0);    // Σ p̃, Σ q̃
    V difference = V(0);     // Σ (p̃ − q̃)
  };
  template <class V>
  struct normalizers {
    V p, q;  // 1/Σ p̃, 1/Σ q̃
    V c;     // log Σ p̃ − log Σ q̃
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = 1;
    typename Divergence::template sums<V> of{};
  };
  template <class V>
  struct result {
    V loss;
    V scale;  // upstream / T
    maxima<V> max;
    normalizers<V> norm;
    sums<V> sum;
  };
  template <class V>
  using passes = pass_list<maxima<V>, exponentials<V>, sums<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(maxima<V>& a, lanes<V, 2> const& z, row<V> const&) const {
    a.p = math::larger(z[0], a.p);
    a.q = math::larger(z[1], a.q);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(maxima<V>& a, maxima<V> const& b) const {
    a.p = math::larger(b.p, a.p);
    a.q = math::larger(b.q, a.q);
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(exponentials<V>& a, lanes<V, 2> const& z, row<V> const&,
                                      maxima<V> const& m) const {
    using math::expm1;
    shifted<V> const e = shift(z, m);
    a.p = a.p + e.p;
    a.q = a.q + e.q;
    auto const near = math::magnitude(e.x) < V(1);
    a.difference = a.difference + math::select(near, e.q * expm1(e.x), e.p - e.q);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(exponentials<V>& a, exponentials<V> const& b) const {
    a.p = a.p + b.p;
    a.q = a.q + b.q;
    a.difference = a.difference + b.difference;
  }
  template <class V>
  SAGE_HD SAGE_INLINE normalizers<V> conclude(exponentials<V> const& a, row<V> const&, maxima<V> const&) const {
    using math::log, math::log1p;
    V const s = a.difference / a.q;
    V const c = math::select(math::magnitude(s) < V(scalar_of<V>(0.5)), log1p(s), log(a.p / a.q));
    return {V(1) / a.p, V(1) / a.q, c};
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 2> const& z, row<V> const&, maxima<V> const& m,
                                      normalizers<V> const& n) const {
    shifted<V> const e = distributions(z, m, n);
    divergence.accumulate(a.of, e.p, e.q, e.x);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    divergence.combine(a.of, b.of);
  }

  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, maxima<V> const& m, normalizers<V> const& n,
                                         sums<V> const& a) const {
    return {divergence.value(a.of), r.upstream * V(scalar_of<V>(1 / temperature)), m, n, a};
  }

  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const& z, row<V> const&, result<V> const& r) const {
    shifted<V> const e = distributions(z, r.max, r.norm);
    lanes<V, 2> g = divergence.gradient(e.p, e.q, e.x, r.sum.of);
    g[0] = g[0] * r.scale;
    g[1] = g[1] * r.scale;
    return g;
  }

 private:
  template <class V>
  struct shifted {
    V p, q, x;
  };

  template <class V>
  SAGE_HD SAGE_INLINE shifted<V> shift(lanes<V, 2> const& z, maxima<V> const& m) const {
    using math::exp;
    V const t = V(scalar_of<V>(1 / temperature));
    return {exp((z[0] - m.p) * t), exp((z[1] - m.q) * t), math::rounded(math::rounded(z[0] - z[1]) - math::rounded(m.p - m.q)) * t};
  }

  // p, q and δ; δ = 0 for a class that neither distribution has (both logits −∞).
  template <class V>
  SAGE_HD SAGE_INLINE shifted<V> distributions(lanes<V, 2> const& z, maxima<V> const& m,
                                               normalizers<V> const& n) const {
    shifted<V> e = shift(z, m);
    e.p = e.p * n.p;
    e.q = e.q * n.q;
    e.x = math::select(e.p + e.q > V(0), e.x - n.c, V(0));
    return e;
  }
};

SAGE_ABI_END
}  // namespace sage
