#pragma once

#include <sage/core/config.hpp>
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
  State const total = reduce(State{}, earlier...);
  if constexpr (requires { f.conclude(total, r, earlier...); }) {
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

/// The lanes of a state joined into one, halving the width each time: a fixed order.
template <class Formula, class State>
SAGE_INLINE auto join_lanes(Formula const& f, State const& s) {
  using V = value_of<State>;
  using T = scalar_of<V>;
  constexpr int width = lane_traits<V>::width;
  constexpr int count = static_cast<int>(sizeof(State) / sizeof(V));
  auto const m = members(s);
  constexpr int smallest = static_cast<int>(16 / sizeof(T));
  if constexpr (width > smallest) {
    using half = pack<T, width / 2>;
    using half_state = rebind_t<State, half>;
    members_of<half_state> low, high;
    SAGE_UNROLL
    for (int i = 0; i < count; ++i) {
      auto const parts = __builtin_bit_cast(lanes<half, 2>, m[i]);
      low[i] = parts[0];
      high[i] = parts[1];
    }
    auto total = __builtin_bit_cast(half_state, low);
    f.combine(total, __builtin_bit_cast(half_state, high));
    return join_lanes(f, total);
  } else {
    using one = rebind_t<State, T>;
    auto const lane = [&](int l) SAGE_INLINE_LAMBDA {
      members_of<one> r;
      SAGE_UNROLL
      for (int i = 0; i < count; ++i) r[i] = m[i].v[l];
      return __builtin_bit_cast(one, r);
    };
    one total = lane(0);
    for (int l = 1; l < width; ++l) f.combine(total, lane(l));
    return total;
  }
}

#endif

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
