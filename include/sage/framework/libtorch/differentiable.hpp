#pragma once

#include <sage/core/config.hpp>

#include <c10/core/GradMode.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A loss that was evaluated together with its gradients.
struct evaluated_loss {
  char const* name;
  at::Tensor value;         // (), or one value per row
  variable_list gradients;  // ∂value/∂input; undefined for an input that wants none
};

/// Gradients that cannot be differentiated again, in words. They hang on what they were computed from, so
/// that a second derivative always comes by here, whichever input it is asked for.
struct no_second_derivative : torch::autograd::Function<no_second_derivative> {
  static variable_list forward(AutogradContext* context, at::TensorList sources,
                               variable_list const& gradients, std::string const& name) {
    context->saved_data["name"] = name;
    context->saved_data["sources"] = static_cast<std::int64_t>(sources.size());
    return gradients;
  }
  static variable_list backward(AutogradContext* context, variable_list const&) {
    auto const name = context->saved_data["name"].toStringRef();
    TORCH_CHECK(false, name,
                ": the second derivative is not implemented; the gradient of this loss cannot be "
                "differentiated again (create_graph gives first derivatives only)");
    return {};
  }
};

/// Known gradients times the upstream one; themselves where that is the number 1, as it is of a loss that nothing
/// follows. (Of a device the number is not asked for: one would wait for it.)
inline at::Tensor scaled_by(at::Tensor const& gradient, at::Tensor const& upstream) {
  if (upstream.dim() > 0) return gradient.mul(upstream.unsqueeze(-1));
  if (upstream.is_cpu() && upstream.item<double>() == 1) return gradient;
  return gradient.mul(upstream);
}

/// Tells autograd of a value whose gradients are known: the backward scales them by the upstream gradient.
struct with_known_gradients : torch::autograd::Function<with_known_gradients> {
  static at::Tensor forward(AutogradContext* context, at::TensorList inputs, evaluated_loss const& loss) {
    variable_list saved(inputs.begin(), inputs.end());
    saved.insert(saved.end(), loss.gradients.begin(), loss.gradients.end());
    context->save_for_backward(std::move(saved));
    context->saved_data["name"] = std::string(loss.name);
    return loss.value;
  }

  static variable_list backward(AutogradContext* context, variable_list const& upstream) {
    variable_list const saved = context->get_saved_variables();  // inputs, then gradients
    std::size_t const inputs = saved.size() / 2;
    variable_list result(inputs + 1);  // the last stands for `loss`
    variable_list scaled;
    {
      c10::NoGradGuard const no_graph;
      at::Tensor const& u = upstream[0];
      for (std::size_t i = 0; i < inputs; ++i) {
        at::Tensor const& g = saved[inputs + i];
        if (g.defined()) scaled.push_back(scaled_by(g, u));
      }
    }
    if (c10::GradMode::is_enabled()) {
      variable_list sources(saved.begin(), saved.begin() + static_cast<std::ptrdiff_t>(inputs));
      sources.push_back(upstream[0]);
      scaled = no_second_derivative::apply(at::TensorList(sources), scaled,
                                           context->saved_data["name"].toStringRef());
    }
    for (std::size_t i = 0, k = 0; i < inputs; ++i)
      if (saved[inputs + i].defined()) result[i] = scaled[k++];
    return result;
  }
};

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
