#pragma once
/// xtensor's containers, adaptors and views as arguments of every loss, in either layout: t(i, j) is v(i, j).
/// xt::xtensor has its rank N, xt::xarray and views the rank of the moment.
///
/// Lazy expressions (a + b, xt::abs(a)) are evaluated once into a temporary; they cannot be outputs.

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/strided_view.hpp>
#include <sage/tensor/tensor_traits.hpp>

#if __has_include(<xtensor/containers/xarray.hpp>)  // from 0.26 on
#include <xtensor/containers/xarray.hpp>
#include <xtensor/containers/xtensor.hpp>
#else
#include <xtensor/xarray.hpp>
#include <xtensor/xtensor.hpp>
#endif

#include <cstddef>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

// The xtensor type that T is or derives from. Asked by deduction: it must be harmless for types of other
// libraries.
template <class Derived>
Derived xtensor_expression_of(xt::xexpression<Derived> const&);

template <class T>
concept xtensor_expression = requires(T const& t) {
  detail::xtensor_expression_of(t);
};

template <class T>
concept xtensor_with_memory = xtensor_expression<T> && requires(T& t) {
  t.data();
  t.data_offset();
  t.strides();
};

}  // namespace detail
SAGE_ABI_END

template <detail::xtensor_expression T>
  requires detail::xtensor_with_memory<T>
struct tensor_traits<T> {
  using element_type = std::remove_cv_t<typename T::value_type>;
  static constexpr std::size_t rank =
      xt::get_rank<T>::value;  // SIZE_MAX, which is dynamic_rank, where it can change
  static constexpr auto space = memory_space::host;

  template <class G>
  SAGE_INLINE static auto view(G& g) {
    auto* const data = g.data() + g.data_offset();
    std::size_t const dimensions = g.dimension();
    constexpr std::size_t most = rank == dynamic_rank ? max_rank : rank;
    if (dimensions > most)
      detail::raise<shape_error>("sage: an xtensor expression has rank ", dimensions, ", expected at most ",
                                 most);
    extents<most> n;
    strides<most> s;
    for (std::size_t d = 0; d < dimensions; ++d) {
      n.value[d] = static_cast<index_t>(g.shape()[d]);
      s.value[d] = static_cast<index_t>(g.strides()[d]);
    }
    using element = std::remove_reference_t<decltype(*data)>;
    if constexpr (rank == dynamic_rank) {
      return strided_view<element, dynamic_rank>{data, dimensions, n.value, s.value};
    } else {
      return strided_view<element, rank>{data, n, s};
    }
  }
};

template <detail::xtensor_expression T>
  requires(!detail::xtensor_with_memory<T>)
struct tensor_traits<T> {
  using element_type = std::remove_cv_t<typename T::value_type>;
  static constexpr std::size_t rank = xt::get_rank<T>::value;
  static constexpr auto space = memory_space::host;

  SAGE_INLINE static auto evaluate(T const& expression) {
    if constexpr (rank == dynamic_rank) {
      return xt::xarray<element_type>(expression);
    } else {
      return xt::xtensor<element_type, rank>(expression);
    }
  }
};

}  // namespace sage
