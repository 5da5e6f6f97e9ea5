#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Σ w l over a divisor; 0 instead of 0/0 where weights, or the lack of active rows, make the divisor 0.
template <class A>
SAGE_HD A mean_of(wide_t<A> const& sum, wide_t<A> const& divisor, bool zero_is_nothing) {
  return divisor == wide_t<A>(0) && zero_is_nothing ? A(0) : static_cast<A>(sum / divisor);
}

/// What scales the gradients: upstream over the divisor, or 0.
template <class A>
SAGE_HD A over_divisor(A const& upstream, wide_t<A> const& divisor) {
  return divisor == wide_t<A>(0) ? A(0) : static_cast<A>(wide_t<A>(upstream) / divisor);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
