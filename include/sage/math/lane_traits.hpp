#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/pack.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN

/// What formulas need to know of their value type V: a scalar (one lane) or a pack<T, N>.
template <class V>
struct lane_traits {
  using scalar = V;
  using integer = index_t;  // column numbers and labels
  static constexpr int width = 1;
};

#if SAGE_SIMD
template <class T, int N>
struct lane_traits<pack<T, N>> {
  using scalar = T;
  using integer = int_pack<T, N>;
  static constexpr int width = N;
};
#endif

template <class V>
using scalar_of = typename lane_traits<V>::scalar;
template <class V>
using integer_of = typename lane_traits<V>::integer;

namespace detail {

// state<T> → state<V> for the class templates of one type parameter that formulas declare.
template <class State, class V>
struct rebind_state;
template <template <class> class State, class T, class V>
struct rebind_state<State<T>, V> {
  using type = State<V>;
};
template <class State>
struct state_value;
template <template <class> class State, class V>
struct state_value<State<V>> {
  using type = V;
};

}  // namespace detail

template <class State, class V>
using rebind_t = typename detail::rebind_state<State, V>::type;
template <class State>
using value_of = typename detail::state_value<State>::type;

/// A state (an aggregate whose members are all of type V) as an array of its members, and back.
template <class State>
using members_of = lanes<value_of<State>, static_cast<int>(sizeof(State) / sizeof(value_of<State>))>;

template <class State>
SAGE_HD SAGE_INLINE members_of<State> members(State const& s) noexcept {
  return __builtin_bit_cast(members_of<State>, s);
}

/// state<T> → state<V>: every lane holds the scalar.
template <class V, class State>
SAGE_HD SAGE_INLINE rebind_t<State, V> broadcast(State const& s) noexcept {
  using wide = rebind_t<State, V>;
  if constexpr (__is_same(wide, State)) {
    return s;
  } else {
    auto const from = members(s);
    members_of<wide> to;
    SAGE_UNROLL
    for (int i = 0; i < static_cast<int>(sizeof(from) / sizeof(from.value[0])); ++i) to[i] = V(from[i]);
    return __builtin_bit_cast(wide, to);
  }
}

#if SAGE_SIMD
/// state<V> → state<T>: what the first lane holds.
template <class State>
SAGE_INLINE auto first_lane(State const& s) noexcept {
  using one = rebind_t<State, scalar_of<value_of<State>>>;
  auto const from = members(s);
  members_of<one> to;
  SAGE_UNROLL
  for (int i = 0; i < static_cast<int>(sizeof(from) / sizeof(from.value[0])); ++i) to[i] = from[i].v[0];
  return __builtin_bit_cast(one, to);
}
#endif

/// Every lane holds the integer.
template <class Integers>
SAGE_HD SAGE_INLINE Integers broadcast_integer(index_t x) noexcept {
#if SAGE_SIMD
  if constexpr (!__is_same(Integers, index_t)) {
    using lane = std::remove_cvref_t<decltype(Integers{}.b[0])>;
    Integers r;
    detail::fill(r.b, static_cast<lane>(x));
    return r;
  } else
#endif
    return x;
}

/// The integers first, first + 1, …, one per lane.
template <class Integers>
SAGE_HD SAGE_INLINE Integers count_from(index_t first) noexcept {
  if constexpr (__is_same(Integers, index_t)) {
    return first;
  } else {
    using lane = std::remove_cvref_t<decltype(Integers{}.b[0])>;
    alignas(64) static constexpr lane iota[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    Integers r;
    __builtin_memcpy(&r.b, iota, sizeof r.b);
    return r + broadcast_integer<Integers>(first);
  }
}

SAGE_ABI_END
}  // namespace sage
