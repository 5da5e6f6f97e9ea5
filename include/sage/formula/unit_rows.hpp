#pragma once

#include <sage/core/config.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Two rows scaled to unit length, û = u / max(‖u‖, eps), and their difference without the rounding errors of
/// the unit vectors, which near rows would consist of:
///
///   û − v̂ = (u − v)/L + w (1/‖u‖ − 1/‖v‖),   L the longer norm, w the shorter row
///   1/‖u‖ − 1/‖v‖ = e/(‖u‖ ‖v‖ (‖u‖ + ‖v‖)),   e = ‖v‖² − ‖u‖² = Σ (v − u)(v + u)
///
/// A row shorter than eps is divided by eps, as in torch.nn.functional.normalize, and has no projection. One whose
/// square overflows (1.8e19 in float) has û = 0, as there, and gradient 0.
template <class V>
struct unit_norms {
  V u = V(0), v = V(0);  // Σ u², Σ v²
  V excess = V(0);       // Σ (v − u)(v + u)

  SAGE_HD SAGE_INLINE void accumulate(V const& x, V const& y) {
    u = u + x * x;
    v = v + y * y;
    excess = excess + (y - x) * (y + x);
  }
  SAGE_HD SAGE_INLINE void combine(unit_norms const& b) {
    u = u + b.u;
    v = v + b.v;
    excess = excess + b.excess;
  }
};

template <class V>
struct unit_scales {
  V u, v;                  // 1 / max(norm, eps)
  V longer;                // 1 / L
  V rest_u, rest_v;        // 1/‖u‖ − 1/‖v‖ for the shorter row, 0 for the longer
  V length_u, length_v;    // ‖û‖²: 1, less for a row shorter than eps, 0 where the norm overflows
  V is_long_u, is_long_v;  // 1, or 0 for a row shorter than eps

  SAGE_HD SAGE_INLINE V difference(V const& x, V const& y) const {
    return longer * math::rounded(x - y) + (rest_u * x + rest_v * y);
  }
};

template <class V>
SAGE_HD SAGE_INLINE unit_scales<V> scales_of(unit_norms<V> const& a, double eps) {
  using math::sqrt;
  V const zero = V(0), one = V(1), floor = V(scalar_of<V>(eps));
  V const norm_u = sqrt(a.u), norm_v = sqrt(a.v);
  auto const short_u = norm_u < floor, short_v = norm_v < floor;
  unit_scales<V> s;
  s.u = one / math::select(short_u, floor, norm_u);
  s.v = one / math::select(short_v, floor, norm_v);
  auto const v_longer = s.v < s.u;
  s.longer = math::select(v_longer, s.v, s.u);
  // Where a norm is not the row's own, or has overflowed, the difference of the scales is all there is.
  V const near = a.excess / (norm_u + norm_v) * s.longer * math::select(v_longer, s.u, s.v);
  V const plain = math::select(math::magnitude(a.excess) < math::infinity<V>(), near, s.u - s.v);
  V const rest = math::select(short_u, s.u - s.v, math::select(short_v, s.u - s.v, plain));
  s.rest_u = math::select(v_longer, rest, zero);
  s.rest_v = math::select(v_longer, zero, rest);
  V const x = norm_u * s.u, y = norm_v * s.v;
  // A norm that has overflowed leaves û = 0.
  s.length_u = math::select(short_u, x * x, math::select(s.u > zero, one, zero));
  s.length_v = math::select(short_v, y * y, math::select(s.v > zero, one, zero));
  s.is_long_u = math::select(short_u, zero, one);
  s.is_long_v = math::select(short_v, zero, one);
  return s;
}

/// What the gradients of a function of ‖û − v̂‖² need: c_u ((û − v̂) − along_u û) and c_v ((v̂ − û) − along_v
/// v̂).
template <class V>
struct unit_slope {
  V c_u, c_v;
  V along_u, along_v;  // times the scales of the operands
  V longer, rest_u, rest_v;

  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& x, V const& y) const {
    V const t = longer * math::rounded(x - y) + (rest_u * x + rest_v * y);
    return {{c_u * (t - along_u * x), c_v * (-t - along_v * y)}};
  }
};

/// A distance of unit rows: `Of` makes its value and slope of Σ (û − v̂)², and has the default of eps.
///
///   static constexpr double eps;
///   static V value(V const& squares, unit_scales<V> const&);
///   static unit_slope<V> slope(V const& squares, V const& upstream, unit_scales<V> const&);
template <class Of>
struct unit_rows_distance {
  double eps = Of::eps;

  template <class V>
  using first = unit_norms<V>;
  template <class V>
  using prepared = unit_scales<V>;
  template <class V>
  struct sums {
    V s = V(0);  // Σ (û − v̂)²
  };
  template <class V>
  using slope = unit_slope<V>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(first<V>& a, V const& u, V const& v) const {
    a.accumulate(u, v);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(first<V>& a, first<V> const& b) const {
    a.combine(b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> prepare(first<V> const& a) const {
    return scales_of(a, eps);
  }

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v, prepared<V> const& p) const {
    V const t = p.difference(u, v);
    a.s = a.s + t * t;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a, prepared<V> const& p) const {
    return Of::value(a.s, p);
  }
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const& a, V const& upstream, prepared<V> const& p) const {
    return Of::slope(a.s, upstream, p);
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    return r.gradient(u, v);
  }
  constexpr option_defect defect() const noexcept { return unless_positive("eps", eps); }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
