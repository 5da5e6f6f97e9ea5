#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/strided_view.hpp>

#include <cstddef>
#include <string>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// "(32, 128)"
template <class View>
std::string shape_text(View const& v) {
  std::string text = "(";
  for (std::size_t d = 0; d < v.rank(); ++d) {
    if (d > 0) text += ", ";
    append(text, v.extent(d));
  }
  text += ')';
  return text;
}

template <class V, class W>
bool same_shape(V const& v, W const& w) noexcept {
  if (v.rank() != w.rank()) return false;
  for (std::size_t d = 0; d < v.rank(); ++d)
    if (v.extent(d) != w.extent(d)) return false;
  return true;
}

/// Throws shape_error unless both have one shape: "f: negative has shape (32, 127), anchor (32, 128)".
template <class V, class W>
void require_same_shape(char const* function, char const* name, V const& v, char const* other_name,
                        W const& other) {
  if (!same_shape(v, other))
    raise<shape_error>(function, ": ", name, " has shape ", shape_text(v), ", ", other_name, " ",
                       shape_text(other));
}

/// What runs on the host reads host memory.
template <class View>
constexpr void require_host() noexcept {
  static_assert(std::remove_cvref_t<View>::space == memory_space::host,
                "sage: this tensor lives on a CUDA device; host executors read host memory");
}

/// What runs where `Space` is works on the memory there.
template <memory_space Space, class View>
constexpr void require_memory() noexcept {
  if constexpr (Space == memory_space::cuda) {
    static_assert(
        std::remove_cvref_t<View>::space == memory_space::cuda,
        "sage: this tensor lives in host memory; a CUDA executor works on the memory of its device, see "
        "sage::device_view");
  } else {
    require_host<View>();
  }
}

template <class V>
void require_rank(char const* function, char const* name, V const& v) {
  if (v.rank() < 1) raise<shape_error>(function, ": ", name, " has rank 0, expected (..., length)");
  if (v.rank() > max_rank)
    raise<shape_error>(function, ": ", name, " has rank ", v.rank(), ", expected at most 8");
}

/// Throws shape_error unless v holds one element per row.
template <class V>
void require_one_per_row(char const* function, char const* name, V const& v, index_t rows) {
  if (v.size() != rows)
    raise<shape_error>(function, ": ", name, " has shape ", shape_text(v),
                       ", expected one element for each of ", rows, rows == 1 ? " row" : " rows");
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
