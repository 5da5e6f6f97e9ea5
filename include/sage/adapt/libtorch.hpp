#pragma once
/// at::Tensor (torch::Tensor) as an argument of every loss. Element type, rank and device are known only at
/// run time: they are resolved once, at the boundary, and a mistake is an argument_error or shape_error that
/// says what came. A tensor that stands where a tensor is expected is one of the CPU, for an executor is chosen
/// when a program is compiled; one on a CUDA device is given as its sage::libtorch::device_view.

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/tensor/shape.hpp>
#include <sage/tensor/strided_view.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <ATen/core/TensorBase.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sage {

template <>
inline constexpr bool is_half<c10::Half> = true;
template <>
inline constexpr bool is_half<c10::BFloat16> = true;

SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Throws argument_error unless t lives where `Space` is.
template <memory_space Space>
void require_space(at::TensorBase const& t, char const* function, char const* name) {
  constexpr bool on_host = Space == memory_space::host;
  if (on_host ? !t.device().is_cpu() : !t.device().is_cuda())
    sage::detail::raise<argument_error>(function, ": ", name, " lives on ", t.device().str(), ", expected a ",
                                        on_host ? "CPU" : "CUDA", " tensor");
}

/// Throws argument_error unless t is a dense tensor of at most max_rank dimensions, on whatever device.
inline void require_strided(at::TensorBase const& t, char const* function, char const* name) {
  using sage::detail::raise;
  if (!t.defined()) raise<argument_error>(function, ": ", name, " is an undefined tensor");
  if (t.layout() != c10::kStrided)
    raise<argument_error>(function, ": ", name,
                          " is sparse or of another layout without strides, expected a dense tensor");
  if (t.is_neg())
    raise<argument_error>(function, ": ", name, " is lazily negated, expected its resolve_neg()");
  if (t.dim() > static_cast<std::int64_t>(max_rank))
    raise<shape_error>(function, ": ", name, " has rank ", t.dim(), ", expected at most ", max_rank);
}

/// Throws argument_error unless t is a dense CPU tensor of at most max_rank dimensions.
inline void require_dense(at::TensorBase const& t, char const* function, char const* name) {
  if (t.defined()) require_space<memory_space::host>(t, function, name);
  require_strided(t, function, name);
}

[[noreturn]] inline void raise_element_type(at::TensorBase const& t, char const* function, char const* name,
                                            char const* expected) {
  sage::detail::raise<argument_error>(function, ": ", name, " has element type ",
                                      c10::toString(t.scalar_type()), ", expected ", expected);
}

// LibTorch 2 copies storage lazily: who only reads must not ask for writable memory.
template <class E, class Tensor>
E* data_of(Tensor const& t) {
  if constexpr (std::is_const_v<E> && requires { t.const_data_ptr(); }) {
    return static_cast<E*>(t.const_data_ptr());
  } else {
    return static_cast<E*>(t.data_ptr());
  }
}

template <class E, memory_space Space = memory_space::host>
strided_view<E, dynamic_rank, Space> view_as(at::TensorBase const& t, char const* function,
                                             char const* name) {
  if (t.defined()) require_space<Space>(t, function, name);
  require_strided(t, function, name);
  constexpr auto expected = c10::CppTypeToScalarType<std::remove_cv_t<E>>::value;
  if (t.scalar_type() != expected) raise_element_type(t, function, name, c10::toString(expected));
  return {data_of<E>(t), static_cast<std::size_t>(t.dim()), t.sizes().data(), t.strides().data()};
}

/// The same of a rank that the caller knows.
template <class E, std::size_t Rank, memory_space Space>
strided_view<E, Rank, Space> view_of_rank(at::TensorBase const& t, char const* function, char const* name) {
  auto const v = view_as<E, Space>(t, function, name);
  if constexpr (Rank == dynamic_rank) {
    return v;
  } else {
    if (v.rank() != Rank)
      sage::detail::raise<shape_error>(function, ": ", name, " has shape ", sage::detail::shape_text(v),
                                       ", expected rank ", Rank);
    extents<Rank> n;
    strides<Rank> s;
    for (std::size_t d = 0; d < Rank; ++d) {
      n.value[d] = v.extent(d);
      s.value[d] = v.stride(d);
    }
    return {v.data_handle(), n, s};
  }
}

}  // namespace detail

