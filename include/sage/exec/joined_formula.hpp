#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/batch_rows.hpp>
#include <sage/exec/cooperative_rows.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// What becomes of one of several losses of a row.
enum class term_state : unsigned char {
  skipped,  // it contributes exactly nothing, whatever the operands hold
  counted,
  invalid  // the row's label is no class: loss and gradients are NaN
};

/// A row program that takes part in a joined_formula: its operands are those numbered At of all.
template <class Formula, int... At>
struct joined_term {
  static_assert(Formula::inputs == static_cast<int>(sizeof...(At)) &&
                    Formula::gradients == static_cast<int>(sizeof...(At)),
                "sage: a joined formula has a gradient for each of its operands, and a number for each");
  using formula_type = Formula;

  Formula formula{};

  template <class V, int N>
  SAGE_HD SAGE_INLINE static lanes<V, Formula::inputs> operands(lanes<V, N> const& x) {
    return {{x[At]...}};
  }
  template <class V, int N>
  SAGE_HD SAGE_INLINE static void add(lanes<V, N>& to, lanes<V, Formula::gradients> const& g) {
    int k = 0;
    ((to[At] = to[At] + g[k++]), ...);
  }
};

namespace detail {

/// Number I of several things of different types, of which `nothing` takes no room.
struct nothing {};
template <int I, class S>
struct slot {
  S value{};
};
template <int I>
struct slot<I, nothing> {};
template <class Numbers, class... S>
struct slots;
template <int... I, class... S>
struct slots<std::integer_sequence<int, I...>, S...> : slot<I, S>... {};

template <int I, class S>
SAGE_HD SAGE_INLINE S& at(slot<I, S>& s) noexcept {
  return s.value;
}
template <int I, class S>
SAGE_HD SAGE_INLINE S const& at(slot<I, S> const& s) noexcept {
  return s.value;
}
template <int I, class S>
SAGE_HD SAGE_INLINE slot<I, S> as_slot(S const& s) {
  if constexpr (std::is_same_v<S, nothing>) {
    return {};
  } else {
    return {s};
  }
}
template <int... I, class... S>
SAGE_HD SAGE_INLINE auto make_slots(std::integer_sequence<int, I...> numbers, S const&... s) {
  return slots<decltype(numbers), S...>{as_slot<I>(s)...};
}

/// The state of pass N, or nothing where there are fewer.
template <int N, class Passes>
struct state_at {
  using type = nothing;
};
template <class First, class... Later>
struct state_at<0, pass_list<First, Later...>> {
  using type = First;
};
template <int N, class First, class... Later>
  requires(N > 0)
struct state_at<N, pass_list<First, Later...>> : state_at<N - 1, pass_list<Later...>> {};

}  // namespace detail

/// Several row programs over the same operands as one, for the cooperative schedules: every operand is read once in a
/// pass, whichever formulas need it, and every gradient is the sum of theirs, rounded once and written once.
///
///   pass n of all is the n-th pass of each that has so many; every formula has an upstream and a state of its own
///
/// Terms are joined_term<Formula, operand numbers…>. The loss is one number for each of them.
template <int Inputs, class... Terms>
struct joined_formula {
  static constexpr int inputs = Inputs, gradients = Inputs, terms = static_cast<int>(sizeof...(Terms));
  static constexpr int kept = (0 + ... + detail::kept_by<typename Terms::formula_type>);
  static_assert(kept > 0, "sage: formulas of which none keeps values need not be joined");

  using numbers = std::make_integer_sequence<int, terms>;
  detail::slots<numbers, Terms...> of{};

  static joined_formula made_of(typename Terms::formula_type const&... formula) {
    return {detail::make_slots(numbers{}, Terms{formula}...)};
  }

  /// What the formulas know of their place.
  template <class V>
  struct place {
    integer_of<V> column{}, label{};
    V length{};
    lanes<V, terms> upstreams{};
    lanes<term_state, terms> states{};

    SAGE_HD SAGE_INLINE row<V> of_term(int t) const { return {column, label, length, upstreams[t]}; }
  };

 private:
  template <int T>
  using term =
      std::remove_cvref_t<decltype(detail::at<T>(std::declval<detail::slots<numbers, Terms...>&>()))>;
  template <int T>
  using formula_of = typename term<T>::formula_type;
  template <int T, class V>
  static constexpr int passes_of = static_cast<int>(pass_count<typename formula_of<T>::template passes<V>>);
  static constexpr int most_passes = [] {
    int most = 0;
    ((most = static_cast<int>(pass_count<typename Terms::formula_type::template passes<float>>) > most
                 ? static_cast<int>(pass_count<typename Terms::formula_type::template passes<float>>)
                 : most),
     ...);
    return most;
  }();
  template <int T>
  static constexpr int kept_before = [] {
    int const each[] = {detail::kept_by<typename Terms::formula_type>...};
    int before = 0;
    for (int t = 0; t < T; ++t) before += each[t];
    return before;
  }();

  template <class V, class Passes>
  struct joined_passes;
  template <class V, int... N>
  struct joined_passes<V, std::integer_sequence<int, N...>> {
    template <int Pass>
    using state = detail::slots<
        numbers, typename detail::state_at<Pass, typename Terms::formula_type::template passes<V>>::type...>;
    using type = pass_list<state<N>...>;
  };

 public:
  template <class V>
  using passes = typename joined_passes<V, std::make_integer_sequence<int, most_passes>>::type;

