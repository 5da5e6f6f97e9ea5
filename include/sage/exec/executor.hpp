#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <concepts>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

namespace detail {

// The smallest row program, to ask whether a type can run one.
struct probe_formula {
  static constexpr int inputs = 1, gradients = 1;
  template <class V>
  struct sums {
    V s = V(0);
  };
  template <class V>
  struct result {
    V loss;
  };
  template <class V>
  using passes = pass_list<sums<V>>;
  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 1> const& x, row<V> const&) const {
    a.s = a.s + x[0];
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const&, sums<V> const& a) const {
    return {a.s};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 1> gradient(lanes<V, 1> const& x, row<V> const&, result<V> const&) const {
    return x;
  }
};

}  // namespace detail

/// What evaluates whole batches where their tensors are, and leaves the value there: exec/cuda.cuh. Of its members see
/// exec/batch_evaluation.hpp.
template <class E>
concept device_executor = requires(std::remove_cvref_t<E> const& e, void const* p, void* q) {
  { std::remove_cvref_t<E>::space } -> std::convertible_to<memory_space>;
  e.require_reachable("loss", "argument", p);
  e.memory(index_t(1)).data;
  e.clear(q, index_t(1));
};

/// What runs row programs: callable with a row_problem, const, it writes the losses and gradients of all rows; or a
/// device_executor. What has tensor_traits is none, however callable: element access of lazy expressions takes any
/// argument.
template <class E>
concept executor =
    std::is_class_v<std::remove_cvref_t<E>> && !tensor<E> &&
    !sage::detail::has_traits<std::remove_cvref_t<E>> &&
    (std::is_invocable_v<std::remove_cvref_t<E> const&, row_problem<detail::probe_formula, float> const&> ||
     device_executor<E>);

}  // namespace exec

namespace detail {

/// Where the tensors of a call must live.
template <class Executor>
inline constexpr memory_space space_of = memory_space::host;
template <exec::device_executor Executor>
inline constexpr memory_space space_of<Executor> = Executor::space;

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