/// A view of a CPU tensor whose element type and rank the caller knows: `view<float const, 2>(t)`.
///
/// Shapes: those of t, at its strides; no copy. The view does not keep t alive.
/// Errors: argument_error (undefined, on a GPU, sparse, another element type), shape_error (another rank).
template <class E, std::size_t Rank = dynamic_rank>
strided_view<E, Rank> view(at::TensorBase const& t, char const* name = "the tensor") {
  return detail::view_of_rank<E, Rank, memory_space::host>(t, "sage::libtorch::view", name);
}

/// The same of a CUDA tensor, for sage::exec::cuda: `device_view<float const, 2>(t)`; halves are c10::Half and
/// c10::BFloat16. Which of the devices it lives on is for the executor to ask.
template <class E, std::size_t Rank = dynamic_rank>
strided_view<E, Rank, memory_space::cuda> device_view(at::TensorBase const& t,
                                                      char const* name = "the tensor") {
  return detail::view_of_rank<E, Rank, memory_space::cuda>(t, "sage::libtorch::device_view", name);
}

}  // namespace libtorch

namespace detail {

struct libtorch_traits {
  using element_type = void;  // known at run time
  static constexpr bool runtime_typed = true;
  static constexpr std::size_t rank = dynamic_rank;
  static constexpr auto space = memory_space::host;

  template <class E>
  static auto view_as(at::TensorBase const& t, char const* function, char const* name) {
    return libtorch::detail::view_as<E>(t, function, name);
  }

  /// f(std::type_identity<E>{}) of the tensor's element type E; its result as the one that double gives.
  template <class F>
  static auto visit_floating(at::TensorBase const& t, char const* function, char const* name, F const& f) {
    using result = decltype(f(std::type_identity<double>{}));
    libtorch::detail::require_dense(t, function, name);
    switch (t.scalar_type()) {
      case c10::kFloat:
        return static_cast<result>(f(std::type_identity<float>{}));
      case c10::kDouble:
        return static_cast<result>(f(std::type_identity<double>{}));
      case c10::kHalf:
        return static_cast<result>(f(std::type_identity<c10::Half>{}));
      case c10::kBFloat16:
        return static_cast<result>(f(std::type_identity<c10::BFloat16>{}));
      default:
        libtorch::detail::raise_element_type(t, function, name, "Float, Double, Half or BFloat16");
    }
  }

  /// f(view of const elements) of the tensor's type, which may be a floating, an integer or the truth type.
  template <class F>
  static void visit_numbers(at::TensorBase const& t, char const* function, char const* name, F const& f) {
    libtorch::detail::require_dense(t, function, name);
    if (c10::isFloatingType(t.scalar_type()))
      return visit_floating(t, function, name,
                            [&]<class E>(std::type_identity<E>) { f(view_as<E const>(t, function, name)); });
    visit_integers(t, function, name, f);
  }

  /// f(view of const elements) of the tensor's integer type; truth values are 0 and 1.
  template <class F>
  static decltype(auto) visit_integers(at::TensorBase const& t, char const* function, char const* name,
                                       F const& f) {
    libtorch::detail::require_dense(t, function, name);
    switch (t.scalar_type()) {
      case c10::kLong:
        return f(view_as<std::int64_t const>(t, function, name));
      case c10::kInt:
        return f(view_as<std::int32_t const>(t, function, name));
      case c10::kShort:
        return f(view_as<std::int16_t const>(t, function, name));
      case c10::kChar:
        return f(view_as<std::int8_t const>(t, function, name));
      case c10::kByte:
        return f(view_as<std::uint8_t const>(t, function, name));
      case c10::kBool:
        return f(view_as<bool const>(t, function, name));
      default:
        libtorch::detail::raise_element_type(t, function, name, "an integer type");
    }
  }
};

}  // namespace detail
SAGE_ABI_END

template <>
struct tensor_traits<at::TensorBase> : detail::libtorch_traits {};
template <>
struct tensor_traits<at::Tensor> : detail::libtorch_traits {};

}  // namespace sage
