#pragma once

#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/core/option_defect.hpp>
#include <sage/exec/executor.hpp>
#include <sage/exec/simd.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/shape.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>

/// The arguments of a loss's members taken apart: an executor in front, weights behind, tensors between.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Calls f(options), where options are those of the loss; a loss whose run-time option is a type further down (swap)
/// overloads this.
template <class Loss, class F>
decltype(auto) with_options(Loss const& loss, F const& f) {
  return f(loss);
}

/// Calls f(executor, rest…); the executor is simd{} where the first argument is none.
template <class F, class... Args>
decltype(auto) split_executor(F const& f, Args&&... args) {
  constexpr bool has_tensors = [] {
    if constexpr (sizeof...(Args) == 1) return !(exec::executor<Args> && ...);
    return sizeof...(Args) > 0;
  }();
  static_assert(has_tensors, "sage: a loss takes its inputs, after the executor if there is one");
  if constexpr (has_tensors)
    return [&]<class First, class... Rest>(First&& first, Rest&&... rest) -> decltype(auto) {
      if constexpr (exec::executor<First>) {
        return f(first, std::forward<Rest>(rest)...);
      } else {
        return f(exec::simd{}, std::forward<First>(first), std::forward<Rest>(rest)...);
      }
    }(std::forward<Args>(args)...);
}

template <class... Args>
using last_of = std::tuple_element_t<sizeof...(Args) - 1, std::tuple<Args...>>;

/// Calls f(weights or none_t, tuple of the other arguments).
template <class F, class... Args>
decltype(auto) split_weights(F const& f, Args&&... args) {
  auto const all = std::forward_as_tuple(args...);
  if constexpr (is_weights<std::remove_cvref_t<last_of<Args...>>>) {
    return [&]<std::size_t... I>(std::index_sequence<I...>)->decltype(auto) {
      return f(std::get<sizeof...(Args) - 1>(all).tensor, std::tie(std::get<I>(all)...));
    }
    (std::make_index_sequence<sizeof...(Args) - 1>{});
  } else {
    return f(none_t{}, all);
  }
}

template <class... Args>
constexpr bool any_executor_behind_first() noexcept {
  bool const executors[] = {exec::executor<Args>...};
  for (std::size_t i = 1; i < sizeof...(Args); ++i)
    if (executors[i]) return true;
  return false;
}
template <class... Args>
constexpr bool any_weights_before_last() noexcept {
  bool const weights[] = {is_weights<std::remove_cvref_t<Args>>...};
  for (std::size_t i = 0; i + 1 < sizeof...(Args); ++i)
    if (weights[i]) return true;
  return false;
}

/// Calls f(executor, weights or none_t, tuple of the other arguments) for what stands behind the executor. What is out of
/// order ends here, with one error.
template <class Executor, class F, class... Rest>
decltype(auto) in_order(Executor const& executor, F const& f, Rest&&... rest) {
  constexpr bool executor_first = !any_executor_behind_first<int, Rest...>(),
                 weights_last = !any_weights_before_last<Rest...>();
  static_assert(executor_first, "sage: an executor stands before all other arguments");
  static_assert(weights_last, "sage: sage::weights(w) stands behind all other arguments");
  if constexpr (executor_first && weights_last)
    return split_weights([&](auto const& weights,
                             auto const& tensors) -> decltype(auto) { return f(executor, weights, tensors); },
                         std::forward<Rest>(rest)...);
}

/// In the place of a device executor: with the result that it leaves the value in, or none_t.
template <class Executor, class Result>
struct device_call {
  Executor const& executor;
  Result* result;
};
template <class T>
inline constexpr bool is_device_call = false;
template <class Executor, class Result>
inline constexpr bool is_device_call<device_call<Executor, Result>> = true;

/// in_order for a device executor, whose arguments may end with into(r).
template <class Executor, class F, class... Rest>
decltype(auto) in_order_on_device(Executor const& executor, F const& f, Rest&&... rest) {
  if constexpr (is_into<std::remove_cvref_t<last_of<Rest...>>>) {
    auto const all = std::tie(rest...);
    constexpr std::size_t others = sizeof...(Rest) - 1;
    auto* const result = std::get<others>(all).result;
    static_assert(others > 0, "sage: a loss takes its inputs, after the executor if there is one");
    return [&]<std::size_t... I>(std::index_sequence<I...>)->decltype(auto) {
      return in_order(device_call<Executor, std::remove_pointer_t<decltype(result)>>{executor, result}, f,
                      std::get<I>(all)...);
    }
    (std::make_index_sequence<others>{});
  } else {
    return in_order(device_call<Executor, none_t>{executor, nullptr}, f, std::forward<Rest>(rest)...);
  }
}

/// What losses of rows run on, and what all others run on.
enum class runs { anywhere, on_host };

