#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>
#include <sage/math/row.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// How many values a formula keeps at every position between its passes.
template <class Formula>
inline constexpr int kept_by = 0;
template <class Formula>
  requires requires { Formula::kept; }
inline constexpr int kept_by<Formula> = Formula::kept;

/// Does the formula ask for a position's column? GCC 12 would count the columns for nobody.
template <class Formula>
inline constexpr bool uses_column = true;
template <class Formula>
  requires requires { Formula::uses_column; }
inline constexpr bool uses_column<Formula> = Formula::uses_column;

/// The values that a formula keeps at the position of its lanes. They stand one behind the other in the row's scratch.
template <class V>
class kept_values {
 public:
  using scalar = scalar_of<V>;

  SAGE_HD SAGE_INLINE explicit kept_values(scalar* at) noexcept : at_(at) {}

  SAGE_HD SAGE_INLINE V operator[](int slot) const noexcept {
    if constexpr (lane_traits<V>::width == 1) {
      return at_[slot];
    } else {
      return load_pack<V>(at_ + slot * lane_traits<V>::width);
    }
  }
  SAGE_HD SAGE_INLINE void set(int slot, V const& x) const noexcept {
    if constexpr (lane_traits<V>::width == 1) {
      at_[slot] = x;
    } else {
      store_pack(at_ + slot * lane_traits<V>::width, x);
    }
  }
  /// The slots from `first` on, for a formula made of formulas.
  SAGE_HD SAGE_INLINE kept_values from(int first) const noexcept {
    return kept_values(at_ + first * lane_traits<V>::width);
  }

 private:
  scalar* at_;
};

/// The same for one lane, with its slots apart: how they stand in the shared memory of a GPU.
template <class A>
class spaced_values {
 public:
  SAGE_HD SAGE_INLINE spaced_values(A* at, index_t between) noexcept : at_(at), between_(between) {}

  SAGE_HD SAGE_INLINE A const& operator[](int slot) const noexcept { return at_[slot * between_]; }
  SAGE_HD SAGE_INLINE void set(int slot, A const& x) const noexcept { at_[slot * between_] = x; }
  SAGE_HD SAGE_INLINE spaced_values from(int first) const noexcept {
    return {at_ + first * between_, between_};
  }

 private:
  A* at_;
  index_t between_;
};

/// Is there nothing to accumulate in the pass of a state?
template <class State>
inline constexpr bool sums_nothing = false;
template <class V>
inline constexpr bool sums_nothing<nothing<V>> = true;

/// Has a formula a conclusion of this state? (Asked where it is used, within a pack's scope, nvcc 13 answers for another.)
template <class Formula, class State, class... Earlier>
concept concludes = requires(Formula const& f, State const& s, Earlier const&... earlier) {
  f.conclude(s, earlier...);
};

/// Into how many steps the pass of a state is divided.
template <class State>
inline constexpr int steps_of = 1;
template <class State>
  requires requires { State::steps; }
inline constexpr int steps_of<State> = State::steps;

// The formula's functions, with or without kept values.

template <class Formula, class State, class X, class Row, class Kept, class... Earlier>
SAGE_HD SAGE_INLINE void accumulate(Formula const& f, State& a, X const& x, Row const& r,
                                    [[maybe_unused]] Kept const& kept, Earlier const&... earlier) {
  if constexpr (kept_by < Formula >> 0) {
    f.accumulate(a, x, r, kept, earlier...);
  } else {
    f.accumulate(a, x, r, earlier...);
  }
}

/// One step of a pass, which may be the whole of it.
template <int I, class Formula, class State, class X, class Row, class Kept, class... Earlier>
SAGE_HD SAGE_INLINE void accumulate_step(step<I> of, Formula const& f, State& a, X const& x, Row const& r,
                                         Kept const& kept, Earlier const&... earlier) {
  if constexpr (steps_of<State> == 1) {
    accumulate(f, a, x, r, kept, earlier...);
  } else {
    f.accumulate(of, a, x, r, kept, earlier...);
  }
}

/// Calls run(step<0>{}), run(step<1>{}), … for the steps of a state's pass.
template <class State, class Run>
SAGE_HD SAGE_INLINE void for_each_step(Run const& run) {
  [&]<int... I>(std::integer_sequence<int, I...>) SAGE_INLINE_LAMBDA { (run(step<I>{}), ...); }
  (std::make_integer_sequence<int, steps_of<State>>{});
}

template <class Formula, class X, class Row, class Kept, class Result>
SAGE_HD SAGE_INLINE auto gradient(Formula const& f, X const& x, Row const& r,
                                  [[maybe_unused]] Kept const& kept, Result const& result) {
  if constexpr (kept_by < Formula >> 0) {
    return f.gradient(x, r, kept, result);
  } else {
    return f.gradient(x, r, result);
  }
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
