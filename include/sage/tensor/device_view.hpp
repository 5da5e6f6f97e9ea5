#pragma once

#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/strided_view.hpp>

#include <concepts>
#include <cstddef>

namespace sage {

/// A row-major view of memory on a CUDA device: `device_view(pointer, rows, columns)`. Its elements cannot be read on the
/// host; executors of the host refuse it when they are compiled, as executors of the device refuse host memory.
template <class T, std::integral... Extents>
  requires(sizeof...(Extents) > 0)
SAGE_INLINE constexpr auto device_view(T* data, Extents... n) noexcept {
  return strided_view<T, sizeof...(Extents), memory_space::cuda>(data, extents<sizeof...(Extents)>(n...));
}

/// The same at any strides: `device_view(pointer, extents{rows, columns}, strides{pitch, 1})`.
template <class T, std::size_t Rank>
SAGE_INLINE constexpr auto device_view(T* data, extents<Rank> const& n, strides<Rank> const& s) noexcept {
  return strided_view<T, Rank, memory_space::cuda>(data, n, s);
}

}  // namespace sage
