#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of the Jensen-Shannon divergence of rows of two logits, times a factor:
///
///   l = f JS((σ(a), σ(−a)), (σ(b), σ(−b))),   a = (z_0 − z_1)/T,  b = (z⁺_0 − z⁺_1)/T
///
/// what softmax_divergence computes of any number of classes, with half of its work for two of them. With
/// hi = max(a, b), lo = min(a, b), x = hi − lo the classes have the probabilities
///
///   first   g = σ(hi) ≥ s = σ(lo)         second   G = σ(−lo) ≥ S = σ(−hi)
///   d = g − s = G − S = g G (1 − e^−x)     δ = log g/s,   Δ = log G/S,   δ + Δ = x
///
/// of δ and Δ the lesser is log1p(d/max(s, S)). A class's share of 2 JS is that of jensen_shannon, and its derivatives
/// need no sum over the classes:
///
///   ∂JS/∂hi = ½ g S (log(2g/(g+s)) − log(2S/(G+S))),   ∂JS/∂lo = −½ s G (log(2G/(G+S)) − log(2s/(g+s)))
///
/// Edge: as softmax_divergence.
struct two_class_jensen_shannon {
  static constexpr int inputs = 2, gradients = 2;
  static constexpr bool hinged = false;

  double temperature = 1;
  double factor = 1;

