#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <concepts>
#include <cstddef>

namespace sage {

/// The number of elements along each dimension: `extents{rows, columns}`.
template <std::size_t Rank>
struct extents {
  index_t value[Rank];

  extents() = default;
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  SAGE_HD SAGE_INLINE constexpr extents(I... i) noexcept : value{static_cast<index_t>(i)...} {}

  SAGE_HD SAGE_INLINE constexpr index_t operator[](std::size_t i) const noexcept { return value[i]; }
};
template <std::integral... I>
extents(I...) -> extents<sizeof...(I)>;

/// The distance in elements between neighbours along each dimension; zero (broadcast) and negative are allowed.
template <std::size_t Rank>
struct strides {
  index_t value[Rank];

  strides() = default;
  template <std::integral... I>
    requires(sizeof...(I) == Rank)
  SAGE_HD SAGE_INLINE constexpr strides(I... i) noexcept : value{static_cast<index_t>(i)...} {}

  SAGE_HD SAGE_INLINE constexpr index_t operator[](std::size_t i) const noexcept { return value[i]; }
};
template <std::integral... I>
strides(I...) -> strides<sizeof...(I)>;

}  // namespace sage
