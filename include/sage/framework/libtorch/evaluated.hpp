#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/framework/libtorch/device_result.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/framework/libtorch/widened.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/tensor/gradient.hpp>

#include <ATen/core/Tensor.h>

#include <tuple>
#include <type_traits>

/// Losses of operands: on the CPU by LibTorch's threads, on a device by its accelerator. `Operands` is operands<N> or made
/// of it; `extra` are labels, or what else stands behind the inputs.
namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// f(inputs…, extra…, results…, weights or nothing), as views of memory in `Space`; `results` is a tuple.
template <class E, memory_space Space, class F, class Operands, class Results, class... Extra>
auto with_arguments(F const& f, Operands const& x, Results const& results, Extra const&... extra) {
  auto const beside = [&](auto const& t) -> decltype(auto) { return x.template argument<Space>(t); };
  return x.template with_weights<E, Space>([&](auto const&... weights) {
    return std::apply([&](auto const&... args) { return f(args..., weights...); },
                      std::tuple_cat(x.template views<E, Space>(),
                                     std::tuple<decltype(beside(extra))...>(beside(extra)...), results));
  });
}

/// f(std::type_identity<E>{}, executor) for the element type E of operands on a device; all that f launches stands in the
/// order of the device's current stream.
template <class Operands, class F>
auto on_device(Operands const& x, F const& f) {
  return accelerator::visit(x.first(), x.function(), x.name(0), [&]<class E>(std::type_identity<E> type) {
    accelerator const device(x.device(), accelerator::workspace_bytes(x.rows()));
    return f(type, device.executor());
  });
}

/// The reduced value, in the device's own memory: nobody waits for it.
template <class Loss, class Operands, class... Extra>
at::Tensor value_on_device(Loss const& loss, Operands const& x, Extra const&... extra) {
  return on_device(x, [&]<class E>(std::type_identity<E>, auto const& executor) {
    constexpr auto space = accelerator::space;
    using result = loss_result<accumulator_t<E>>;
    device_result<result> const r(x.first().options());
    with_arguments<E, space>(
        [&](auto const&... args) { loss.value_and_grad(executor, args..., into(r.get())); }, x,
        x.template outputs<E, space>(), extra...);
    return r(&result::value);
  });
}

/// The reduced value of a loss, differentiable. `Where` says whether there is anything but the CPU for it.
template <runs Where = runs::anywhere, class Loss, class Operands, class... Extra>
at::Tensor reduced(Loss const& loss, Operands const& x, Extra const&... extra) {
  if constexpr (has_accelerator)
    if (x.on_accelerator()) {
      if constexpr (Where == runs::on_host) {
        x.raise_cpu_only();
      } else {
        return x.differentiable(value_on_device(loss, x, extra...));
      }
    }
  double const value = x.visit([&]<class E>(std::type_identity<E>) {
    constexpr auto space = memory_space::host;
    return with_arguments<E, space>(
        [&](auto const&... args) {
          return static_cast<double>(loss.value_and_grad(executor{}, args...).value);
        },
        x, x.template outputs<E, space>(), extra...);
  });
  return x.differentiable(x.scalar(value));
}

/// The same of a loss whose first `extra` are labels of any integer type.
template <runs Where = runs::anywhere, class Loss, class Operands, class... Extra>
at::Tensor reduced_with_labels(Loss const& loss, Operands const& x, at::Tensor const& labels,
                               Extra const&... extra) {
  return reduced<Where>(loss, x, x.labels(labels), extra...);
}

/// Calls evaluate.operator()<E, Space>(executor) for the operands' element type, memory and executor.
template <class Operands, class F>
void evaluate_in_place(Operands const& x, F const& evaluate) {
  if constexpr (has_accelerator)
    if (x.on_accelerator())
      return on_device(x, [&]<class E>(std::type_identity<E>, auto const& executor) {
        evaluate.template operator()<E, accelerator::space>(executor);
      });
  x.visit([&]<class E>(std::type_identity<E>) {
    evaluate.template operator()<E, memory_space::host>(executor{});
  });
}

/// The losses of the rows, differentiable.
template <class Loss, class Operands, class... Extra>
at::Tensor unreduced(Loss const& loss, Operands const& x, Extra const&... extra) {
  at::Tensor const values = x.per_row();
  Loss sum = loss;  // its gradients are those of the losses of the rows
  sum.reduction = reduction::sum;
  auto const evaluate = [&]<class E, memory_space Space>(auto const& executor) {
    with_arguments<E, Space>([&](auto const&... args) { loss.per_sample(executor, args...); }, x,
                             std::tuple(view_as<E, Space>(values, x.function(), "out")), extra...);
    if (x.wants_gradient())
      with_arguments<E, Space>([&](auto const&... args) { sum.backward(executor, 1.0, args...); }, x,
                               x.template outputs<E, Space>(), extra...);
  };
  evaluate_in_place(x, evaluate);
  return x.differentiable(values);
}

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
