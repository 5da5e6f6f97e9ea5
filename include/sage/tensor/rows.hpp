#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/tensor/strided_view.hpp>

#include <cstddef>

namespace sage {

/// One dimension of a strided tensor.
struct strided_dimension {
  index_t extent, stride;
};

SAGE_ABI_BEGIN
namespace detail {

/// i / n for i ≥ 0, n > 0. On a GPU the division of 64-bit numbers is a call, around which a kernel puts registers aside
/// in memory; that of 32-bit numbers is not, and what is larger is divided bit by bit.
SAGE_HD SAGE_INLINE index_t quotient(index_t i, index_t n) noexcept {
#if defined(__CUDA_ARCH__)
  auto const a = static_cast<unsigned long long>(i), b = static_cast<unsigned long long>(n);
  if (((a | b) >> 32) == 0) return static_cast<unsigned>(a) / static_cast<unsigned>(b);
  unsigned long long q = 0, rest = 0;
  _Pragma("unroll 1") for (int bit = 63; bit >= 0; --bit) {
    rest = rest << 1 | (a >> bit & 1);
    q <<= 1;
    if (rest >= b) rest -= b, q |= 1;
  }
  return static_cast<index_t>(q);
#else
  return i / n;
#endif
}

}  // namespace detail
SAGE_ABI_END

/// A tensor of any rank ≥ 1 seen as a matrix: the last dimension is a row's content, the leading dimensions are
/// rows, numbered in row-major order, as in PyTorch. Leading dimensions that form one stride are merged.
template <class T>
struct rows_view {
  T* data = nullptr;
  index_t rows = 0;    // N
  index_t length = 0;  // D
  index_t stride = 1;  // between neighbours within a row
  strided_dimension outer[max_rank]{};
  std::size_t outer_rank = 0;  // dimensions left after merging

  /// The first element of row i.
  SAGE_HD SAGE_INLINE T* row(index_t i) const noexcept {
    if (outer_rank == 1) return data + i * outer[0].stride;
    index_t offset = 0;
    for (std::size_t d = outer_rank; d-- > 0;) {
      index_t const next = detail::quotient(i, outer[d].extent);
      offset += (i - next * outer[d].extent) * outer[d].stride;
      i = next;
    }
    return data + offset;
  }
};

SAGE_ABI_BEGIN

/// The rows of a view of rank ≥ 1; a view of rank 1 is one row.
template <class View>
auto as_rows(View const& v) noexcept {
  rows_view<typename View::element_type> r;
  std::size_t const last = v.rank() - 1;
  r.data = v.data_handle();
  r.length = v.extent(last);
  r.stride = v.stride(last);
  r.rows = 1;
  for (std::size_t d = 0; d != last; ++d) {
    index_t const extent = v.extent(d), stride = v.stride(d);
    r.rows *= extent;
    if (extent == 1) continue;
    if (r.outer_rank > 0 && r.outer[r.outer_rank - 1].stride == extent * stride) {
      r.outer[r.outer_rank - 1] = {r.outer[r.outer_rank - 1].extent * extent, stride};
    } else {
      r.outer[r.outer_rank++] = {extent, stride};
    }
  }
  if (r.outer_rank == 0) r.outer[r.outer_rank++] = {1, 0};
  return r;
}

/// The same rows for reading only.
template <class T>
rows_view<T const> read_only(rows_view<T> const& r) noexcept {
  rows_view<T const> c;
  c.data = r.data;
  c.rows = r.rows;
  c.length = r.length;
  c.stride = r.stride;
  c.outer_rank = r.outer_rank;
  for (std::size_t d = 0; d < r.outer_rank; ++d) c.outer[d] = r.outer[d];
  return c;
}

/// The elements of a view of any rank, in row-major order, as rows of one element: labels, weights, values.
template <class View>
auto as_elements(View const& v) noexcept {
  rows_view<typename View::element_type> r = as_rows(v);
  if (r.length == 1) return r;
  if (r.outer_rank == 1 && r.outer[0].extent == 1) {
    r.outer[0] = {r.length, r.stride};
  } else if (r.outer_rank == 1 && r.outer[0].stride == r.length * r.stride) {
    r.outer[0] = {r.rows * r.length, r.stride};
  } else {
    r.outer[r.outer_rank++] = {r.length, r.stride};
  }
  r.rows *= r.length;
  r.length = 1;
  r.stride = 1;
  return r;
}

SAGE_ABI_END
}  // namespace sage
