#pragma once

#include <sage/core/config.hpp>

#include <utility>

namespace sage {

/// N values of one type: the operands of a row program at one position, V x[N].
template <class V, int N>
struct lanes {
  V value[N];

  SAGE_HD SAGE_INLINE constexpr V& operator[](int i) noexcept { return value[i]; }
  SAGE_HD SAGE_INLINE constexpr V const& operator[](int i) const noexcept { return value[i]; }
};

/// N times x. (`lanes<V, N>{}` would be a loop over addresses, for which GCC 12 keeps states in memory.)
template <int N, class V>
SAGE_HD SAGE_INLINE constexpr lanes<V, N> repeated(V const& x) {
  return [&]<int... K>(std::integer_sequence<int, K...>) SAGE_INLINE_LAMBDA {
    return lanes<V, N>{{(static_cast<void>(K), x)...}};
  }(std::make_integer_sequence<int, N>{});
}

/// g and −g: the gradient of what depends on the difference of two operands. (Filled element by element, which GCC 12
/// keeps in registers.)
template <class V>
SAGE_HD SAGE_INLINE constexpr lanes<V, 2> opposite(V const& g) {
  lanes<V, 2> r;
  r[0] = g;
  r[1] = -g;
  return r;
}

}  // namespace sage
