#pragma once

#include <sage/core/config.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/lanes.hpp>

#include <cstddef>

namespace sage {
SAGE_ABI_BEGIN

/// A row program: one loss as pure mathematics, for any value type V (a scalar, a pack<T, N>, an autodiff scalar, a
/// CUDA thread's float). It names no tensor and no schedule; executors run it. A formula F is trivially copyable
/// and has
///
///   static constexpr int inputs, gradients;             // operands read and gradients written per position
///   template <class V> using passes = pass_list<A<V>, B<V>, …>;     // the states of the passes over a row
///   void accumulate(A<V>& a, lanes<V, inputs> const& x, row<V> const&) const;            // first pass
///   void combine(A<V>& a, A<V> const& other) const;                 // joins the states of two parts of a row
///   A'<V> conclude(A<V> const& a, row<V> const&) const;             // what later passes see of it
///   void accumulate(B<V>& b, lanes<V, inputs> const& x, row<V> const&, A'<V> const&) const;   // second pass
///   …
///   R<V> finalize(row<V> const&, A'<V> const&, B'<V> const&, …) const;   // R has `loss` and what gradients need
///   lanes<V, gradients> gradient(lanes<V, inputs> const& x, row<V> const&, R<V> const&) const;
///
/// States, conclusions and R are class templates of the one parameter V whose members all are V, with the neutral
/// element of `combine` as default member initialisers. The loss is that of the row; the gradient includes the
/// factor `row.upstream`. `conclude` may be missing: the state is its own conclusion. A state may say
/// `static constexpr int partial_states`: over how many of it, 1, 2 or 4, a long row is divided, to hide latencies.
///
/// A formula of several losses of a row says `static constexpr int losses = n`, and R's `loss` is lanes<V, n>. One whose
/// passes before the last may tell what this would sum says `static constexpr bool spares_last_pass = true` and has
///
///   bool foretold(B<T>& b, A'<T> const&, …) const;    // of scalars: sets b and is true where they do
///
/// Executors may then spare that pass of the row.
///
/// A formula whose later passes need again what is dear to compute says `static constexpr int kept = n`: n values at
/// every position that it keeps between passes. `accumulate` and `gradient` then take an object k behind the row, with
/// k.set(i, x) and k[i] for 0 ≤ i < n. One that never asks for row.column may say
/// `static constexpr bool uses_column = false` and spares its counting.
///
/// A pass that works long on a position may be done in steps, beside the whole: its state says
/// `static constexpr int steps = n`, and `accumulate` takes step<0>{} … step<n − 1>{} before its other arguments. Steps
/// hand on by kept values what they compute. An executor may so do one step at many positions before the next: a
/// processor looks some hundred instructions ahead, which are more positions of one step than of the whole.
///
/// One that has a shorter way for rows of two columns says so by `auto for_two_columns() const`: a formula of as many
/// inputs, gradients and losses, which executors may run instead on such rows.
template <class... States>
struct pass_list {};
/// The state of a pass that sums nothing: its conclusion is made of earlier ones. What is long to conclude may be divided
/// so, for executors that conclude many rows one after the other.
template <class V>
struct nothing {};
/// The I-th of the steps into which a pass is divided.
template <int I>
struct step {};
template <class Passes>
inline constexpr std::size_t pass_count = 0;
template <class... States>
inline constexpr std::size_t pass_count<pass_list<States...>> = sizeof...(States);

/// What a row program knows of its place.
template <class V>
struct row {
  integer_of<V> column{};  // of the position's lanes within the row
  integer_of<V> label{};   // the row's class, for formulas that have one
  V length{};              // elements of the row
  V upstream{};            // ∂(reduced loss)/∂(loss of this row)

  /// Is the position the row's label?
  SAGE_HD SAGE_INLINE auto at_label() const noexcept { return column == label; }
};

SAGE_ABI_END
}  // namespace sage