  /// The row itself.
  template <class V>
  struct logits {
    static constexpr int partial_states = 1;
    V p_0 = V(0), p_1 = V(0), q_0 = V(0), q_1 = V(0);
  };
  /// Of a and b the greater is hi, the other lo.
  template <class V>
  struct differences {
    V hi, lo;            // T times
    V hi_rest, lo_rest;  // what rounding took from them
    V x;                 // hi − lo; negative where b is hi
    V one_or_nan;        // NaN of a row with +∞
  };
  template <class V>
  struct odds {
    V g, s, S, G;      // the probabilities before they are normalized: 1 or e^−|hi|, e^−|lo|
    V sum_hi, sum_lo;  // 1 + e^−|hi|, 1 + e^−|lo|
    V gap;             // 1 − e^−x
  };
  template <class V>
  struct ratios {
    V g, s, S, G;
    V half_d;    // ½ (g − s)
    V s_0, s_1;  // (g − s)/(g + s), (G − S)/(G + S)
    V u;         // the lesser of g/s and G/S, less 1
  };
  template <class V>
  struct logarithms_of_greater {
    V first, second;  // log(2g/(g+s)), log(2G/(G+S))
  };
  template <class V>
  struct logarithms_of_lesser {
    V first, second;  // −log(2s/(g+s)), −log(2S/(G+S))
  };
  template <class V>
  struct result {
    V loss;
    V p, q;  // upstream · ∂l/∂z_0, ∂l/∂z⁺_0
  };
  template <class V>
  using passes = pass_list<logits<V>, nothing<V>, nothing<V>, nothing<V>, nothing<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(logits<V>& a, lanes<V, 2> const& z, row<V> const& r) const {
    auto const second = is_second(r);
    V const zero = V(0);
    a.p_0 = a.p_0 + math::select(second, zero, z[0]);
    a.p_1 = a.p_1 + math::select(second, z[0], zero);
    a.q_0 = a.q_0 + math::select(second, zero, z[1]);
    a.q_1 = a.q_1 + math::select(second, z[1], zero);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(logits<V>& a, logits<V> const& b) const {
    a.p_0 = a.p_0 + b.p_0;
    a.p_1 = a.p_1 + b.p_1;
    a.q_0 = a.q_0 + b.q_0;
    a.q_1 = a.q_1 + b.q_1;
  }

  template <class V>
  SAGE_HD SAGE_INLINE differences<V> conclude(logits<V> const& z, row<V> const&) const {
    V const a = bounded(math::rounded(V(z.p_0 - z.p_1))), b = bounded(math::rounded(V(z.q_0 - z.q_1)));
    V const largest_rest = math::largest_difference_error<V>();  // and that of infinite differences
    V const a_rest = math::smaller(math::difference_error(z.p_0, z.p_1, a), largest_rest),
            b_rest = math::smaller(math::difference_error(z.q_0, z.q_1, b), largest_rest);
    V const apart = math::rounded(V(a - b));
    V const rest = math::smaller(V(math::difference_error(a, b, apart) + (a_rest - b_rest)), largest_rest);
    auto const a_is_hi = a > b;
    return {math::select(a_is_hi, a, b),
            math::select(a_is_hi, b, a),
            math::select(a_is_hi, a_rest, b_rest),
            math::select(a_is_hi, b_rest, a_rest),
            (apart + rest) * V(scalar_of<V>(1 / temperature)),
            V(1) + zero_or_nan(z)};
  }

  template <class V>
  SAGE_HD SAGE_INLINE odds<V> conclude(nothing<V> const&, row<V> const&, differences<V> const& of) const {
    math::exponent_factor<V> const over_temperature = math::exponent_factor_of<V>(1 / temperature);
    auto const hi_positive = of.hi > V(0), lo_positive = of.lo > V(0);
    V const hi = exp_minus(of.hi, of.hi_rest, hi_positive, over_temperature),
            lo = exp_minus(of.lo, of.lo_rest, lo_positive, over_temperature);
    V const one = V(1);
    return {math::select(hi_positive, one, hi),
            math::select(lo_positive, one, lo),
            math::select(hi_positive, hi, one),
            math::select(lo_positive, lo, one),
            of.one_or_nan + hi,
            of.one_or_nan + lo,
            math::decay_of(V(-math::magnitude(of.x))).gap};
  }

  template <class V>
  SAGE_HD SAGE_INLINE ratios<V> conclude(nothing<V> const&, row<V> const&, differences<V> const&,
                                         odds<V> const& o) const {
    V const least = math::smallest_normal<V>();
    V const d = o.g * o.G * o.gap;
    V const g = o.g * o.sum_lo, s = o.s * o.sum_hi, S = o.S * o.sum_lo, G = o.G * o.sum_hi;
    V const over = V(1) / (o.sum_hi * o.sum_lo);
    return {g * over,
            s * over,
            S * over,
            G * over,
            V(scalar_of<V>(0.5)) * d * over,
            math::fraction(d, math::larger(V(g + s), least)),
            math::fraction(d, math::larger(V(G + S), least)),
            d / math::larger(math::larger(s, S), least)};
  }

  template <class V>
  SAGE_HD SAGE_INLINE logarithms_of_greater<V> conclude(nothing<V> const&, row<V> const&,
                                                        differences<V> const&, odds<V> const&,
                                                        ratios<V> const& y) const {
    return {math::log1p_of_fraction(y.s_0), math::log1p_of_fraction(y.s_1)};
  }
  template <class V>
  SAGE_HD SAGE_INLINE logarithms_of_lesser<V> conclude(nothing<V> const&, row<V> const&,
                                                       differences<V> const& of, odds<V> const&,
                                                       ratios<V> const& y,
                                                       logarithms_of_greater<V> const& l) const {
    using T = scalar_of<V>;
    auto const is_near = y.u < V(T(0.25));
    V const lesser = math::log_or_log1p(is_near, math::select(is_near, y.u, V(V(1) + y.u))).log;
    // Beyond the largest log ratio s or S is 0, and 0 · ∞ must not arise.
    V const other = math::smaller(V(math::magnitude(of.x) - lesser), math::largest_log_ratio<V>());
    auto const first = y.s > y.S;
    return {math::select(first, lesser, other) - l.first, math::select(first, other, lesser) - l.second};
  }

  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, differences<V> const& of, odds<V> const&,
                                         ratios<V> const& y, logarithms_of_greater<V> const& l,
                                         logarithms_of_lesser<V> const& m) const {
    using T = scalar_of<V>;
    V const both = share(y.half_d, y.s_0, V(y.g * l.first - y.s * m.first)) +
                   share(y.half_d, y.s_1, V(y.G * l.second - y.S * m.second));
    V const half = V(T(0.5 * factor)), scale = r.upstream * V(T(0.5 * factor / temperature));
    V const by_hi = scale * (y.g * y.S) * (l.first + m.second),
            by_lo = -(scale * (y.s * y.G) * (l.second + m.first));
    auto const p_is_hi = of.x > V(0);
    // Shares of denormal probabilities may be rounded below 0.
    return {math::larger(V(0), V(half * both)), math::select(p_is_hi, by_hi, by_lo),
            math::select(p_is_hi, by_lo, by_hi)};
  }

  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const&, row<V> const& r, result<V> const& of) const {
    auto const second = is_second(r);
    return {{math::select(second, -of.p, of.p), math::select(second, -of.q, of.q)}};
  }

 private:
  template <class V>
  SAGE_HD SAGE_INLINE static auto is_second(row<V> const& r) {
    return r.column == broadcast_integer<integer_of<V>>(1);
  }
  /// NaN stays.
  template <class V>
  SAGE_HD SAGE_INLINE static V bounded(V const& x) {
    V const largest = math::largest_number<V>();
    return math::larger(V(-largest), math::smaller(largest, x));
  }
  /// NaN of a row with +∞.
  template <class V>
  SAGE_HD SAGE_INLINE static V zero_or_nan(logits<V> const& z) {
    V const p = math::larger(z.p_0, z.p_1), q = math::larger(z.q_0, z.q_1);
    return (p - p) + (q - q);
  }
  /// e^(−|x + rest| c).
  template <class V, class Mask>
  SAGE_HD SAGE_INLINE static V exp_minus(V const& x, V const& rest, Mask const& positive,
                                         math::exponent_factor<V> const& factor) {
    V const e = math::exp_of_product(V(-math::magnitude(x)), factor);
    return e + e * math::select(positive, -rest, rest) * factor.c;
  }
  /// A class's share of 2 JS: by its series in s², as jensen_shannon, or of the logarithms.
  template <class V>
  SAGE_HD SAGE_INLINE static V share(V const& half_d, V const& s, V const& of_logarithms) {
    V const s2 = s * s;
    return math::select(s2 < V(scalar_of<V>(0.25)), V(half_d * s * math::entropy_deficit(s2)), of_logarithms);
  }
};

SAGE_ABI_END
}  // namespace sage
