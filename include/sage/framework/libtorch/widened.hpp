#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/core/config.hpp>

#include <ATen/core/Tensor.h>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Half types are computed in float anyway: widened here once, results rounded once, so that whoever includes
/// the framework compiles every loss for two element types instead of four.
inline at::Tensor widened(at::Tensor const& t) {
  bool const half = t.scalar_type() == c10::kHalf || t.scalar_type() == c10::kBFloat16;
  return half ? t.to(c10::kFloat) : t;
}

/// f(std::type_identity<E>{}) for the element type of a widened tensor.
template <class F>
auto visit_widened(at::Tensor const& t, char const* function, char const* name, F const& f) {
  if (t.scalar_type() == c10::kFloat) return f(std::type_identity<float>{});
  if (t.scalar_type() == c10::kDouble) return f(std::type_identity<double>{});
  raise_element_type(t, function, name, "Float, Double, Half or BFloat16");
}

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
