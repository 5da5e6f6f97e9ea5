#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/row.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// After how many positions of a row, or packs of them, the one state of a pass is added to the total and begun anew, so
/// that rounding does not add up over long rows.
inline constexpr index_t block_length = 256;

/// Over how many packs of a row one step of a pass runs before the next: few enough to stay in the first-level cache.
inline constexpr index_t step_length = 32;

/// May the passes before the last tell what it would sum? Such a formula says `static constexpr bool spares_last_pass`.
template <class Formula>
inline constexpr bool spares_last_pass = false;
template <class Formula>
  requires requires { Formula::spares_last_pass; }
inline constexpr bool spares_last_pass<Formula> = Formula::spares_last_pass;

/// Have the conclusions of earlier passes told what the pass of this state would sum? Then sets the state.
template <class Formula, class State, class... Earlier>
SAGE_INLINE bool foretold(Formula const& f, State& state, Earlier const&... earlier) {
  if constexpr (spares_last_pass<Formula> && requires { f.foretold(state, earlier...); }) {
    return f.foretold(state, earlier...);
  } else {
    return false;
  }
}

/// Runs the passes of a formula one after the other: `reduce(state, earlier…)` makes the whole row's state of one
/// pass; its conclusion joins `earlier`. Ends with finalize.
template <class Formula, class V, class Reduce, class... Earlier>
SAGE_INLINE auto run_passes(Formula const& f, row<V> const& r, pass_list<>, Reduce const&,
                            Earlier const&... earlier) {
  return f.finalize(r, earlier...);
}

template <class Formula, class V, class State, class... Later, class Reduce, class... Earlier>
SAGE_INLINE auto run_passes(Formula const& f, row<V> const& r, pass_list<State, Later...>,
                            Reduce const& reduce, Earlier const&... earlier) {
  State const total = [&]() SAGE_INLINE_LAMBDA {
    if constexpr (sums_nothing<State>) {
      return State{};
    } else {
      return reduce(State{}, earlier...);
    }
  }();
  if constexpr (concludes<Formula, State, row<V>, Earlier...>) {
    return run_passes(f, r, pass_list<Later...>{}, reduce, earlier..., f.conclude(total, r, earlier...));
  } else {
    return run_passes(f, r, pass_list<Later...>{}, reduce, earlier..., total);
  }
}

#if SAGE_SIMD

/// Keeps the first `valid` lanes of `now`; the others stay what they were.
template <class State, class Mask>
SAGE_INLINE State masked(Mask const& valid, State const& now, State const& before) noexcept {
  auto n = members(now);
  auto const b = members(before);
  SAGE_UNROLL
  for (int i = 0; i < static_cast<int>(sizeof(n) / sizeof(n.value[0])); ++i)
    n[i] = math::select(valid, n[i], b[i]);
  return __builtin_bit_cast(State, n);
}

/// Lane l of every member becomes lane l ^ by: of vectors of 16 bytes.
template <class State>
SAGE_INLINE State lanes_moved(State const& s, int by) noexcept {
  constexpr int width = lane_traits<value_of<State>>::width;
  static_assert(width == 2 || width == 4);
  auto m = members(s);
  SAGE_UNROLL
  for (int i = 0; i < static_cast<int>(sizeof(m) / sizeof(m.value[0])); ++i) {
    if constexpr (width == 2) {
      m[i].v = __builtin_shufflevector(m[i].v, m[i].v, 1, 0);
    } else if (by == 2) {
      m[i].v = __builtin_shufflevector(m[i].v, m[i].v, 2, 3, 0, 1);
    } else {
      m[i].v = __builtin_shufflevector(m[i].v, m[i].v, 1, 0, 3, 2);
    }
  }
  return __builtin_bit_cast(State, m);
}

/// As many lanes of x from `First` on as there are numbers K. (Of a cast to two halves GCC 12 makes loads and stores.)
template <int First, class T, int N, int... K>
SAGE_INLINE pack<T, static_cast<int>(sizeof...(K))> lanes_from(pack<T, N> const& x,
                                                               std::integer_sequence<int, K...>) noexcept {
  return pack<T, static_cast<int>(sizeof...(K))>(__builtin_shufflevector(x.v, x.v, (First + K)...));
}

/// The packs of 16 bytes.
template <class V>
using smallest_pack = pack<scalar_of<V>, static_cast<int>(16 / sizeof(scalar_of<V>))>;

/// The lanes of a state joined, halving the width each time: a fixed order. Every lane of the result holds it.
template <class Formula, class State>
SAGE_INLINE rebind_t<State, smallest_pack<value_of<State>>> join_all_lanes(Formula const& f, State const& s) {
  using V = value_of<State>;
  constexpr int width = lane_traits<V>::width;
  constexpr int count = static_cast<int>(sizeof(State) / sizeof(V));
  if constexpr (!__is_same(V, smallest_pack<V>)) {
    using half = pack<scalar_of<V>, width / 2>;
    using half_state = rebind_t<State, half>;
    auto const m = members(s);
    members_of<half_state> low, high;
    SAGE_UNROLL
    for (int i = 0; i < count; ++i) {
      low[i] = lanes_from<0>(m[i], std::make_integer_sequence<int, width / 2>{});
      high[i] = lanes_from<width / 2>(m[i], std::make_integer_sequence<int, width / 2>{});
    }
    auto total = __builtin_bit_cast(half_state, low);
    f.combine(total, __builtin_bit_cast(half_state, high));
    return join_all_lanes(f, total);
  } else {
    State total = s;
    SAGE_UNROLL
    for (int by = width / 2; by > 0; by /= 2) f.combine(total, lanes_moved(total, by));
    return total;
  }
}

/// The same as one lane.
template <class Formula, class State>
SAGE_INLINE auto join_lanes(Formula const& f, State const& s) {
  return first_lane(join_all_lanes(f, s));
}

#endif

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
