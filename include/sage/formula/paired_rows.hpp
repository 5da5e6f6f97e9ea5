#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

#include <concepts>

namespace sage {
SAGE_ABI_BEGIN

/// Does the distance see the whole rows in a pass before that of the sums?
template <class Distance>
concept two_pass_distance = requires {
  typename Distance::template first<float>;
};

/// May the first pass tell the sums of the second, so that this is spared?
template <class Distance, class V>
concept foretelling_distance = two_pass_distance<Distance> &&
    requires(Distance const& d, typename Distance::template sums<V>& s,
             typename Distance::template prepared<V> const& p) {
  { d.foretold(s, p) } -> std::same_as<bool>;
};

namespace detail {

/// The passes of a row program over distances between its operands: the base of the formulas of pairs and
/// triplets.
///
/// Pairs, in this order: (0, 1), (0, 2), (1, 2).
template <class Distance, int Inputs, int Pairs>
struct paired_rows {
  static constexpr int inputs = Inputs, gradients = Inputs, pairs = Pairs;
  static constexpr bool uses_column = false;
  static constexpr bool spares_last_pass = foretelling_distance<Distance, float>;
  SAGE_HD static constexpr int first_of(int pair) noexcept { return pair < 2 ? 0 : 1; }
  SAGE_HD static constexpr int second_of(int pair) noexcept { return pair < 1 ? 1 : 2; }

  Distance distance{};

  template <class V>
  struct firsts {
    static constexpr int partial_states =
        Pairs == 1 ? 2 : 1;  // seven sums of two pairs: twice as many need memory
    lanes<typename Distance::template first<V>, Pairs> pair =
        repeated<Pairs>(typename Distance::template first<V>{});
  };
  template <class V>
  struct prepared {
    lanes<typename Distance::template prepared<V>, Pairs> pair;
  };
  template <class V>
  struct sums {
    static constexpr int partial_states = Pairs == 3 ? 2 : 4;
    lanes<typename Distance::template sums<V>, Pairs> pair =
        repeated<Pairs>(typename Distance::template sums<V>{});
  };
  template <class V>
  struct slopes {
    lanes<typename Distance::template slope<V>, Pairs> pair;
  };

  template <class V, bool TwoPasses>
  struct pass_selection {
    using type = pass_list<sums<V>>;
  };
  template <class V>
  struct pass_selection<V, true> {
    using type = pass_list<firsts<V>, sums<V>>;
  };
  template <class V>
  using passes = typename pass_selection<V, two_pass_distance<Distance>>::type;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(firsts<V>& a, lanes<V, Inputs> const& x, row<V> const&) const {
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) distance.accumulate(a.pair[k], x[first_of(k)], x[second_of(k)]);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(firsts<V>& a, firsts<V> const& b) const {
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) distance.combine(a.pair[k], b.pair[k]);
  }
  template <class V>
  SAGE_HD SAGE_INLINE prepared<V> conclude(firsts<V> const& a, row<V> const&) const {
    prepared<V> r;
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) r.pair[k] = distance.prepare(a.pair[k]);
    return r;
  }

  /// Have the first passes of all distances told the sums of the second, which then are set?
  template <class V>
  requires foretelling_distance<Distance, V> SAGE_HD SAGE_INLINE bool foretold(sums<V>& a,
                                                                               prepared<V> const& p) const {
    bool all = true;
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) all = distance.foretold(a.pair[k], p.pair[k]) && all;
    return all;
  }

  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, Inputs> const& x, row<V> const&,
                                      Prepared const&... p) const {
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k)
      distance.accumulate(a.pair[k], x[first_of(k)], x[second_of(k)], p.pair[k]...);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) distance.combine(a.pair[k], b.pair[k]);
  }

 protected:
  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE lanes<V, Pairs> distances(sums<V> const& a, Prepared const&... p) const {
    lanes<V, Pairs> d;
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) d[k] = distance.value(a.pair[k], p.pair[k]...);
    return d;
  }
  template <class V, class... Prepared>
  SAGE_HD SAGE_INLINE slopes<V> slopes_of(sums<V> const& a, lanes<V, Pairs> const& upstream,
                                          Prepared const&... p) const {
    slopes<V> r;
    SAGE_UNROLL
    for (int k = 0; k < Pairs; ++k) r.pair[k] = distance.slope_of(a.pair[k], upstream[k], p.pair[k]...);
    return r;
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
