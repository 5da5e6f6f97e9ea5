#pragma once

#include <sage/augment/image_view.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/exec/executor.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/simd.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/shape.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <cstddef>
#include <type_traits>
#include <utility>

/// The arguments of the augmentations taken apart: an executor in front, tensors behind.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Calls f(executor, rest…); the executor is simd{} where the first argument is none.
template <class F, class First, class... Rest>
decltype(auto) with_executor(F const& f, First&& first, Rest&&... rest) {
  if constexpr (exec::executor<First>) {
    return f(first, std::forward<Rest>(rest)...);
  } else {
    return f(exec::simd{}, std::forward<First>(first), std::forward<Rest>(rest)...);
  }
}

/// Throws cuda_error where a device executor cannot reach a tensor.
template <class Executor, class T>
void require_reachable(Executor const& executor, char const* function, char const* name,
                       image_view<T> const& v) {
  if constexpr (exec::device_executor<Executor>) {
    for (index_t const n : v.extent)
      if (n == 0) return;
    executor.require_reachable(function, name, v.data);
  }
}

template <class T>
concept lazy_images = requires(T const& t) {
  tensor_traits<std::remove_cvref_t<T>>::evaluate(t);
};

/// An input as it is, or a lazy expression evaluated into a temporary.
template <class T>
decltype(auto) evaluated_images(T const& t) {
  if constexpr (lazy_images<T>) {
    return tensor_traits<T>::evaluate(t);
  } else {
    return (t);
  }
}

/// A read-only view of an input; the element type is E where the type is only known at run time.
template <class E, class Executor, class T>
auto image_input(char const* function, char const* name, T const& t) {
  if constexpr (runtime_typed_tensor<T>) {
    return tensor_traits<T>::template view_as<E const>(t, function, name);
  } else {
    static_assert(tensor<T const>,
                  "sage: an input is no tensor: include its header of sage/adapt, or specialise "
                  "sage::tensor_traits for it");
    auto const v = as_view(t);
    require_memory<space_of<Executor>, decltype(v)>();
    return v;
  }
}

/// The view of an output of element type E.
template <class E, class Executor, class T>
auto image_output(char const* function, char const* name, T&& t) {
  using bare = std::remove_cvref_t<T>;
  if constexpr (runtime_typed_tensor<bare>) {
    return tensor_traits<bare>::template view_as<E>(t, function, name);
  } else {
    static_assert(!lazy_images<bare>,
                  "sage: a lazy expression cannot be an output, for it has no memory of its own: "
                  "pass an array, or sage::skip");
    static_assert(tensor<std::remove_reference_t<T>>, "sage: an output must be a tensor or sage::skip");
    auto const v = as_view(t);
    require_memory<space_of<Executor>, decltype(v)>();
    using element = typename decltype(v)::element_type;
    static_assert(!std::is_const_v<element>, "sage: an output must be mutable, this one is const");
    static_assert(std::is_same_v<element, E>, "sage: an output has the element type of its inputs");
    return v;
  }
}

/// Calls f(std::type_identity<E>) with the floating-point element type of a tensor.
template <class T, class F>
decltype(auto) with_image_element(char const* function, char const* name, T const& t, F const& f) {
  using bare = std::remove_cvref_t<T>;
  if constexpr (runtime_typed_tensor<bare>) {
    return tensor_traits<bare>::visit_floating(t, function, name, f);
  } else if constexpr (lazy_images<bare>) {
    return f(std::type_identity<typename tensor_traits<bare>::element_type>{});
  } else {
    static_assert(tensor<T const>,
                  "sage: an input is no tensor: include its header of sage/adapt, or specialise "
                  "sage::tensor_traits for it");
    return f(std::type_identity<element_of<T const>>{});
  }
}

/// An output, and whether it is written, added to or skipped.
template <class T>
struct image_gradient {
  image_view<T> to{};
  gradient_mode mode = gradient_mode::skip;
};

/// Binds an output of images (`as` = as_images) or maps; `skip` gives a null view.
template <class E, class Executor, bool Maps, class G>
image_gradient<E> image_gradient_of(char const* function, char const* name, G&& g) {
  using bare = std::remove_cvref_t<G>;
  if constexpr (std::is_same_v<bare, skip_t>) {
    return {};
  } else if constexpr (is_add_to<bare>) {
    auto r = image_gradient_of<E, Executor, Maps>(function, name, g.tensor);
    r.mode = gradient_mode::add;
    return r;
  } else {
    auto const v = image_output<E, Executor>(function, name, g);
    if constexpr (Maps) {
      return {as_maps(function, name, v), gradient_mode::write};
    } else {
      return {as_images(function, name, v), gradient_mode::write};
    }
  }
}

/// Binds an input of images; `skip` gives a null view.
template <class E, class Executor, class T>
image_view<E const> images_of(char const* function, char const* name, T const& t) {
  if constexpr (std::is_same_v<T, skip_t>) {
    return {};
  } else {
    auto const v = image_input<E, Executor>(function, name, t);
    static_assert(std::is_same_v<typename decltype(v)::value_type, E>,
                  "sage: all images and maps of a call have one "
                  "element type; saliency_map converts maps");
    return read_only(as_images(function, name, v));
  }
}

template <class T>
std::string extents_text(image_view<T> const& v) {
  return shape_text(strided_view<T, 4>{v.data, {v.extent[0], v.extent[1], v.extent[2], v.extent[3]}});
}

/// Throws shape_error unless v has the shape of the images: "f: x_plus has shape (2, 3, 8, 7), images (2, 3,
/// 8, 8)".
template <class V, class W>
void require_image_shape(char const* function, char const* name, image_view<V> const& v,
                         image_view<W> const& images) {
  for (int d = 0; d < 4; ++d)
    if (v.extent[d] != images.extent[d])
      raise<shape_error>(function, ": ", name, " has shape ", extents_text(v), ", images ",
                         extents_text(images));
}

/// Throws shape_error unless there is one map of the images' size for each of them.
template <class V, class W>
void require_map_shape(char const* function, char const* name, image_view<V> const& v,
                       image_view<W> const& images) {
  if (v.extent[0] != images.extent[0] || v.extent[2] != images.extent[2] || v.extent[3] != images.extent[3])
    raise<shape_error>(function, ": ", name, " hold ", v.extent[0], " maps of ", v.extent[2], " x ",
                       v.extent[3], ", expected one for each of the images ", extents_text(images));
}

/// Throws argument_error where elements of an output have several indices.
template <class T>
void require_own_elements(char const* function, char const* name, image_view<T> const& v) {
  if (v.data != nullptr) require_own_elements(function, name, as_blocks(v));
}

/// Throws argument_error where an output shares memory with another argument.
template <class T, class U>
void require_separate(char const* function, char const* name, image_view<T> const& v, char const* other_name,
                      image_view<U> const& other) {
  if (v.data != nullptr && other.data != nullptr)
    require_separate(function, name, as_blocks(v), other_name, as_blocks(other));
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
