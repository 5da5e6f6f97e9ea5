#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/batch_rows.hpp>
#include <sage/exec/executor.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <type_traits>
#include <utility>

/// What `evaluation` does where a device_executor stands first: it binds the same problem, checks shapes alike, and leaves
/// the rest to the device. Labels and weights are in its memory, so that nobody can check them before.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

template <class Executor, class Result>
inline constexpr memory_space space_of<device_call<Executor, Result>> = Executor::space;

template <class Executor, class View>
constexpr void require_space() noexcept {
  require_memory<space_of<Executor>, View>();
}

/// The same for an output, whatever stands for one.
template <class Executor, class Output>
constexpr void require_output_space() noexcept {
  if constexpr (is_add_to<Output>) {
    require_output_space<Executor, std::remove_cvref_t<decltype(std::declval<Output&>().tensor)>>();
  } else if constexpr (tensor<Output>) {
    require_space<Executor, view_of<Output>>();
  }
}

/// The elements of an argument with one number for each row.
template <class E, class Call, class T>
auto numbers_on_device(Call const& call, char const* function, char const* name, T const& t, index_t rows) {
  if constexpr (is_none<T>) {
    return exec::row_numbers{};
  } else {
    auto const v = input_view<E>(function, name, t);
    require_space<Call, std::remove_cvref_t<decltype(v)>>();
    require_rank(function, name, v);
    require_one_per_row(function, name, v, rows);
    auto const elements = as_elements(v);
    if (rows > 0) call.executor.require_reachable(function, name, elements.data);
    return exec::row_numbers::of<E>(elements);
  }
}

/// The evaluation of a batch by the executor of the call.
template <class Executor, class Result, class Problem>
auto evaluation_on(device_call<Executor, Result> const& call, Problem const& p) {
  return exec::detail::batch_evaluation<Executor, Problem>(call.executor, p);
}

/// The problem with its labels (rows of them, or none_t) and weights.
template <class E, class Call, class Problem, class Labels, class Weights>
auto batch_of(Call const& call, char const* function, Problem const& p, Labels const& labels,
              Weights const& weights, index_t ignore_index, index_t classes) {
  exec::batch_problem<typename Problem::formula_type, E> b;
  static_cast<Problem&>(b) = p;
  if constexpr (!is_none<Labels>) b.labels = exec::row_numbers::of<E>(labels);
  b.weights = numbers_on_device<E>(call, function, "weights", weights, p.rows);
  b.ignore_index = ignore_index;
  b.classes = classes;
  return b;
}

constexpr exec::divided_by divisor_of(reduction r) noexcept {
  return r == reduction::mean          ? exec::divided_by::weights
         : r == reduction::mean_active ? exec::divided_by::active_weights
                                       : exec::divided_by::nothing;
}

/// The batch's value into the call's result, and its gradients. `Member` says what the user called.
template <bool HasValue, class Executor, class Result, class Problem, class A>
void reduce_on_device(device_call<Executor, Result> const& call, Problem const& p, reduction r,
                      A const& upstream) {
  constexpr bool has_place = std::is_same_v<Result, loss_result<A>>;
  static_assert(
      has_place || !HasValue,
      "sage: a device executor leaves the value on the device: the last argument is sage::into(r), where r "
      "points to a sage::loss_result of the inputs' element type, or of float for halves");
  static_assert(HasValue || std::is_same_v<Result, none_t>,
                "sage: backward has no value, and takes no sage::into(r)");
  if constexpr (has_place || !HasValue) {
    loss_result<A>* to = nullptr;
    if constexpr (has_place) {
      to = call.result;
      call.executor.require_reachable("sage::into", "result", to);
    }
    exec::batch_reduction<A> const how{divisor_of(r), Problem::formula_type::hinged, upstream};
    evaluation_on(call, p).reduced(how, to);
  }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