/// Calls f(executor or device_call, weights or none_t, tuple of the other arguments).
template <runs Where = runs::on_host, class F, class... Args>
decltype(auto) take_apart(F const& f, Args&&... args) {
  return split_executor(
      [&]<class Executor, class... Rest>(Executor const& executor, Rest&&... rest) -> decltype(auto) {
        // Of Executor, so that it is asked where the lambda is used.
        constexpr bool runs_here = Where == runs::anywhere || !exec::device_executor<Executor>;
        static_assert(runs_here,
                      "sage: this loss runs on the host only for now; on a device run sage_loss and the "
                      "triplet, contrastive, "
                      "(binary) consistency, degradation and (binary) cross entropy losses");
        if constexpr (!runs_here) {
          return;
        } else if constexpr (exec::device_executor<Executor>) {
          return in_order_on_device(executor, f, std::forward<Rest>(rest)...);
        } else {
          constexpr bool returns = !(is_into<std::remove_cvref_t<Rest>> || ...);
          static_assert(
              returns,
              "sage: sage::into(r) is for executors of a device; those of the host return the result");
          if constexpr (returns) return in_order(executor, f, std::forward<Rest>(rest)...);
        }
      },
      std::forward<Args>(args)...);
}

/// The same for backward: f(executor, upstream, weights or none_t, tuple of the other arguments).
template <runs Where = runs::on_host, class F, class... Args>
void take_apart_backward(F const& f, Args&&... args) {
  take_apart<Where>(
      [&](auto const& executor, auto const& weights, auto const& all) {
        std::apply(
            [&](auto& upstream, auto&... tensors) { f(executor, upstream, weights, std::tie(tensors...)); },
            all);
      },
      std::forward<Args>(args)...);
}

/// The first argument of backward: calls rows(upstream) for a tensor with one value per sample, else
/// whole(upstream) for the number that multiplies the reduced loss.
template <class Number, class Upstream, class Rows, class Whole>
void with_upstream(Upstream const& upstream, Rows const& rows, Whole const& whole) {
  if constexpr (tensor<Upstream const> || runtime_typed_tensor<Upstream>) {
    rows(upstream);
  } else {
    static_assert(std::convertible_to<Upstream, Number>,
                  "sage: upstream must be a number, or a tensor with one element per sample");
    whole(static_cast<Number>(upstream));
  }
}

template <class T>
concept lazy_tensor = requires(T const& t) {
  tensor_traits<std::remove_cvref_t<T>>::evaluate(t);
};

/// An input as it is, or a lazy expression evaluated into a temporary.
template <class T>
decltype(auto) evaluated(T const& t) {
  if constexpr (lazy_tensor<T>) {
    return tensor_traits<T>::evaluate(t);
  } else {
    return (t);
  }
}

/// A read-only view of a tensor whose element type is E where the type is only known at run time.
template <class E, class T>
auto input_view(char const* function, char const* name, T const& t) {
  if constexpr (runtime_typed_tensor<T>) {
    return tensor_traits<T>::template view_as<E const>(t, function, name);
  } else {
    static_assert(tensor<T const>,
                  "sage: an input is no tensor: include its header of sage/adapt, or specialise "
                  "sage::tensor_traits for it; std::vector<bool> has no elements in memory, a mask may be a "
                  "std::vector<unsigned char>");
    if constexpr (tensor<T const>) return as_view(t);
  }
}

/// Calls f(std::type_identity<E>{}) for the element type E of an input.
template <class T, class F>
decltype(auto) with_element_of(char const* function, char const* name, T const& t, F const& f) {
  if constexpr (runtime_typed_tensor<T>) {
    return tensor_traits<T>::visit_floating(t, function, name, f);
  } else if constexpr (lazy_tensor<T>) {
    return f(std::type_identity<typename tensor_traits<T>::element_type>{});
  } else {
    static_assert(tensor<T>,
                  "sage: an input is no tensor: include its header of sage/adapt, or specialise "
                  "sage::tensor_traits for it");
    if constexpr (tensor<T>) return f(std::type_identity<element_of<T>>{});
  }
}

/// Calls f(view of the labels), which are integers.
template <class Labels, class F>
decltype(auto) with_labels(char const* function, Labels const& labels, F const& f) {
  if constexpr (runtime_typed_tensor<Labels>) {
    return tensor_traits<Labels>::visit_integers(labels, function, "labels", f);
  } else {
    static_assert(tensor<Labels const>, "sage: labels are integers, one per sample");
    if constexpr (tensor<Labels const>) {
      static_assert(std::integral<element_of<Labels const>>, "sage: labels are integers, one per sample");
      return f(as_view(labels));
    }
  }
}

/// Calls f(view) of an input that may have any type of numbers: floating point, integers, truth values.
template <class T, class F>
void with_numbers(char const* function, char const* name, T const& t, F const& f) {
  if constexpr (runtime_typed_tensor<T>) {
    tensor_traits<T>::visit_numbers(t, function, name, f);
  } else {
    f(input_view<void>(function, name, t));
  }
}

