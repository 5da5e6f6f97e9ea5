#pragma once

#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/strided_view.hpp>

#include <array>
#include <concepts>
#include <span>
#include <type_traits>
#include <vector>

namespace sage {

/// How a foreign tensor joins: specialise it with
///
///   using element_type = …;                            // without const
///   static constexpr std::size_t rank = …;             // or dynamic_rank
///   static constexpr auto space = memory_space::host;
///   template <class G> static auto view(G& g);         // G or const G → strided_view
///
/// or write a free function `sage_view(t)` that returns a strided_view, found by argument-dependent lookup.
/// Example: tests/tensor/tensor_traits.cpp adapts a pitched grid of its own.
template <class T>
struct tensor_traits {};

template <class T, std::size_t Rank, memory_space Space>
struct tensor_traits<strided_view<T, Rank, Space>> {
  using element_type = std::remove_cv_t<T>;
  static constexpr std::size_t rank = Rank;
  static constexpr auto space = Space;
  template <class G>
  SAGE_INLINE static auto view(G& g) noexcept {
    return g;
  }
};

SAGE_ABI_BEGIN
namespace detail {

// One-dimensional contiguous containers of the standard library.
template <class Element>
struct contiguous_traits {
  using element_type = std::remove_cv_t<Element>;
  static constexpr std::size_t rank = 1;
  static constexpr auto space = memory_space::host;
  template <class G>
  SAGE_INLINE static auto view(G& g) noexcept {
    return strided_view{g.data(), extents{g.size()}};
  }
};

template <class T>
concept has_traits = requires { typename tensor_traits<T>::element_type; };

template <class T>
concept has_sage_view = requires(T& t) {
  { sage_view(t) };
  requires is_strided_view<std::remove_cvref_t<decltype(sage_view(t))>>;
};

}  // namespace detail
SAGE_ABI_END

template <class T, std::size_t Size>
struct tensor_traits<std::span<T, Size>> : detail::contiguous_traits<T> {};
template <class T, std::size_t Size>
struct tensor_traits<std::array<T, Size>> : detail::contiguous_traits<T> {};
template <class T, class Allocator>
  requires(!std::same_as<T, bool>)
struct tensor_traits<std::vector<T, Allocator>> : detail::contiguous_traits<T> {};

/// The strided_view of any adapted tensor; elements are const when the tensor is.
template <class Tensor>
SAGE_INLINE auto as_view(Tensor& t) {
  using bare = std::remove_cv_t<Tensor>;
  static_assert(detail::has_traits<bare> || detail::has_sage_view<Tensor>,
                "sage: this type is no tensor yet: include its header of sage/adapt, specialise "
                "sage::tensor_traits for it, or write sage_view(t) in its namespace");
  if constexpr (detail::has_traits<bare>) {
    auto const v = tensor_traits<bare>::view(t);
    static_assert(is_strided_view<std::remove_cv_t<decltype(v)>>,
                  "sage: tensor_traits<T>::view must return a sage::strided_view");
    return v;
  } else if constexpr (detail::has_sage_view<Tensor>) {
    return sage_view(t);
  }
}

/// A type whose elements sage can view: it has tensor_traits or a sage_view that yields a strided_view.
template <class T>
concept tensor =
    (detail::has_traits<std::remove_cvref_t<T>> && requires(std::remove_reference_t<T>& t) {
      requires is_strided_view<
          std::remove_cvref_t<decltype(tensor_traits<std::remove_cvref_t<T>>::view(t))>>;
    }) || (!detail::has_traits<std::remove_cvref_t<T>> && detail::has_sage_view<std::remove_reference_t<T>>);

/// A tensor whose element type is known only when the program runs (at::Tensor, DLPack): its traits have
/// `visit(t, f)`, which calls f with a strided_view of the actual type.
template <class T>
concept runtime_typed_tensor = requires { requires tensor_traits<std::remove_cvref_t<T>>::runtime_typed; };

/// The strided_view type and the element type of a tensor.
template <tensor T>
using view_of = std::remove_cvref_t<decltype(as_view(std::declval<std::remove_reference_t<T>&>()))>;
template <tensor T>
using element_of = typename view_of<T>::value_type;

}  // namespace sage
