#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/exec/row_chunks.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/row.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Does a formula work so long on a position that loading several at once gains nothing? It keeps values, or its last
/// pass says that it has elementary functions.
template <class Passes>
inline constexpr bool last_is_long = false;
template <class First, class... Later>
inline constexpr bool last_is_long<pass_list<First, Later...>> = last_is_long<pass_list<Later...>>;
template <class Last>
inline constexpr bool last_is_long<pass_list<Last>> = [] {
  if constexpr (requires { Last::partial_states; }) return Last::partial_states == 1;
  return false;
}();

/// What a formula knows of its place in a row of these parameters.
template <class Formula, class A>
SAGE_HD row<A> place_of(row_parameters<A> const& p, index_t length) noexcept {
  return {0, p.label, static_cast<A>(length), p.upstream};
}

/// Has a formula several losses?
template <class Formula>
concept has_terms = requires {
  Formula::terms;
};

/// The losses of row i of N: one, or term after term.
template <class A>
SAGE_HD void store_losses(A* losses, index_t, index_t i, A const& loss) {
  losses[i] = loss;
}
template <class A, int Terms>
SAGE_HD void store_losses(A* losses, index_t rows, index_t i, lanes<A, Terms> const& loss) {
  SAGE_UNROLL
  for (int t = 0; t < Terms; ++t) losses[t * rows + i] = loss[t];
}

/// Has nobody checked a row's label?
template <class Parameters>
concept may_be_invalid = requires(Parameters const& p) {
  p.invalid;
};

/// Positions of a chunk: 16 bytes of an operand.
template <class Problem>
inline constexpr int chunk_width = [] {
  using T = typename Problem::element;
  using passes = typename Problem::formula_type::template passes<typename Problem::accumulator>;
  constexpr int width = static_cast<int>(16 / sizeof(T));
  bool const whole = width > 1 && 16 % sizeof(T) == 0;
  return whole && kept_by<typename Problem::formula_type> == 0 && !last_is_long<passes> ? width : 1;
}();

/// Bytes of the states of a formula's passes.
template <class Passes>
struct state_bytes;
template <class... States>
struct state_bytes<pass_list<States...>> {
  template <class State>
  static constexpr int of = sums_nothing<State> ? 0 : static_cast<int>(sizeof(State));
  static constexpr int sum = (0 + ... + of<States>);
  /// Of the passes before pass n.
  SAGE_HD static constexpr int before(int n) noexcept {
    int const each[] = {of<States>..., 0};
    int total = 0;
    for (int i = 0; i < n; ++i) total += each[i];
    return total;
  }
};

/// Memory for the values that a formula keeps at the positions of one row.
template <class A>
struct kept_memory {
  A* data = nullptr;
  index_t between_slots = 0, between_positions = 0;
};

/// A row as a whole by one group, in one launch.
inline constexpr int whole_row = -1;

/// One part of a row that several groups work on. Pass n is launch n, which leaves the states of all parts in memory;
/// the launch behind the last pass concludes and writes the gradients.
struct row_part {
  index_t number = 0, count = 1;
  unsigned char* states = nullptr;  // of the parts, per pass: rows × count of them
};

/// The schedule of one row by the members of a group. Member r works on chunks r, r + size, …, in every pass the same,
/// so that what it keeps at a position is its own affair. States are joined by `combined`.
///
/// Kept values stand in `memory`; without (Keeps is false) the passes that made them are run again at the position
/// where they are needed, for their kept values only.
template <class Group, class Problem, bool Keeps, int Stage = whole_row>
class cooperative_row {
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  using passes = typename formula_type::template passes<A>;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;
  static constexpr bool recomputes = kept > 0 && !Keeps;
  using chunks = row_chunks<Problem, chunk_width<Problem>>;
  using values = spaced_values<A>;

 public:
  SAGE_HD cooperative_row(Group const& group, Problem const& p, index_t i, kept_memory<A> memory,
                          row_part const& part = {})
      : group_(group), p_(p), i_(i), memory_(memory), part_(part), chunks_(p, i) {
    last_ = chunks_.count();
    if constexpr (Stage != whole_row) {
      index_t const all = last_, each = sage::detail::quotient(all + part.count - 1, part.count);
      first_ = part.number * each < all ? part.number * each : all;
      last_ = first_ + each < all ? first_ + each : all;
    }
  }

  SAGE_HD void operator()() const { (*this)(p_.parameters_of(i_)); }

  /// The row by the parameters given.
  template <class Parameters>
  SAGE_HD void operator()(Parameters const& parameters) const {
    bool invalid = false;
    if constexpr (may_be_invalid<std::remove_cvref_t<decltype(parameters)>>) invalid = parameters.invalid;
    if (parameters.skipped || invalid) {
      if constexpr (writes) without_evaluation(invalid);
      return;
    }
    auto const r = place_of<formula_type>(parameters, p_.length);
    run(passes{}, r, [](lanes<A, inputs> const&, auto const&, values const&) {});
  }

 private:
  static constexpr bool writes = Stage == whole_row || Stage == static_cast<int>(pass_count<passes>);

