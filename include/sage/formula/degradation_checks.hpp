#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/softmax_divergence.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of `toward_uniform`: operand z⁻.
///
///   l = D(p⁻, u),   u_k = 1/K: the distribution of logits that are all 0
template <class Divergence>
struct uniform_formula {
  using base = softmax_divergence<Divergence>;
  static constexpr int inputs = 1, gradients = 1, kept = base::kept;
  static constexpr bool hinged = false;
  static constexpr bool uses_column = false;
  template <class V>
  using maxima = typename base::template maxima<V>;
  template <class V>
  using passes = typename base::template passes<V>;

  base of{};

  template <class State, class V, class Kept, class... Earlier>
  SAGE_HD SAGE_INLINE void accumulate(State& a, lanes<V, 1> const& z, row<V> const& r, Kept const& kept_here,
                                      Earlier const&... earlier) const {
    of.accumulate(a, lanes<V, 2>{{z[0], V(0)}}, r, kept_here, earlier...);
  }
  template <int I, class State, class V, class Kept, class... Earlier>
  SAGE_HD SAGE_INLINE void accumulate(step<I> s, State& a, lanes<V, 1> const& z, row<V> const& r,
                                      Kept const& kept_here, Earlier const&... earlier) const {
    of.accumulate(s, a, lanes<V, 2>{{z[0], V(0)}}, r, kept_here, earlier...);
  }
  template <class State>
  SAGE_HD SAGE_INLINE void combine(State& a, State const& b) const {
    of.combine(a, b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE auto conclude(maxima<V> const& a, row<V> const& r) const {
    return of.conclude(a, r);
  }
  template <class V>
  SAGE_HD SAGE_INLINE auto conclude(typename base::template exponentials<V> const& a, row<V> const& r,
                                    typename base::template shifts<V> const& m) const {
    return of.conclude(a, r, m);
  }
  template <class V, class... States>
  SAGE_HD SAGE_INLINE auto finalize(row<V> const& r, States const&... states) const {
    return of.finalize(r, states...);
  }
  template <class V, class Kept, class Result>
  SAGE_HD SAGE_INLINE lanes<V, 1> gradient(lanes<V, 1> const& z, row<V> const& r, Kept const& kept_here,
                                           Result const& result) const {
    return {{of.gradient(lanes<V, 2>{{z[0], V(0)}}, r, kept_here, result)[0]}};
  }
};

/// Row program of `repel`: operands z, z⁻.
///
///   l = max(0, m − D(p, p⁻))
template <class Divergence>
struct repel_formula : softmax_divergence<Divergence> {
  using base = softmax_divergence<Divergence>;
  template <class V>
  using result = typename base::template result<V>;
  static constexpr bool hinged = true;

  double margin = 0;

  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, typename base::template shifts<V> const& m,
                                         typename base::template normalizers<V> const& n,
                                         typename base::template sums<V> const& a) const {
    result<V> out = base::finalize(r, m, n, a);
    V const x = V(scalar_of<V>(margin)) - out.loss;
    out.loss = math::select(x < V(0), V(0), x);
    out.scale = math::select(x < V(0), V(0), -out.scale);
    return out;
  }
  /// An inactive hinge has no gradient, whatever the slope of an infinite divergence is.
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const& z, row<V> const& r, Kept const& kept_here,
                                           result<V> const& out) const {
    auto const g = base::gradient(z, r, kept_here, out);
    auto const inactive = out.scale == V(0);
    return {{math::select(inactive, V(0), g[0]), math::select(inactive, V(0), g[1])}};
  }
};

/// Row program of `rank`: operands z, z⁺, z⁻.
///
///   l = max(0, D(p, p⁺) − D(p, p⁻) + m)
template <class Divergence>
struct rank_formula {
  using base = softmax_divergence<Divergence>;
  static constexpr int inputs = 3, gradients = 3, kept = 2 * base::kept;
  static constexpr bool hinged = true;
  static constexpr bool uses_column = false;

  base of{};
  double margin = 0;

  // The states of the pairs (z, z⁺) and (z, z⁻).
  template <class V>
  struct maxima {
    static constexpr int partial_states = 1;
    typename base::template maxima<V> plus{}, minus{};
  };
  template <class V>
  struct shifts {
    typename base::template shifts<V> plus, minus;
  };
  template <class V>
  struct exponentials {
    static constexpr int partial_states = 1;
    typename base::template exponentials<V> plus{}, minus{};
  };
  template <class V>
  struct normalizers {
    typename base::template normalizers<V> plus, minus;
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = 1;
    typename base::template sums<V> plus{}, minus{};
  };
  template <class V>
  struct result {
    V loss;
    typename base::template result<V> plus, minus;
  };
  template <class V>
  using passes = pass_list<maxima<V>, exponentials<V>, sums<V>>;

  template <class State, class V, class Kept, class... Earlier>
  SAGE_HD SAGE_INLINE void accumulate(State& a, lanes<V, 3> const& z, row<V> const& r, Kept const& kept_here,
                                      Earlier const&... earlier) const {
    of.accumulate(a.plus, lanes<V, 2>{{z[0], z[1]}}, r, kept_here, earlier.plus...);
    of.accumulate(a.minus, lanes<V, 2>{{z[0], z[2]}}, r, kept_here.from(base::kept), earlier.minus...);
  }
  template <class State>
  SAGE_HD SAGE_INLINE void combine(State& a, State const& b) const {
    of.combine(a.plus, b.plus);
    of.combine(a.minus, b.minus);
  }
  template <class V>
  SAGE_HD SAGE_INLINE shifts<V> conclude(maxima<V> const& a, row<V> const& r) const {
    return {of.conclude(a.plus, r), of.conclude(a.minus, r)};
  }
  template <class V>
  SAGE_HD SAGE_INLINE normalizers<V> conclude(exponentials<V> const& a, row<V> const& r,
                                              shifts<V> const& m) const {
    return {of.conclude(a.plus, r, m.plus), of.conclude(a.minus, r, m.minus)};
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, shifts<V> const& m, normalizers<V> const& n,
                                         sums<V> const& a) const {
    result<V> out{V(0), of.finalize(r, m.plus, n.plus, a.plus), of.finalize(r, m.minus, n.minus, a.minus)};
    V const x = out.plus.loss - out.minus.loss + V(scalar_of<V>(margin));
    out.loss = math::select(x < V(0), V(0), x);
    out.plus.scale = math::select(x < V(0), V(0), out.plus.scale);
    out.minus.scale = -out.plus.scale;
    return out;
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE lanes<V, 3> gradient(lanes<V, 3> const& z, row<V> const& r, Kept const& kept_here,
                                           result<V> const& out) const {
    auto const plus = of.gradient(lanes<V, 2>{{z[0], z[1]}}, r, kept_here, out.plus);
    auto const minus = of.gradient(lanes<V, 2>{{z[0], z[2]}}, r, kept_here.from(base::kept), out.minus);
    auto const inactive = out.plus.scale == V(0);
    V const zero = V(0);
    return {{math::select(inactive, zero, V(plus[0] + minus[0])), math::select(inactive, zero, plus[1]),
             math::select(inactive, zero, minus[1])}};
  }
};

SAGE_ABI_END
}  // namespace sage
