#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/batch_terms.hpp>
#include <sage/exec/cooperative_rows.hpp>
#include <sage/exec/joined_formula.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/lanes.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Rows of one length and what is computed of them in a fused launch: one of the formulas, the one numbered `chosen`,
/// which has as many losses as there are terms.
template <class T, int Operands, int Terms, class... Formulas>
struct fused_family {
  using element = T;
  using A = accumulator_t<T>;
  static constexpr int terms = Terms;
  using numbers = std::make_integer_sequence<int, static_cast<int>(sizeof...(Formulas))>;

  lanes<rows_view<T const>, Operands> in{};
  lanes<gradient_rows<T>, Operands> out{};
  index_t length = 0;
  bool with_gradient = false;
  lanes<batch_term<A>, Terms> of_terms{};
  detail::slots<numbers, Formulas...> formulas{};
  int chosen = 0;

  void set_formulas(Formulas const&... f) { formulas = detail::make_slots(numbers{}, f...); }
};

namespace detail {

/// A family with one of its formulas, as the schedules know problems.
template <class Formula, class T>
struct family_problem {
  using element = T;
  using accumulator = accumulator_t<T>;
  using formula_type = Formula;

  Formula const& formula;
  lanes<rows_view<T const>, Formula::inputs> const& in;
  lanes<gradient_rows<T>, Formula::gradients> const& out;
  index_t rows, length;
  bool with_gradient;
  accumulator* losses;
};

/// Does one of a family's formulas keep values between its passes?
template <class Family>
inline constexpr bool keeps_values = false;
template <class T, int Operands, int Terms, class... Formulas>
inline constexpr bool keeps_values<fused_family<T, Operands, Terms, Formulas...>> =
    ((kept_by<Formulas> > 0) || ...);

/// Shared memory through which the warps of a block exchange the states of all formulas of a family, and their sums.
template <class Family>
inline constexpr int exchanged_by = 0;
template <class T, int Operands, int Terms, class... Formulas>
inline constexpr int exchanged_by<fused_family<T, Operands, Terms, Formulas...>> =
    row_policy::warps_of_block*((0 + ... +
                                 state_bytes<typename Formulas::template passes<accumulator_t<T>>>::sum) +
                                static_cast<int>(sizeof(lanes<term_total<accumulator_t<T>>, Terms>)));

/// The families of one launch, by number.
template <class... Family>
struct families {
  static constexpr int count = static_cast<int>(sizeof...(Family));
  static constexpr int terms = (0 + ... + Family::terms);
  using numbers = std::make_integer_sequence<int, count>;
  template <int F>
  using family = std::remove_cvref_t<decltype(at<F>(std::declval<slots<numbers, Family...>&>()))>;
  template <int F>
  static constexpr int terms_before = [] {
    int const each[] = {Family::terms...};
    int before = 0;
    for (int f = 0; f < F; ++f) before += each[f];
    return before;
  }();

  slots<numbers, Family...> all{};
  lanes<row_layout, count> layouts{};

  /// The first block of family f.
  SAGE_HD index_t first_block(int f) const noexcept {
    index_t first = 0;
    SAGE_UNROLL
    for (int g = 0; g < count; ++g) first += g < f ? layouts[g].blocks : 0;
    return first;
  }
  index_t blocks() const noexcept { return first_block(count); }
  index_t shared_bytes() const noexcept {
    index_t most = 0;
    for (auto const& l : layouts.value) most = l.shared_bytes > most ? l.shared_bytes : most;
    return most;
  }
};

}  // namespace detail
}  // namespace exec
SAGE_ABI_END
}  // namespace sage