  // Loss 0 and gradients 0, or all NaN where the row has no meaning.
  SAGE_HD void without_evaluation(bool invalid) const {
    A const x = invalid ? math::infinity<A>() * A(0) : A(0);
    if constexpr (has_terms<formula_type>) {
      store_loss(repeated<formula_type::terms>(x));
    } else {
      store_loss(x);
    }
    if (!p_.with_gradient) return;
    group_.for_each([&](int rank) {
      for (index_t c = first_ + rank; c < last_; c += Group::size) chunks_.fill(c, x);
    });
  }

  template <class Loss>
  SAGE_HD void store_loss(Loss const& loss) const {
    if (p_.losses == nullptr || part_.number != 0) return;
    group_.for_each([&](int rank) {
      if (rank == 0) store_losses(p_.losses, p_.rows, i_, loss);
    });
  }

  // `refill(x, at, kept)` runs again, at one position, the passes before this one.
  template <class State, class... Later, class Row, class Refill, class... Earlier>
  SAGE_HD void run(pass_list<State, Later...>, Row const& r, Refill const& refill,
                   Earlier const&... earlier) const {
    constexpr int pass = sizeof...(Earlier);
    if constexpr (sums_nothing<State>) {
      if constexpr (Stage != pass) go_on(pass_list<Later...>{}, r, State{}, refill, earlier...);
    } else {
      run_pass<State>(pass_list<Later...>{}, r, refill, earlier...);
    }
  }
  template <class State, class... Later, class Row, class Refill, class... Earlier>
  SAGE_HD void run_pass(pass_list<Later...>, Row const& r, Refill const& refill,
                        Earlier const&... earlier) const {
    constexpr int pass = sizeof...(Earlier);
    typename Group::template own<State> part{};
    if constexpr (Stage == whole_row || Stage == pass) {
      group_.for_each([&](int rank) {
        for (index_t c = first_ + rank; c < last_; c += Group::size)
          chunks_.visit(c, [&](lanes<A, inputs> const& x, index_t j) {
            at_position(x, j, r, refill, [&](Row const& at, values const& kept_here) {
              accumulate(p_.formula, part[rank], x, at, kept_here, earlier...);
            });
          });
      });
    } else {
      State const* const of_part = states_of<State>(pass);
      group_.for_each([&](int rank) {
        if (rank < part_.count) part[rank] = of_part[rank];
      });
    }
    State const total = combined<State>(group_, p_.formula, part);
    if constexpr (Stage == pass) {
      group_.for_each([&](int rank) {
        if (rank == 0) states_of<State>(pass)[part_.number] = total;
      });
    } else if constexpr (recomputes) {
      go_on(
          pass_list<Later...>{}, r, total,
          [&](lanes<A, inputs> const& x, Row const& at, values const& kept_here) {
            refill(x, at, kept_here);
            State unused{};
            accumulate(p_.formula, unused, x, at, kept_here, earlier...);
          },
          earlier...);
    } else {
      go_on(pass_list<Later...>{}, r, total, refill, earlier...);
    }
  }

  template <class... Later, class Row, class State, class Refill, class... Earlier>
  SAGE_HD void go_on(pass_list<Later...>, Row const& r, State const& total, Refill const& refill,
                     Earlier const&... earlier) const {
    if constexpr (concludes<formula_type, State, Row, Earlier...>) {
      run(pass_list<Later...>{}, r, refill, earlier..., p_.formula.conclude(total, r, earlier...));
    } else {
      run(pass_list<Later...>{}, r, refill, earlier..., total);
    }
  }

  template <class Row, class Refill, class... Earlier>
  SAGE_HD void run(pass_list<>, Row const& r, Refill const& refill, Earlier const&... earlier) const {
    auto const result = p_.formula.finalize(r, earlier...);
    store_loss(result.loss);
    if (!p_.with_gradient) return;
    group_.for_each([&](int rank) {
      for (index_t c = first_ + rank; c < last_; c += Group::size)
        chunks_.write(c, [&](lanes<A, inputs> const& x, index_t j) {
          return at_position(x, j, r, refill, [&](Row const& at, values const& kept_here) {
            return gradient(p_.formula, x, at, kept_here, result);
          });
        });
    });
  }

  // f(place, kept values) at position j. The kept values stand in the row's memory, or are computed again.
  template <class Row, class Refill, class F>
  SAGE_HD auto at_position(lanes<A, inputs> const& x, index_t j, Row const& r, Refill const& refill,
                           F const& f) const {
    Row at = r;
    at.column = j;
    if constexpr (recomputes) {
      A again[kept];
      values const kept_here{again, 1};
      refill(x, at, kept_here);
      return f(at, kept_here);
    } else {
      return f(at, values{memory_.data + j * memory_.between_positions, memory_.between_slots});
    }
  }

  // The states of a pass of the parts of this row.
  template <class State>
  SAGE_HD State* states_of(int pass) const {
    index_t const rows_before = p_.rows * part_.count;
    return reinterpret_cast<State*>(part_.states + state_bytes<passes>::before(pass) * rows_before) +
           i_ * part_.count;
  }

  Group const& group_;
  Problem const& p_;
  index_t const i_;
  kept_memory<A> const memory_;
  row_part const part_;
  chunks const chunks_;
  index_t first_ = 0, last_ = 0;  // chunks of this part
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
