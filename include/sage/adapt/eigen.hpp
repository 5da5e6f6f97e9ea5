#pragma once
/// Eigen matrices, arrays, maps, references and blocks as arguments of every loss: matrix(i, j) is v(i, j) in
/// either storage order, at any stride. Vectors of compile time (N×1, 1×N) have rank 1, all else rank 2.
///
/// Lazy expressions (a + b, a.cwiseAbs()) are evaluated once into a temporary; they cannot be outputs.
/// Example: examples/quickstart_eigen.cpp

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/strided_view.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <Eigen/Core>

#include <cstddef>
#include <type_traits>
#include <utility>

namespace sage {

template <>
inline constexpr bool is_half<Eigen::half> = true;
template <>
inline constexpr bool is_half<Eigen::bfloat16> = true;

SAGE_ABI_BEGIN
namespace detail {

// The Eigen type that T is or derives from. Asked by deduction: it must be harmless for types of other
// libraries.
template <class Derived>
Derived eigen_dense_of(Eigen::DenseBase<Derived> const&);

template <class T>
concept eigen_dense = requires(T const& t) {
  detail::eigen_dense_of(t);
};

template <eigen_dense T>
using eigen_type = std::remove_cvref_t<decltype(std::declval<T const&>().derived())>;

template <class T>
concept eigen_with_memory = eigen_dense<T> &&(eigen_type<T>::Flags& Eigen::DirectAccessBit) != 0;

}  // namespace detail
SAGE_ABI_END

template <detail::eigen_dense T>
  requires detail::eigen_with_memory<T>
struct tensor_traits<T> {
  using type = detail::eigen_type<T>;
  using element_type = typename type::Scalar;
  static constexpr std::size_t rank = type::IsVectorAtCompileTime ? 1 : 2;
  static constexpr auto space = memory_space::host;

  template <class G>
  SAGE_INLINE static auto view(G& g) noexcept {
    auto& m = g.derived();
    if constexpr (rank == 1) {
      return strided_view{m.data(), extents{m.size()}, strides{m.innerStride()}};
    } else if constexpr (type::IsRowMajor) {
      return strided_view{m.data(), extents{m.rows(), m.cols()}, strides{m.outerStride(), m.innerStride()}};
    } else {
      return strided_view{m.data(), extents{m.rows(), m.cols()}, strides{m.innerStride(), m.outerStride()}};
    }
  }
};

template <detail::eigen_dense T>
  requires(!detail::eigen_with_memory<T>)
struct tensor_traits<T> {
  using element_type = typename detail::eigen_type<T>::Scalar;
  static constexpr std::size_t rank = detail::eigen_type<T>::IsVectorAtCompileTime ? 1 : 2;
  static constexpr auto space = memory_space::host;

  SAGE_INLINE static auto evaluate(T const& expression) {
    return typename detail::eigen_type<T>::PlainObject(expression.derived());
  }
};

}  // namespace sage
