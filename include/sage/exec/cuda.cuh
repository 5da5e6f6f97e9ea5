#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/batch_evaluation.hpp>
#include <sage/exec/cuda_groups.cuh>
#include <sage/exec/cuda_halves.cuh>
#include <sage/exec/executor.hpp>
#include <sage/exec/fused_evaluation.hpp>
#include <sage/exec/row_layout.hpp>

#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

inline void require_cuda(cudaError_t status, char const* what) {
  if (status == cudaSuccess) return;
  static_cast<void>(cudaGetLastError());  // reported here, it is no error of the next call
  raise<cuda_error>("sage::exec::cuda: ", what, ": ", cudaGetErrorString(status));
}

}  // namespace detail

namespace exec {

/// Memory on the device that an evaluation may use until it is done. `cuda_workspace_bytes(rows)` suffice for every loss
/// of the library, and an augmentation's `workspace_bytes` for it, where `data` is a multiple of 256; the memory is that
/// of one call at a time: calls on two streams need two.
struct cuda_workspace {
  void* data = nullptr;
  index_t bytes = 0;
};
constexpr index_t cuda_workspace_bytes(index_t rows) noexcept { return detail::batch_workspace_bytes(rows); }

namespace detail {

/// The workspace of one evaluation: the caller's, or memory that is allocated and freed in the order of the stream.
class cuda_memory {
 public:
  cuda_memory(cudaStream_t stream, cuda_workspace const& given, index_t bytes) : stream_(stream) {
    if (given.data != nullptr) {
      auto const at = reinterpret_cast<std::uintptr_t>(given.data);
      index_t const lost = static_cast<index_t>((alignment - at % alignment) % alignment);
      if (given.bytes < bytes + lost)
        sage::detail::raise<argument_error>("sage::exec::cuda: the workspace has ", given.bytes,
                                            " bytes, expected ", bytes + lost);
      data = static_cast<unsigned char*>(given.data) + lost;
    } else if (bytes > 0) {
      void* p = nullptr;
      sage::detail::require_cuda(cudaMallocAsync(&p, static_cast<std::size_t>(bytes), stream),
                                 "the workspace");
      data = static_cast<unsigned char*>(p);
      owned_ = true;
    }
  }
  cuda_memory(cuda_memory const&) = delete;
  cuda_memory& operator=(cuda_memory const&) = delete;
  ~cuda_memory() {
    if (owned_) static_cast<void>(cudaFreeAsync(data, stream_));
  }

  unsigned char* data = nullptr;

 private:
  static constexpr std::uintptr_t alignment = 256;
  cudaStream_t stream_;
  bool owned_ = false;
};

}  // namespace detail

/// Runs losses of rows, and augmentations, on a CUDA device, in the order of a stream.
///
///   sage::loss_result<float>* r;   // on the device
///   loss.value_and_grad(sage::exec::cuda{.stream = s}, a, p, n, d_a, d_p, d_n, sage::into(r));
///
/// Tensors are sage::device_view(pointer, rows, length) or strided_views in memory_space::cuda, of float, double, __half
/// or __nv_bfloat16. Nothing is synchronised, and nothing allocated but a workspace (O(rows) for losses, see
/// cuda_workspace; for augmentations see their workspace_bytes), in the order of the stream: calls can be captured into a graph. Results have the same bits in every run and on every device of
/// one architecture; exp, log and their like are those of the CUDA toolkit.
///
/// Runs:      triplet_margin_loss, contrastive_loss, consistency_loss, binary_consistency_loss, degradation_loss,
///            cross_entropy_loss, binary_cross_entropy_loss and sage_loss, with every distance, divergence and check; all
///            other losses on the host only. saliency_pair, with its adjoint, and saliency_map.
/// Precision: as on the host, where the same formulas run; halves are accumulated in float and rounded once.
/// Edge:      labels and weights are on the device, where nobody has checked them: a label that is no class gives NaN for
///            its row; a weight that is negative or not finite counts as it is.
/// Errors:    cuda_error, with the runtime's text: no device, memory that the device cannot reach or that is another
///            device's, a launch that fails; before any write unless the device itself fails. What a kernel does wrong
///            is reported by a later call, as with every kernel. shape_error, argument_error as on the host.
/// Cost:      one launch for the rows (very long rows: one for each pass), one or two for the value, one or two for the
///            divisor of a weighted mean before the gradients; mean_active takes the rows twice. sage_loss: one launch for
///            all of this, behind one memset of 8 bytes (none for backward of up to 2048 rows); more rows are
///            counted by one launch before; per_sample two. Its rows are never divided among blocks.
///            Without a workspace cudaMallocAsync, which devices without memory pools refuse, and which is cheap only as
///            long as the pool keeps its memory (cudaMemPoolAttrReleaseThreshold).
/// Compile:   nvcc, C++20, without --use_fast_math, which would change the precision. Sources that include this header run
///            executors of the host on the scalar schedules, and share none with sources of other compilers. __half and
///            __nv_bfloat16 need their conversions: not with __CUDA_NO_HALF_CONVERSIONS__, which LibTorch's extensions
///            define.
struct cuda {
  static constexpr memory_space space = memory_space::cuda;

  cudaStream_t stream = nullptr;
  cuda_workspace workspace{};

  static constexpr row_layout layout_of(row_shape const& s) noexcept { return row_policy::layout_of(s); }

  /// Throws cuda_error unless the device of this thread can work on the memory at p.
  void require_reachable(char const* function, char const* name, void const* p) const {
    cudaPointerAttributes a{};
    if (auto const e = cudaPointerGetAttributes(&a, p); e != cudaSuccess) {
      static_cast<void>(cudaGetLastError());  // reported here, it is no error of the next call
      sage::detail::raise<cuda_error>(function, ": ", name, ": ", cudaGetErrorString(e));
    }
    if (a.type == cudaMemoryTypeUnregistered)
      sage::detail::raise<cuda_error>(function, ": ", name, " is no memory of a CUDA device: ",
                                      cudaGetErrorString(cudaErrorInvalidDevicePointer));
    int device = 0;
    sage::detail::require_cuda(cudaGetDevice(&device), "the current device");
    if (a.type == cudaMemoryTypeDevice && a.device != device)
      sage::detail::raise<cuda_error>(function, ": ", name, " is on device ", a.device,
                                      ", the current device is ", device, ": ",
                                      cudaGetErrorString(cudaErrorInvalidDevice));
  }

  detail::cuda_memory memory(index_t bytes) const { return {stream, workspace, bytes}; }

  template <class Work>
  void launch(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = static_cast<std::size_t>(shared_bytes);
    config.stream = stream;
    sage::detail::require_cuda(cudaLaunchKernelEx(&config, &detail::run_blocks<Work>, work), "a launch");
  }

  /// Zeros, before the next launch.
  void clear(void* data, index_t bytes) const {
    sage::detail::require_cuda(cudaMemsetAsync(data, 0, static_cast<std::size_t>(bytes), stream),
                               "clearing the workspace");
  }
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
