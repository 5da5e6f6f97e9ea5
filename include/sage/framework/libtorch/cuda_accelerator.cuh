#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/cuda.cuh>
#include <sage/framework/libtorch/widened.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/Device.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// LibTorch's CUDA devices: their current stream, on which all launches of a call stand in order, and a workspace of
/// LibTorch's allocator, which keeps memory for the next call and belongs to the graph where one is captured. Kernels read
/// halves as they are, for it is memory that they wait for: as c10::Half and c10::BFloat16, which convert whatever an
/// extension's flags forbid __half.
class cuda_accelerator {
 public:
  static constexpr memory_space space = memory_space::cuda;
  static bool takes(c10::Device d) noexcept { return d.is_cuda(); }

  template <class F>
  static auto visit(at::Tensor const& t, char const* function, char const* name, F const& f) {
    if (t.scalar_type() == c10::kHalf) return f(std::type_identity<c10::Half>{});
    if (t.scalar_type() == c10::kBFloat16) return f(std::type_identity<c10::BFloat16>{});
    return visit_widened(t, function, name, f);
  }

  /// What suffices for a loss of so many rows.
  static index_t workspace_bytes(index_t rows) noexcept { return exec::cuda_workspace_bytes(rows); }

  cuda_accelerator(c10::Device device, index_t bytes)
      : guard_(device),
        stream_(c10::cuda::getCurrentCUDAStream(device.index())),
        workspace_(at::empty({bytes > 0 ? bytes : index_t(1)}, at::TensorOptions(device).dtype(c10::kByte))) {
  }

  exec::cuda executor() const {
    return {.stream = stream_.stream(), .workspace = {workspace_.data_ptr(), workspace_.numel()}};
  }

 private:
  c10::cuda::CUDAGuard guard_;
  c10::cuda::CUDAStream stream_;
  at::Tensor workspace_;
};

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
