#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
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

/// A matrix as runs of `width` neighbouring elements, `pitch` elements apart: its rows, or its columns where these are
/// what is contiguous. A pitch of 0 means that it is neither.
struct pitched_runs {
  index_t width = 0, pitch = 0;
};
template <class T>
pitched_runs runs_of(rows_view<T> const& r) noexcept {
  if (r.outer_rank != 1) return {};
  if (r.stride == 1 && r.outer[0].stride > 0) return {r.length, r.outer[0].stride};
  if (r.outer[0].stride == 1 && r.stride > 0) return {r.outer[0].extent, r.stride};
  return {};
}

/// May any element of one be an element of the other? Exact for runs of one pitch (columns of one row-major buffer,
/// rows of one column-major buffer); otherwise the answer is that of the byte ranges.
template <class T, class U>
bool may_overlap(rows_view<T> const& a, rows_view<U> const& b) noexcept {
  byte_range const x = bytes_of(a), y = bytes_of(b);
  if (x.last <= y.first || y.last <= x.first) return false;
  pitched_runs const p = runs_of(a), q = runs_of(b);
  if (p.pitch == 0 || p.pitch != q.pitch || sizeof(T) != sizeof(U)) return true;
  auto const size = static_cast<std::intptr_t>(sizeof(T));
  std::intptr_t const pitch = p.pitch * size;
  std::intptr_t const shift = ((y.first - x.first) % pitch + pitch) % pitch;  // of b's runs against a's
  return shift < p.width * size || shift + q.width * size > pitch;
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

/// Throws argument_error where elements of an output have several indices.
template <class T>
void require_own_elements(char const* function, char const* name, rows_view<T> const& output) {
  if (is_broadcast(output))
    raise<argument_error>(function, ": ", name,
                          " is a broadcast view (a stride is 0), expected elements of its own");
}

/// Throws argument_error where an output may share memory with another argument.
template <class T, class U>
void require_separate(char const* function, char const* name, rows_view<T> const& output, char const* other_name,
                      rows_view<U> const& other) {
  if (may_overlap(output, other))
    raise<argument_error>(function, ": ", name, " overlaps ", other_name, ", expected separate memory");
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
