#pragma once

#include <sage/core/config.hpp>

namespace sage {

/// N values of one type: the operands of a row program at one position, V x[N].
template <class V, int N>
struct lanes {
  V value[N];

  SAGE_HD SAGE_INLINE constexpr V& operator[](int i) noexcept { return value[i]; }
  SAGE_HD SAGE_INLINE constexpr V const& operator[](int i) const noexcept { return value[i]; }
};

}  // namespace sage
