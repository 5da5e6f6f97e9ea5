#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/framework/libtorch/differentiable.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/widened.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/rows.hpp>
#include <sage/tensor/shape.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/scalar_tensor.h>
#include <c10/core/GradMode.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Labels of any integer type as int64.
inline at::Tensor int64_labels(at::Tensor const& labels, char const* function) {
  require_dense(labels, function, "labels");
  if (!c10::isIntegralType(labels.scalar_type(), /*includeBool=*/false))
    raise_element_type(labels, function, "labels", "an integer type");
  return labels.to(c10::kLong);
}

/// The N inputs of one call of a loss, made ready: halves are widened, and an input has memory for its gradient
/// if grad mode is on and it requires grad.
template <std::size_t N>
class operands {
 public:
  using names = std::array<char const*, N>;
  using tensors = std::array<at::Tensor, N>;

  operands(char const* function, names const& input_names, tensors const& given, at::Tensor const& weights)
      : function_(function), names_(input_names), given_(given), weights_(weights) {
    bool const records = c10::GradMode::is_enabled();
    if (weights_.defined()) require_constant("weights", weights_);
    c10::NoGradGuard const no_graph;
    for (std::size_t i = 0; i < N; ++i) {
      require_dense(given_[i], function_, names_[i]);
      input_[i] = widened(given_[i]);
      if (records && given_[i].requires_grad()) gradient_[i] = at::empty_like(input_[i]);
      wants_gradient_ = wants_gradient_ || gradient_[i].defined();
    }
    if (weights_.defined()) weights_ = weights_.to(input_[0].scalar_type());
  }

  /// A tensor that the loss is not differentiated by, as it is, or of the inputs' element type.
  at::Tensor const& undifferentiated(char const* name, at::Tensor const& t) const {
    require_dense(t, function_, name);
    require_constant(name, t);
    return t;
  }
  at::Tensor constant(char const* name, at::Tensor const& t) const {
    return undifferentiated(name, t).to(input_[0].scalar_type());
  }

  char const* function() const noexcept { return function_; }
  bool wants_gradient() const noexcept { return wants_gradient_; }

  /// f(std::type_identity<E>{}) for float or double, the element type of the first input.
  template <class F>
  auto visit(F const& f) const {
    return visit_widened(input_[0], function_, names_[0], f);
  }

  template <class E>
  auto views() const {
    std::array<strided_view<E const, dynamic_rank>, N> v;
    for (std::size_t i = 0; i < N; ++i) {
      v[i] = view_as<E const>(input_[i], function_, names_[i]);
      sage::detail::require_rank(function_, names_[i], v[i]);
    }
    return v;
  }

  /// Gradient outputs; after views<E>(), which checks.
  template <class E>
  auto outputs() const {
    std::array<gradient_rows<E>, N> g;
    for (std::size_t i = 0; i < N; ++i)
      if (gradient_[i].defined())
        g[i] = {as_rows(view_as<E>(gradient_[i], function_, names_[i])), gradient_mode::write};
    return g;
  }

  /// f(sage::weights(w)), or f() without weights.
  template <class E, class F>
  auto with_weights(F const& f) const {
    if (weights_.defined()) return f(sage::weights(view_as<E const>(weights_, function_, "weights")));
    return f();
  }

  /// One element for every row of the first input.
  at::Tensor per_row() const {
    auto const n = input_[0].sizes();
    return at::empty(n.slice(0, n.empty() ? 0 : n.size() - 1), input_[0].options().requires_grad(false));
  }

  /// A number as a tensor of the given type.
  at::Tensor scalar(double value) const {
    c10::NoGradGuard const no_graph;
    return at::scalar_tensor(value, at::TensorOptions().dtype(given_[0].scalar_type()));
  }

  /// The value as a function of the inputs.
  at::Tensor differentiable(at::Tensor const& value) const {
    if (!wants_gradient_) return value.to(given_[0].scalar_type());
    evaluated_loss loss{function_, {}, variable_list(N)};
    {
      c10::NoGradGuard const no_graph;
      loss.value = value.to(given_[0].scalar_type());
      for (std::size_t i = 0; i < N; ++i)
        if (gradient_[i].defined()) loss.gradients[i] = gradient_[i].to(given_[i].scalar_type());
    }
    return with_known_gradients::apply(at::TensorList(given_.data(), N), loss);
  }

 private:
  void require_constant(char const* name, at::Tensor const& t) const {
    if (c10::GradMode::is_enabled() && t.requires_grad())
      sage::detail::raise<argument_error>(function_, ": ", name,
                                          " requires grad, but the loss is not differentiated by them: pass ",
                                          name, ".detach()");
  }

  char const* function_;
  names names_;
  tensors given_, input_, gradient_;
  at::Tensor weights_;
  bool wants_gradient_ = false;
};

/// The reduced value of a loss, differentiable. `Operands` is operands<N> or made of it; `extra` are views of labels, or
/// nothing.
template <class Loss, class Operands, class... Extra>
at::Tensor reduced(Loss const& loss, Operands const& x, Extra const&... extra) {
  double const value = x.visit([&]<class E>(std::type_identity<E>) {
    return x.template with_weights<E>([&](auto const&... weights) {
      return std::apply(
          [&](auto const&... args) {
            return static_cast<double>(loss.value_and_grad(executor{}, args..., weights...).value);
          },
          std::tuple_cat(x.template views<E>(), std::tie(extra...), x.template outputs<E>()));
    });
  });
  return x.differentiable(x.scalar(value));
}

/// The same of a loss whose first `extra` are labels of any integer type.
template <class Loss, class Operands, class... Extra>
at::Tensor reduced_with_labels(Loss const& loss, Operands const& x, at::Tensor const& labels, Extra const&... extra) {
  at::Tensor const y = int64_labels(labels, x.function());
  return reduced(loss, x, view<std::int64_t const>(y), extra...);
}

/// The losses of the rows, differentiable.
template <class Loss, class Operands, class... Extra>
at::Tensor unreduced(Loss const& loss, Operands const& x, Extra const&... extra) {
  at::Tensor const values = x.per_row();
  x.visit([&]<class E>(std::type_identity<E>) {
    auto const out = view_as<E>(values, x.function(), "out");
    E const one = 1;
    strided_view const ones{&one, extents{values.numel()}, strides{0}};
    x.template with_weights<E>([&](auto const&... weights) {
      auto const in = std::tuple_cat(x.template views<E>(), std::tie(extra...));
      std::apply([&](auto const&... args) { loss.per_sample(executor{}, args..., out, weights...); }, in);
      if (x.wants_gradient())
        std::apply([&](auto const&... args) { loss.backward(executor{}, ones, args..., weights...); },
                   std::tuple_cat(in, x.template outputs<E>()));
    });
  });
  return x.differentiable(values);
}

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
