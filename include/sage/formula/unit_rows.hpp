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
///   û − v̂ = (u − v)/‖u‖ + v (1/‖u‖ − 1/‖v‖)             where neither norm is more than twice the other,
///           (u − v ‖u‖/‖v‖)/‖u‖                          elsewhere
///   1/‖u‖ − 1/‖v‖ = e/(‖u‖ ‖v‖ (‖u‖ + ‖v‖)),   e = ‖v‖² − ‖u‖² = ‖u − v‖² − 2 u·(u − v)
///
/// The sums of these tell Σ (û − v̂)² too, of rows that differ less in length than in direction:
///
///   ‖û − v̂‖² = (‖u − v‖² − (‖u‖ − ‖v‖)²)/(‖u‖ ‖v‖)
///
/// loses no more than a bit where the subtrahend is at most half of ‖u − v‖².
///
/// A row shorter than eps is divided by eps, as in torch.nn.functional.normalize, and has no projection. One whose
/// square overflows (1.8e19 in float) has û = 0, as there, and gradient 0.
template <class V>
struct unit_norms {
  V u = V(0), v = V(0);  // Σ u², Σ v²
  V apart = V(0);        // Σ (u − v)²
  V along = V(0);        // Σ u (u − v)

  SAGE_HD SAGE_INLINE void accumulate(V const& x, V const& y) {
    V const d = math::rounded(V(x - y));
    u = u + x * x;
    v = v + y * y;
    apart = apart + d * d;
    along = along + x * d;
  }
  SAGE_HD SAGE_INLINE void combine(unit_norms const& b) {
    u = u + b.u;
    v = v + b.v;
    apart = apart + b.apart;
    along = along + b.along;
  }
};

/// What the gradients of a function of ‖û − v̂‖² need: c_u ((û − v̂) − along_u û) and c_v ((v̂ − û) − along_v
/// v̂), as multiples of the rows and of one difference of them, u − ratio v.
template <class V>
struct unit_slope {
  V ratio;
  V apart_u, own_u;
  V apart_v, own_v;

  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(V const& x, V const& y) const {
    V const d = math::rounded(V(x - ratio * y));
    return {{apart_u * d + own_u * x, apart_v * d + own_v * y}};
  }
};

template <class V>
struct unit_scales {
  V u, v;                  // 1 / max(norm, eps)
  V ratio;                 // û − v̂ = (x − ratio y) u + rest y, of the rows x and y
  V rest;                  // 1/‖u‖ − 1/‖v‖, 0 for the second form
  V from_u;                // û − v̂ = (x − ratio y) from_u + rest x
  V length_u, length_v;    // ‖û‖²: 1, less for a row shorter than eps, 0 where the norm overflows
  V is_long_u, is_long_v;  // 1, or 0 for a row shorter than eps
  V squares;               // Σ (û − v̂)², or −1 where the norms do not tell

  SAGE_HD SAGE_INLINE V difference(V const& x, V const& y) const {
    return u * math::rounded(V(x - ratio * y)) + rest * y;
  }
  /// `along` are û·(û − v̂) and v̂·(v̂ − û), times 1 / max(norm, eps) of their rows.
  SAGE_HD SAGE_INLINE unit_slope<V> slope(V const& c_u, V const& c_v, V const& along_u,
                                          V const& along_v) const {
    return {ratio, c_u * from_u, c_u * (rest - along_u), -(c_v * u), -(c_v * (rest + along_v))};
  }
};

template <class V>
SAGE_HD SAGE_INLINE unit_scales<V> scales_of(unit_norms<V> const& a, double eps) {
  using math::sqrt;
  V const zero = V(0), one = V(1), two = V(2), floor = V(scalar_of<V>(eps));
  V const norm_u = sqrt(a.u), norm_v = sqrt(a.v);
  auto const short_u = norm_u < floor, short_v = norm_v < floor;
  unit_scales<V> s;
  s.u = one / math::select(short_u, floor, norm_u);
  s.v = one / math::select(short_v, floor, norm_v);
  V const excess = (a.apart - a.along) - a.along;
  V const longer_by = excess / (norm_u + norm_v);  // ‖v‖ − ‖u‖
  // Where a norm is not the row's own, or has overflowed, the scales are all there is; û = 0 leaves −v̂.
  auto const own = (!short_u) & (!short_v) & (math::magnitude(excess) < math::infinity<V>());
  auto const alike = own & (s.u < two * s.v) & (s.v < two * s.u);
  auto const some_u = s.u > zero;
  V const ratio = math::smaller(V(s.v / math::select(some_u, s.u, one)), math::largest_number<V>());
  s.ratio = math::select(alike | (!some_u), one, ratio);
  s.rest = math::select(alike, V(longer_by * s.u * s.v), math::select(some_u, zero, V(-s.v)));
  s.from_u = math::select(alike, s.v, s.u);
  V const radial = longer_by * longer_by,
          enough = math::smallest_normal<V>() / V(limits<scalar_of<V>>::epsilon());
  auto const told = own & (two * radial < a.apart) & (enough < a.apart);
  s.squares = math::select(told, V((a.apart - radial) * s.u * s.v), V(-one));
  V const x = norm_u * s.u, y = norm_v * s.v;
  // A norm that has overflowed leaves û = 0.
  s.length_u = math::select(short_u, V(x * x), math::select(s.u > zero, one, zero));
  s.length_v = math::select(short_v, V(y * y), math::select(s.v > zero, one, zero));
  s.is_long_u = math::select(short_u, zero, one);
  s.is_long_v = math::select(short_v, zero, one);
  return s;
}

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

  /// Have the norms told the sums, which then are set?
  template <class V>
  SAGE_HD SAGE_INLINE bool foretold(sums<V>& a, prepared<V> const& p) const {
    a.s = p.squares;
    return p.squares >= V(0);
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
