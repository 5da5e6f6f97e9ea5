#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/scalar.hpp>

#include <ATen/core/Tensor.h>
#include <c10/core/Device.h>

#include <type_traits>

// Debian's LibTorch has c10/cuda, too, but not this header, which only a LibTorch built for CUDA has.
#if defined(__CUDACC__) && __has_include(<c10/cuda/impl/cuda_cmake_macros.h>)
#define SAGE_LIBTORCH_HAS_CUDA 1
#include <sage/framework/libtorch/cuda_accelerator.cuh>
#else
#define SAGE_LIBTORCH_HAS_CUDA 0
#endif

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// What works the tensors of other devices than the CPU, for one call:
///
///   static bool takes(c10::Device);            // whose tensors?
///   static constexpr memory_space space;       // of their memory
///   static auto visit(tensor, function, name, f);   // f(std::type_identity<E>{}) for the element type
///   static index_t workspace_bytes(index_t rows);   // of a loss of rows
///   accelerator(c10::Device, index_t bytes);   // with a workspace, until the call has launched what it launches
///   auto executor() const;                     // an exec::device_executor
///
/// Where no CUDA compiler reads this source there is none: this one takes nothing, and nobody calls the rest.
struct no_accelerator {
  static constexpr memory_space space = memory_space::host;
  static bool takes(c10::Device) noexcept { return false; }
  template <class F>
  static auto visit(at::Tensor const&, char const*, char const*, F const& f) {
    return f(std::type_identity<float>{});
  }
  static index_t workspace_bytes(index_t) noexcept { return 0; }

  no_accelerator(c10::Device, index_t) noexcept {}
  exec::scalar executor() const noexcept { return {}; }
};

/// The one of this source. A template, so that a test can put an emulated device in its place before anything asks.
template <class>
struct accelerator_of_source {
#if SAGE_LIBTORCH_HAS_CUDA
  using type = cuda_accelerator;
#else
  using type = no_accelerator;
#endif
};

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
