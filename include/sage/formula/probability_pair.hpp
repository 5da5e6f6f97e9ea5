#pragma once

#include <sage/core/config.hpp>
#include <sage/math/row.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// One class of two distributions p and q, as a divergence sees it.
template <class V>
struct probability_pair {
  V p, q;
  V difference;  // p − q, to its own relative precision: not the difference of the rounded p and q
  V log_ratio;   // log p − log q, likewise; 0 for a class that neither distribution has
  V apart;       // log_ratio, but of a class that neither distribution has anything
};

namespace detail {

/// How many values of every class a divergence keeps for its gradient.
template <class Divergence>
inline constexpr int kept_by_divergence = 0;
template <class Divergence>
  requires requires { Divergence::kept; }
inline constexpr int kept_by_divergence<Divergence> = Divergence::kept;

/// In how many steps a divergence works on a class.
template <class Divergence>
inline constexpr int steps_of_divergence = 1;
template <class Divergence>
  requires requires { Divergence::steps; }
inline constexpr int steps_of_divergence<Divergence> = Divergence::steps;

/// Adds one class to the sums of a divergence.
template <class Divergence, class Sums, class V, class Kept>
SAGE_HD SAGE_INLINE void accumulate_class(Divergence const& d, Sums& a, probability_pair<V> const& c,
                                          [[maybe_unused]] Kept const& kept_here) {
  if constexpr (kept_by_divergence < Divergence >> 0) {
    if constexpr (steps_of_divergence < Divergence >> 1)
      [&]<int... I>(std::integer_sequence<int, I...>) SAGE_INLINE_LAMBDA {
        (d.prepare(step<I>{}, c, kept_here), ...);
      }
    (std::make_integer_sequence<int, steps_of_divergence<Divergence> - 1>{});
    d.accumulate(a, c, kept_here);
  } else {
    d.accumulate(a, c);
  }
}

/// T ∂D/∂z_p, T ∂D/∂z_q at one class.
template <class Divergence, class Sums, class V, class Kept>
SAGE_HD SAGE_INLINE auto gradient_of_class(Divergence const& d, probability_pair<V> const& c, Sums const& a,
                                           [[maybe_unused]] Kept const& kept_here) {
  if constexpr (kept_by_divergence < Divergence >> 0) {
    return d.gradient(c, a, kept_here);
  } else {
    return d.gradient(c, a);
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