  template <class V, class Results>
  struct result {
    lanes<V, terms> loss;
    Results of;
  };

  template <class State, class V, class Kept, class... Earlier>
  SAGE_HD SAGE_INLINE void accumulate(State& a, lanes<V, Inputs> const& x, place<V> const& r,
                                      Kept const& kept_here, Earlier const&... earlier) const {
    [&]<int... T>(std::integer_sequence<int, T...>) {
      (accumulate_term<T>(a, x, r, kept_here, earlier...), ...);
    }
    (numbers{});
  }
  template <class State>
  SAGE_HD SAGE_INLINE void combine(State& a, State const& b) const {
    [&]<int... T>(std::integer_sequence<int, T...>) { (combine_term<T>(a, b), ...); }
    (numbers{});
  }
  template <class State, class V, class... Earlier>
  SAGE_HD SAGE_INLINE auto conclude(State const& a, place<V> const& r, Earlier const&... earlier) const {
    return [&]<int... T>(std::integer_sequence<int, T...>) {
      return detail::make_slots(numbers{}, conclude_term<T>(a, r, earlier...)...);
    }
    (numbers{});
  }
  template <class V, class... Earlier>
  SAGE_HD SAGE_INLINE auto finalize(place<V> const& r, Earlier const&... earlier) const {
    return [&]<int... T>(std::integer_sequence<int, T...>) {
      auto const of_terms = detail::make_slots(
          numbers{},
          finalize_term<T, V>(r, std::make_integer_sequence<int, passes_of<T, V>>{}, earlier...)...);
      return result<V, std::remove_cvref_t<decltype(of_terms)>>{{{loss_of<T>(of_terms, r)...}}, of_terms};
    }
    (numbers{});
  }
  template <class V, class Kept, class Result>
  SAGE_HD SAGE_INLINE lanes<V, Inputs> gradient(lanes<V, Inputs> const& x, place<V> const& r,
                                                Kept const& kept_here, Result const& of_row) const {
    lanes<V, Inputs> g{};
    [&]<int... T>(std::integer_sequence<int, T...>) { (add_gradient<T>(g, x, r, kept_here, of_row.of), ...); }
    (numbers{});
    return g;
  }

 private:
  template <int T, class State, class V, class Kept, class... Earlier>
  SAGE_HD SAGE_INLINE void accumulate_term(State& a, lanes<V, Inputs> const& x, place<V> const& r,
                                           Kept const& kept_here, Earlier const&... earlier) const {
    if constexpr (static_cast<int>(sizeof...(Earlier)) < passes_of<T, V>) {
      if (r.states[T] == term_state::skipped) return;
      detail::accumulate(detail::at<T>(of).formula, detail::at<T>(a), term<T>::operands(x), r.of_term(T),
                         kept_here.from(kept_before<T>), detail::at<T>(earlier)...);
    }
  }
  template <int T, class State>
  SAGE_HD SAGE_INLINE void combine_term(detail::slot<T, State>& a, detail::slot<T, State> const& b) const {
    if constexpr (!std::is_same_v<State, detail::nothing>)
      detail::at<T>(of).formula.combine(a.value, b.value);
  }
  template <int T, class State, class V, class... Earlier>
  SAGE_HD SAGE_INLINE auto conclude_term(State const& a, place<V> const& r, Earlier const&... earlier) const {
    if constexpr (static_cast<int>(sizeof...(Earlier)) < passes_of<T, V>) {
      return conclude_own<T>(detail::at<T>(a), r.of_term(T), detail::at<T>(earlier)...);
    } else {
      return detail::nothing{};
    }
  }
  template <int T, class State, class V, class... Earlier>
  SAGE_HD SAGE_INLINE auto conclude_own(State const& a, row<V> const& r, Earlier const&... earlier) const {
    if constexpr (detail::concludes<formula_of<T>, State, row<V>, Earlier...>) {
      return detail::at<T>(of).formula.conclude(a, r, earlier...);
    } else {
      return a;
    }
  }
  // Of the conclusions of all passes those that the term has.
  template <int T, class V, int... N, class... Earlier>
  SAGE_HD SAGE_INLINE auto finalize_term(place<V> const& r, std::integer_sequence<int, N...>,
                                         Earlier const&... earlier) const {
    auto const all = detail::make_slots(
        std::make_integer_sequence<int, static_cast<int>(sizeof...(Earlier))>{}, earlier...);
    return detail::at<T>(of).formula.finalize(r.of_term(T), detail::at<T>(detail::at<N>(all))...);
  }
  template <int T, class Results, class V>
  SAGE_HD SAGE_INLINE static V loss_of(Results const& of_terms, place<V> const& r) {
    V const loss = detail::at<T>(of_terms).loss;
    return r.states[T] == term_state::counted   ? loss
           : r.states[T] == term_state::skipped ? V(0)
                                                : math::infinity<V>() * V(0);
  }
  template <int T, class V, class Kept, class Results>
  SAGE_HD SAGE_INLINE void add_gradient(lanes<V, Inputs>& g, lanes<V, Inputs> const& x, place<V> const& r,
                                        Kept const& kept_here, Results const& of_terms) const {
    if (r.states[T] == term_state::skipped) return;
    term<T>::add(g, detail::gradient(detail::at<T>(of).formula, term<T>::operands(x), r.of_term(T),
                                     kept_here.from(kept_before<T>), detail::at<T>(of_terms)));
  }
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
