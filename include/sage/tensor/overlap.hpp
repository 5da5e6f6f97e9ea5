#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/tensor/rows.hpp>

#include <cstddef>
#include <cstdint>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The bytes [first, last) that a matrix of rows can touch.
struct byte_range {
  std::intptr_t first, last;
};

template <class T>
byte_range bytes_of(rows_view<T> const& r) noexcept {
  auto const base = reinterpret_cast<std::intptr_t>(r.data);
  if (r.rows == 0 || r.length == 0) return {base, base};
  auto const size = static_cast<index_t>(sizeof(T));
  index_t low = 0, high = 0;
  auto const extend = [&](index_t extent, index_t stride) {
    index_t const reach = (extent - 1) * stride;
    (reach < 0 ? low : high) += reach;
  };
  extend(r.length, r.stride);
  for (std::size_t d = 0; d < r.outer_rank; ++d) extend(r.outer[d].extent, r.outer[d].stride);
  return {base + low * size, base + (high + 1) * size};
}

/// Same elements at the same places: reading and writing them in place is safe.
template <class T, class U>
bool same_elements(rows_view<T> const& a, rows_view<U> const& b) noexcept {
  if (static_cast<void const*>(a.data) != static_cast<void const*>(b.data)) return false;
  if (a.stride != b.stride || a.outer_rank != b.outer_rank) return false;
  for (std::size_t d = 0; d < a.outer_rank; ++d)
    if (a.outer[d].stride != b.outer[d].stride || a.outer[d].extent != b.outer[d].extent) return false;
  return true;
}

/// May any element of one be an element of the other? Exact for rows of one pitch (columns of one buffer);
/// otherwise the answer is that of the byte ranges.
template <class T, class U>
bool may_overlap(rows_view<T> const& a, rows_view<U> const& b) noexcept {
  byte_range const x = bytes_of(a), y = bytes_of(b);
  if (x.last <= y.first || y.last <= x.first) return false;
  bool const one_pitch = a.outer_rank == 1 && b.outer_rank == 1 && a.outer[0].stride == b.outer[0].stride &&
                         a.stride == 1 && b.stride == 1 && a.outer[0].stride > 0 && sizeof(T) == sizeof(U);
  if (!one_pitch) return true;
  auto const size = static_cast<std::intptr_t>(sizeof(T));
  std::intptr_t const pitch = a.outer[0].stride * size;
  std::intptr_t const shift = ((y.first - x.first) % pitch + pitch) % pitch;  // of b's columns against a's
  return shift < a.length * size || shift + b.length * size > pitch;
}

/// Do two indices name one element (a broadcast view)? Such a view can be read but not written.
template <class T>
bool is_broadcast(rows_view<T> const& r) noexcept {
  if (r.rows == 0 || r.length == 0) return false;
  if (r.length > 1 && r.stride == 0) return true;
  for (std::size_t d = 0; d < r.outer_rank; ++d)
    if (r.outer[d].extent > 1 && r.outer[d].stride == 0) return true;
  return false;
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
