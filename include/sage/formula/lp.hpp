#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/formula/eps.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

#include <cmath>
#include <cstdint>
#include <limits>

namespace sage {
SAGE_ABI_BEGIN

/// The p-norm of the difference of two rows, 1 ≤ p ≤ ∞, by default with PyTorch's eps inside the norm.
///
///   d(u, v) = ‖t‖_p = m (Σ |t/m|^p)^(1/p),   t = u − v + eps,   m = max |t|
///   ∂d/∂u = sign(t) (|t|/d)^(p−1) = −∂d/∂v,   0 at d = 0;   p = ∞: sign(t) where |t| = m, divided among ties
///
/// The maximum is taken out in a first pass, so that nothing overflows or underflows, for p = 1000 or rows of
/// 1e30.
/// Options:   p (infinity allowed), eps, and where it stands as a type: lp_distance<eps::none>{.p = 1}.
/// Source:    torch.nn.functional.pairwise_distance; with eps::none torch.cdist(p); with eps::inside_root
///            optax.triplet_margin_loss(norm_degree) for even p (odd ones there lack the absolute value).
/// Precision: p ≠ 1, 2, ∞ by power(x, p), x ≤ 1. (|t|/d)^(p−1) has the relative error p log(d/|t|) ulp, which
///            is large only where the coordinate is small: in the norm of the gradient a few ulp.
/// Edge:      p = 1: the gradient at t = 0 is 0. An infinite element is at distance ∞, for p = ∞ at NaN.
// Branches by p enclose no comparison that is used outside of them: GCC 12 cannot compile such for AVX-512.
template <class Eps = eps::inside_norm>
struct lp_distance {
  double p = 2;
  double eps = 1e-6;

  /// Gathered in a pass of its own before the sums; a distance without `first` has one pass.
  template <class V>
  struct first {
    V max = V(0);  // max |t|
  };
  /// What the later steps know of it: one more argument of accumulate, value and slope_of.
  template <class V>
  struct prepared {
    V max;  // with eps^(1/p) where that is a term under the root; 1 instead of 0
  };
  template <class V>
  struct sums {
    V s = V(0);  // Σ |t/m|^p; for p = ∞ the number of ties
  };
  template <class V>
  struct slope {
    V c;  // upstream (m/d)^(p−1)
    V max;
  };

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(first<V>& a, V const& u, V const& v) const {
    a.max = math::larger(math::magnitude(difference(u, v)), a.max);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(first<V>& a, first<V> const& b) const {
    a.max = math::larger(b.max, a.max);
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> prepare(first<V> const& a) const {
    V m = math::smaller(math::largest_number<V>(), a.max);  // ∞/∞ must not arise
    if constexpr (Eps::under_root) m = math::larger(number<V>(std::pow(eps, 1 / p)), m);
    return {math::select(m > V(0), m, V(1))};
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v, prepared<V> const& m) const {
    V const x = math::magnitude(difference(u, v));
    V const r = x / m.max;
    if (p == 1) {
      a.s = a.s + r;
    } else if (p == 2) {
      a.s = a.s + r * r;
    } else if (is_maximum()) {
      a.s = a.s + math::select(x == m.max, V(1), x * V(0));  // x · 0: NaN stays NaN
    } else {
      a.s = a.s + math::power(r, number<V>(p));
    }
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a, prepared<V> const& m) const {
    V const d = norm(a, m);
    if constexpr (Eps::floors) return math::select(d < number<V>(eps), number<V>(eps), d);
    return d;
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream, prepared<V> const& m) const {
    V const sum = total(a, m);
    V const s = math::select(sum < V(1), V(1), sum);  // less than 1 it is 0, of equal rows
    V root;                                           // (m/d)^(p−1)
    if (p == 1) {
      root = V(1);
    } else if (p == 2) {
      using math::sqrt;
      root = V(1) / sqrt(s);
    } else if (is_maximum()) {
      root = V(1) / s;
    } else {
      root = math::power(s, number<V>(1 / p - 1));
    }
    V const c = upstream * root;
    if constexpr (Eps::floors) return {math::select(norm(a, m) >= number<V>(eps), c, V(0)), m.max};
    return {c, m.max};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const t = difference(u, v);
    V const x = math::magnitude(t);
    V size;  // |t/m|^(p−1); NaN stays NaN
    if (p == 1) {
      size = math::select(x > V(0), V(1), x * V(0));
    } else if (p == 2) {
      size = x / r.max;
    } else if (is_maximum()) {
      size = math::select(x == r.max, V(1), x * V(0));
    } else {
      size = math::power(x / r.max, number<V>(p - 1));
    }
    V const g = r.c * math::with_sign_of(t, size);
    return opposite(g);
  }
  constexpr option_defect defect() const noexcept {
    if (!(p >= 1)) return {"p", p, ">= 1"};
    if (Eps::under_root && is_maximum()) return {"p", p, "finite, for eps stands under a root"};
    if (!(p <= 1e37) && !is_maximum()) return {"p", p, "at most 1e37, or infinity"};
    return detail::unless_non_negative("eps", eps);
  }

 private:
  // By its bits: -ffast-math takes every number for finite.
  SAGE_HD constexpr bool is_maximum() const noexcept {
    return __builtin_bit_cast(std::uint64_t, p) ==
           __builtin_bit_cast(std::uint64_t, detail::limits<double>::infinity());
  }

  template <class V>
  SAGE_HD SAGE_INLINE static V number(double x) {
    return V(scalar_of<V>(x));
  }
  template <class V>
  SAGE_HD SAGE_INLINE V difference(V const& u, V const& v) const {
    if constexpr (Eps::shifts) return math::rounded(u - v) + number<V>(eps);
    return u - v;
  }
  // Σ |t/m|^p with eps under the root.
  template <class V>
  SAGE_HD SAGE_INLINE V total(sums<V> const& a, prepared<V> const& m) const {
    if constexpr (Eps::under_root)
      return a.s + math::power(number<V>(std::pow(eps, 1 / p)) / m.max, number<V>(p));
    return a.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V norm(sums<V> const& a, prepared<V> const& m) const {
    using math::sqrt;
    V const s = total(a, m);
    V root;
    if (p == 1) {
      root = s;
    } else if (p == 2) {
      root = sqrt(s);
    } else if (is_maximum()) {
      root = math::smaller(V(1), s);  // 1, 0 for equal rows, NaN
    } else {
      root = math::power(s, number<V>(1 / p));
    }
    return m.max * root;
  }
};

using lp = lp_distance<>;

SAGE_ABI_END
}  // namespace sage
