#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/core/config.hpp>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>
#include <c10/core/DispatchKey.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Half types are computed in float anyway: widened here once, results rounded once, so that whoever includes
/// the framework compiles every loss for two element types instead of four.
inline c10::ScalarType widened_type(c10::ScalarType t) {
  return t == c10::kHalf || t == c10::kBFloat16 ? c10::kFloat : t;
}
inline at::Tensor widened(at::Tensor const& t) { return t.to(widened_type(t.scalar_type())); }

/// Is this a region of automatic mixed precision for the device? Losses of halves are then losses of floats there, as
/// LibTorch's own are: a half could not hold a gradient that waits for the scale of the loss, nor the scaled loss.
inline bool autocasts(c10::Device device) {
  auto const key = device.is_cuda() ? c10::DispatchKey::AutocastCUDA : c10::DispatchKey::AutocastCPU;
  return !c10::impl::tls_is_dispatch_key_excluded(key);
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
