#pragma once

#include "framework/torch.hpp"

#include <limits>
#include <vector>

/// Gradients of functions of tensors, and how near they are.
namespace gradients {

using tensors = std::vector<at::Tensor>;

/// ‖computed − expected‖ / ‖expected‖; infinite where the comparison would be vacuous (nothing expected) or
/// either is not finite.
inline double relative_error(at::Tensor const& computed, at::Tensor const& expected) {
  double const norm = expected.detach().to(at::kDouble).norm().item<double>();
  double const difference =
      (computed.detach().to(at::kDouble) - expected.detach().to(at::kDouble)).norm().item<double>();
  double const e = difference / norm;
  return norm > 1e-5 && e < std::numeric_limits<double>::infinity() ? e
                                                                    : std::numeric_limits<double>::infinity();
}

/// Leaves of their own memory that require grad, with the values of t.
inline tensors leaves(tensors const& t) {
  tensors r;
  for (auto const& x : t) r.push_back(x.detach().clone().requires_grad_());
  return r;
}

/// ∂f(x)/∂x by autograd.
template <class F>
tensors by_autograd(F const& f, tensors const& x) {
  return torch::autograd::grad({f(x)}, x);
}

/// ∂f(x)/∂x by central differences in double. h = 1e-4, and one step of Richardson's extrapolation: the
/// truncation h⁴ f⁽⁵⁾/480 and the cancellation 2^−53/h leave some 1e-12.
template <class F>
tensors by_differences(F const& f, tensors const& x) {
  at::NoGradGuard const no_graph;
  tensors r;
  for (auto const& t : x) {
    auto g = at::empty(t.sizes(), at::kDouble);
    auto values = t.view({-1});  // t's own memory
    for (int64_t i = 0; i < values.numel(); ++i) {
      double const at = values[i].item<double>();
      auto const difference = [&](double h) {
        values[i] = at + h;
        double const above = f(x).template item<double>();
        values[i] = at - h;
        double const below = f(x).template item<double>();
        values[i] = at;
        return (above - below) / (2 * h);
      };
      g.view({-1})[i] = (4 * difference(0.5e-4) - difference(1e-4)) / 3;
    }
    r.push_back(g);
  }
  return r;
}

/// Autograd against central differences. 1e-8: four digits more than a wrong factor could hide in, four less
/// than the differences are good for.
template <class F>
void check(F const& f, tensors const& values) {
  auto const x = leaves(values);
  auto const computed = by_autograd(f, x), expected = by_differences(f, x);
  for (std::size_t k = 0; k < x.size(); ++k) {
    CAPTURE(k);
    CHECK(relative_error(computed[k], expected[k]) < 1e-8);
  }
}

inline at::Tensor normal(at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
  return at::randn(shape, at::TensorOptions().dtype(type));
}

}  // namespace gradients
