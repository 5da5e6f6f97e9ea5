#pragma once

#include <sage/core/config.hpp>

#include <concepts>
#include <type_traits>

namespace sage {

/// True for element types narrower than float: they are computed in float and rounded once, at the store.
/// Specialise it to true for a half type of your own; it must convert explicitly to and from float. See also
/// half_format.hpp.
template <class T>
inline constexpr bool is_half = false;

#if SAGE_HAS_FLOAT16
template <>
inline constexpr bool is_half<_Float16> = true;
#endif
#if defined(__STDCPP_BFLOAT16_T__)  // std::bfloat16_t
template <>
inline constexpr bool is_half<decltype(0.0bf16)> = true;
#endif

/// The type in which rows of T are accumulated: float for halves, T itself for float, double, long double and
/// autodiff scalars. Specialise it for a scalar whose operators give expressions instead of values: see
/// adapt/eigen_autodiff.hpp.
template <class T>
struct accumulator_for {
  using type = std::conditional_t<is_half<T>, float, T>;
};
template <class T>
using accumulator_t = typename accumulator_for<std::remove_cv_t<T>>::type;

/// The type in which O(rows) per-row values of type A are summed: one step wider where that is free.
template <class A>
using wide_t = std::conditional_t<std::same_as<A, float>, double, A>;

}  // namespace sage
