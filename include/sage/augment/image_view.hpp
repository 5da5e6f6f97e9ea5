#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/shape.hpp>
#include <sage/tensor/strided_view.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <cstddef>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// A batch of images or maps of any strides; a null pointer for an output that is not wanted.
template <class T>
struct image_view {
  T* data = nullptr;
  index_t extent[4] = {};  // N, C, H, W; C = 1 for maps
  index_t stride[4] = {};

  SAGE_HD SAGE_INLINE T* row(index_t n, index_t c, index_t y) const noexcept {
    return data + n * stride[0] + c * stride[1] + y * stride[2];
  }
  /// Neighbouring columns are neighbours in memory.
  SAGE_HD SAGE_INLINE bool has_dense_rows() const noexcept { return stride[3] == 1 || extent[3] <= 1; }
};

/// The same images for reading only.
template <class T>
image_view<std::remove_const_t<T> const> read_only(image_view<T> const& v) noexcept {
  image_view<std::remove_const_t<T> const> r;
  r.data = v.data;
  for (int d = 0; d < 4; ++d) {
    r.extent[d] = v.extent[d];
    r.stride[d] = v.stride[d];
  }
  return r;
}

/// Images (N,C,H,W).
template <class View>
auto as_images(char const* function, char const* name, View const& v) {
  if (v.rank() != 4)
    raise<shape_error>(function, ": ", name, " has shape ", shape_text(v), ", expected images (N, C, H, W)");
  image_view<typename View::element_type> r;
  r.data = v.data_handle();
  for (std::size_t d = 0; d < v.rank() && d < 4; ++d) {
    r.extent[d] = v.extent(d);
    r.stride[d] = v.stride(d);
  }
  return r;
}

/// Maps (N,H,W) or (N,1,H,W).
template <class View>
auto as_maps(char const* function, char const* name, View const& v) {
  bool const with_channel = v.rank() == 4;
  if (!(v.rank() == 3 || with_channel) || (with_channel && v.extent(v.rank() - 3) != 1))
    raise<shape_error>(function, ": ", name, " has shape ", shape_text(v),
                       ", expected maps (N, H, W) or (N, 1, H, W)");
  image_view<typename View::element_type> r;
  r.data = v.data_handle();
  r.extent[1] = 1;
  for (std::size_t d = 0, to = 0; d < v.rank() && to < 4; ++d, to += to == 0 && !with_channel ? 2 : 1) {
    r.extent[to] = v.extent(d);
    r.stride[to] = v.stride(d);
  }
  return r;
}

/// The view as rows of the largest merged length, for the test of overlaps.
template <class T>
rows_view<T> as_blocks(image_view<T> const& v) noexcept {
  rows_view<T> r;
  r.data = v.data;
  r.rows = r.length = 1;
  strided_dimension merged[4] = {};
  std::size_t count = 0;
  for (std::size_t d = 0; d < 4; ++d) {
    if (v.extent[d] == 1) continue;
    if (count > 0 && merged[count - 1].stride == v.extent[d] * v.stride[d]) {
      merged[count - 1] = {merged[count - 1].extent * v.extent[d], v.stride[d]};
    } else {
      merged[count++] = {v.extent[d], v.stride[d]};
    }
  }
  if (count > 0) {
    r.length = merged[--count].extent;
    r.stride = merged[count].stride;
  }
  for (std::size_t d = 0; d < count; ++d) {
    r.outer[r.outer_rank++] = merged[d];
    r.rows *= merged[d].extent;
  }
  if (r.outer_rank == 0) r.outer[r.outer_rank++] = {1, 0};
  return r;
}

}  // namespace detail

/// `nhwc(t)`: images (N,H,W,C) seen as (N,C,H,W), for any argument that wants images or maps; nothing is
/// copied.
template <tensor Images>
auto nhwc(Images&& images) {
  auto const v = as_view(images);
  using view = std::remove_cv_t<decltype(v)>;
  using element = typename view::element_type;
  if constexpr (requires { v.extents(); }) {
    static_assert(view::rank() == 4, "sage: nhwc(t) takes images of rank 4, (N, H, W, C)");
    return strided_view<element, 4, view::space>{v.data_handle(),
                                                 extents{v.extent(0), v.extent(3), v.extent(1), v.extent(2)},
                                                 strides{v.stride(0), v.stride(3), v.stride(1), v.stride(2)}};
  } else {
    if (v.rank() != 4)
      detail::raise<shape_error>("nhwc: images have shape ", detail::shape_text(v),
                                 ", expected (N, H, W, C)");
    index_t const n[4] = {v.extent(0), v.extent(3), v.extent(1), v.extent(2)};
    index_t const s[4] = {v.stride(0), v.stride(3), v.stride(1), v.stride(2)};
    return strided_view<element, dynamic_rank, view::space>{v.data_handle(), 4, n, s};
  }
}

SAGE_ABI_END
}  // namespace sage
