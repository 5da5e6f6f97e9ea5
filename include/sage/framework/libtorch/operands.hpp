#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/framework/libtorch/accelerator.hpp>
#include <sage/framework/libtorch/differentiable.hpp>
#include <sage/framework/libtorch/widened.hpp>
#include <sage/loss/arguments.hpp>
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
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

using sage::detail::runs;

using accelerator = accelerator_of_source<void>::type;
inline constexpr bool has_accelerator = !std::is_same_v<accelerator, no_accelerator>;

/// Throws argument_error unless t is on the CPU or on a device whose tensors this source works.
inline void require_device(at::Tensor const& t, char const* function, char const* name) {
  c10::Device const d = t.device();
  if (d.is_cpu() || accelerator::takes(d)) return;
  if (!d.is_cuda())
    sage::detail::raise<argument_error>(function, ": ", name, " lives on ", d.str(),
                                        ", expected a CPU or CUDA tensor");
  sage::detail::raise<argument_error>(function, ": ", name, " lives on ", d.str(),
                                      ", but the source that calls was compiled for CPU tensors alone: "
                                      "compile it with nvcc against a LibTorch built "
                                      "for CUDA, or pass tensors.cpu()");
}

/// Integer labels, as int64, beside the operands.
struct labels_of {
  at::Tensor tensor;
};

/// The N inputs of one call of a loss, made ready: all are on one device; halves are widened where the CPU works them, or
/// where not all inputs are halves of one type; and an input has memory for its gradient if grad mode is on and it requires grad.
template <std::size_t N>
class operands {
 public:
  using names = std::array<char const*, N>;
  using tensors = std::array<at::Tensor, N>;

  operands(char const* function, names const& input_names, tensors const& given, at::Tensor const& weights)
      : function_(function), names_(input_names), given_(given), weights_(weights) {
    require_strided(given_[0], function_, names_[0]);
    require_device(given_[0], function_, names_[0]);
    bool const records = c10::GradMode::is_enabled();
    bool alike = true;
    for (std::size_t i = 0; i < N; ++i) {
      require_beside_first(names_[i], given_[i]);
      if (autocasts(device())) given_[i] = widened(given_[i]);
      alike = alike && given_[i].scalar_type() == given_[0].scalar_type();
    }
    if (weights_.defined()) undifferentiated("weights", weights_);
    c10::NoGradGuard const no_graph;
    for (std::size_t i = 0; i < N; ++i) {
      input_[i] = on_accelerator() && alike ? given_[i] : widened(given_[i]);
      if (records && given_[i].requires_grad()) gradient_[i] = at::empty_like(input_[i]);
      wants_gradient_ = wants_gradient_ || gradient_[i].defined();
    }
    if (weights_.defined()) weights_ = weights_.to(widened_type(input_[0].scalar_type()));
  }

  /// A tensor that the loss is not differentiated by, as it is, or of the inputs' element type.
  at::Tensor const& undifferentiated(char const* name, at::Tensor const& t) const {
    require_beside_first(name, t);
    require_constant(name, t);
    return t;
  }
  at::Tensor constant(char const* name, at::Tensor const& t) const {
    return undifferentiated(name, t).to(input_[0].scalar_type());
  }
  /// Labels of any integer type.
  labels_of labels(at::Tensor const& t) const {
    require_beside_first("labels", t);
    if (!c10::isIntegralType(t.scalar_type(), /*includeBool=*/false))
      raise_element_type(t, function_, "labels", "an integer type");
    return {t.to(c10::kLong)};
  }

  char const* function() const noexcept { return function_; }
  tensors const& given() const noexcept { return given_; }
  at::Tensor const& first() const noexcept { return input_[0]; }
  char const* name(std::size_t input) const noexcept { return names_[input]; }
  bool wants_gradient() const noexcept { return wants_gradient_; }

  c10::Device device() const { return given_[0].device(); }
  bool on_accelerator() const { return accelerator::takes(device()); }
  [[noreturn]] void raise_cpu_only() const {
    sage::detail::raise<argument_error>(function_, ": ", names_[0], " lives on ", device().str(),
                                        "; this loss runs on the CPU only for now: pass tensors.cpu()");
  }

  /// f(std::type_identity<E>{}) for float or double, the element type of the first input on the CPU.
  template <class F>
  auto visit(F const& f) const {
    return visit_widened(input_[0], function_, names_[0], f);
  }

  template <class E, memory_space Space>
  auto views() const {
    std::array<strided_view<E const, dynamic_rank, Space>, N> v;
    for (std::size_t i = 0; i < N; ++i) {
      v[i] = view_as<E const, Space>(input_[i], function_, names_[i]);
      sage::detail::require_rank(function_, names_[i], v[i]);
    }
    return v;
  }

  /// Gradient outputs; after views<E>(), which checks.
  template <class E, memory_space Space>
  auto outputs() const {
    std::array<gradient_rows<E>, N> g;
    for (std::size_t i = 0; i < N; ++i)
      if (gradient_[i].defined())
        g[i] = {as_rows(view_as<E, Space>(gradient_[i], function_, names_[i])), gradient_mode::write};
    return g;
  }

  /// Labels and other tensors beside the operands, as the loss takes them.
  template <memory_space Space>
  auto argument(labels_of const& y) const {
    return view_as<std::int64_t const, Space>(y.tensor, function_, "labels");
  }
  template <memory_space>
  at::Tensor const& argument(at::Tensor const& t) const {
    return t;
  }

  /// f(sage::weights(w)), or f() without weights.
  template <class E, memory_space Space, class F>
  auto with_weights(F const& f) const {
    using W = accumulator_t<E>;
    if (weights_.defined()) return f(sage::weights(view_as<W const, Space>(weights_, function_, "weights")));
    return f();
  }

  /// One element for every row of the first input.
  at::Tensor per_row() const {
    auto const n = input_[0].sizes();
    return at::empty(n.slice(0, n.empty() ? 0 : n.size() - 1), input_[0].options().requires_grad(false));
  }
  index_t rows(std::size_t input = 0) const {
    index_t n = 1;
    for (std::int64_t d = 0; d + 1 < input_[input].dim(); ++d) n *= input_[input].size(d);
    return n;
  }

  /// A number as a tensor of the given type.
  at::Tensor scalar(double value) const {
    c10::NoGradGuard const no_graph;
    return at::scalar_tensor(value, at::TensorOptions().dtype(given_[0].scalar_type()));
  }

  /// The value, of the given type, as a function of the inputs.
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
  void require_beside_first(char const* name, at::Tensor const& t) const {
    require_strided(t, function_, name);
    if (t.device() != device())
      sage::detail::raise<argument_error>(function_, ": ", name, " lives on ", t.device().str(), ", ",
                                          names_[0], " on ", device().str(), ", expected one device");
  }
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

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