/// The elements of an input that has one for each row.
template <class E, class T>
auto per_sample_input(char const* function, char const* name, T const& t, index_t rows) {
  auto const v = input_view<E>(function, name, t);
  require_host<decltype(v)>();
  require_rank(function, name, v);
  require_one_per_row(function, name, v, rows);
  return as_elements(v);
}

/// The view that per_sample writes.
template <class E, class Out>
auto output_view(char const* function, Out& out) {
  if constexpr (runtime_typed_tensor<Out>) {
    return tensor_traits<std::remove_cvref_t<Out>>::template view_as<E>(out, function, "out");
  } else {
    auto const v = as_view(out);
    static_assert(std::is_same_v<typename decltype(v)::element_type, E>,
                  "sage: out must be a mutable tensor of the inputs' element type");
    return v;
  }
}

/// The rows of `out`, one element for each sample.
template <class E, class Out>
auto per_sample_output(char const* function, Out& out, index_t rows) {
  auto const v = output_view<E>(function, out);
  require_rank(function, "out", v);
  require_one_per_row(function, "out", v, rows);
  return as_elements(v);
}

/// What a distance, divergence or check says of its options; nothing if it has none to check.
template <class Policy>
constexpr option_defect defect_of(Policy const& policy) noexcept {
  if constexpr (requires { policy.defect(); }) return policy.defect();
  return {};
}

/// Throws argument_error for the first of the defects.
inline void require_no_defect(char const* function, std::initializer_list<option_defect> defects) {
  if (option_defect const d = first_of(defects); d.name != nullptr)
    raise<argument_error>(function, ": ", d.name, " is ", d.got, ", expected ", d.expected);
}

/// Calls f(rows of the weights, one for each sample), after checking them, or f(none_t). Where their type is known only
/// at run time they may be integers or truth values too, and are copied.
template <class E, class F>
decltype(auto) with_weights(char const*, none_t, index_t, F const& f) {
  return f(none_t{});
}
template <class E, class Weights, class F>
decltype(auto) with_weights(char const* function, Weights const& weights, index_t rows, F const& f) {
  auto const& given = evaluated(weights);
  auto const checked = [&](auto const& v) {
    require_host<decltype(v)>();
    require_rank(function, "weights", v);
    require_one_per_row(function, "weights", v, rows);
    auto const elements = as_elements(v);
    require_weights(function, elements);
    return elements;
  };
  using given_type = std::remove_cvref_t<decltype(given)>;
  if constexpr (runtime_typed_tensor<given_type>) {
    using A = accumulator_t<E>;
    row_buffer<A> copy(rows);
    tensor_traits<given_type>::visit_numbers(given, function, "weights", [&](auto const& v) {
      auto const elements = checked(v);
      for (index_t i = 0; i < rows; ++i) copy[i] = static_cast<A>(*elements.row(i));
    });
    return f(as_elements(strided_view<A const, 1>{copy.data(), extents{rows}}));
  } else {
    return f(checked(input_view<E>(function, "weights", given)));
  }
}

template <class T>
inline constexpr bool is_gradient_rows = false;
template <class E>
inline constexpr bool is_gradient_rows<gradient_rows<E>> = true;

/// The rows of a gradient output, or of nothing for `skip`.
template <class E, class G, class Shape>
gradient_rows<E> gradient_of(char const* function, char const* name, G&& g, char const* of,
                             Shape const& shape) {
  using bare = std::remove_cvref_t<G>;
  if constexpr (std::is_same_v<bare, skip_t>) {
    return {};
  } else if constexpr (is_add_to<bare>) {
    auto r = gradient_of<E>(function, name, g.tensor, of, shape);
    r.mode = gradient_mode::add;
    return r;
  } else if constexpr (is_gradient_rows<bare>) {
    return g;  // bound and checked by a loss of several terms
  } else if constexpr (runtime_typed_tensor<bare>) {
    auto const v = tensor_traits<bare>::template view_as<E>(g, function, name);
    require_same_shape(function, name, v, of, shape);
    return {as_rows(v), gradient_mode::write};
  } else {
    static_assert(!lazy_tensor<bare>,
                  "sage: a lazy expression cannot be a gradient output, for it has no memory of "
                  "its own: pass a matrix or an array, sage::add_to(it), or sage::skip");
    static_assert(tensor<std::remove_reference_t<G>>,
                  "sage: a gradient output must be a tensor, sage::add_to(tensor) or sage::skip");
    auto const v = as_view(g);
    using element = typename decltype(v)::element_type;
    static_assert(!std::is_const_v<element>, "sage: a gradient output must be mutable, this one is const");
    static_assert(std::is_same_v<element, E>, "sage: a gradient output has the element type of its inputs");
    require_same_shape(function, name, v, of, shape);
    return {as_rows(v), gradient_mode::write};
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
