#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/exec/row_layout.hpp>

#include <cuda_runtime.h>

/// The cooperative groups of a GPU's threads. Their functions are compiled for the host, too, where nobody calls them:
/// schedules are templates for both.
namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Any trivially copyable state as the 32-bit words that shuffles move.
template <class S>
struct state_words {
  static constexpr int count = static_cast<int>((sizeof(S) + 3) / 4);
  static_assert(sizeof(S) % 4 == 0, "sage: states of 16-bit numbers are not for CUDA; accumulate in float");
  unsigned word[count];
};

template <int Size>
class cuda_group {
  static_assert(Size == 1 || Size == row_policy::warp || Size == row_policy::large_block);

 public:
  static constexpr int size = Size;
  template <class S>
  using own = own_state<S>;

  SAGE_HD static int rank() noexcept {
#if defined(__CUDA_ARCH__)
    return static_cast<int>(threadIdx.x) % Size;
#else
    return 0;
#endif
  }

  template <class F>
  SAGE_HD void for_each(F const& f) const {
    f(rank());
  }
  template <class S>
  SAGE_HD own<S> shuffle_down(own<S> const& x, [[maybe_unused]] int n) const {
    auto w = __builtin_bit_cast(state_words<S>, x.value);
#if defined(__CUDA_ARCH__)
    SAGE_UNROLL
    for (int i = 0; i < state_words<S>::count; ++i) w.word[i] = __shfl_down_sync(0xffffffffu, w.word[i], n);
#endif
    return {__builtin_bit_cast(S, w)};
  }
  template <class S>
  SAGE_HD S of_first(own<S> const& x) const {
    if constexpr (Size == 1) {
      return x.value;
    } else {
      auto w = __builtin_bit_cast(state_words<S>, x.value);
#if defined(__CUDA_ARCH__)
      SAGE_UNROLL
      for (int i = 0; i < state_words<S>::count; ++i) w.word[i] = __shfl_sync(0xffffffffu, w.word[i], 0);
#endif
      return __builtin_bit_cast(S, w);
    }
  }
  template <class S>
  SAGE_HD S* exchange() const noexcept {
#if defined(__CUDA_ARCH__)
    __shared__ alignas(16) unsigned char memory[(Size > warp_size ? Size / warp_size : 1) * sizeof(S)];
    return reinterpret_cast<S*>(memory);
#else
    return nullptr;
#endif
  }
  SAGE_HD void sync() const noexcept {
#if defined(__CUDA_ARCH__)
    if constexpr (Size > warp_size) __syncthreads();
#endif
  }
};

/// The block of the calling thread.
struct cuda_block {
  SAGE_HD index_t number() const noexcept {
#if defined(__CUDA_ARCH__)
    return blockIdx.x;
#else
    return 0;
#endif
  }
  SAGE_HD index_t count() const noexcept {
#if defined(__CUDA_ARCH__)
    return gridDim.x;
#else
    return 1;
#endif
  }
  SAGE_HD unsigned char* shared() const noexcept {
#if defined(__CUDA_ARCH__)
    extern __shared__ uint4 sage_shared_memory[];
    return reinterpret_cast<unsigned char*>(sage_shared_memory);
#else
    return nullptr;
#endif
  }
  template <int Threads, class F>
  SAGE_HD void for_each_group(F const& f) const {
#if defined(__CUDA_ARCH__)
    f(cuda_group<Threads>{}, static_cast<int>(threadIdx.x) / Threads);
#else
    f(cuda_group<Threads>{}, 0);
#endif
  }
  SAGE_HD void sync() const noexcept {
#if defined(__CUDA_ARCH__)
    __syncthreads();
#endif
  }
  SAGE_HD bool is_last([[maybe_unused]] unsigned* arrivals) const noexcept {
#if defined(__CUDA_ARCH__)
    __shared__ bool last;
    __syncthreads();
    if (threadIdx.x == 0) {
      __threadfence();  // others see what this block wrote before they see that it has arrived
      last = atomicAdd(arrivals, 1u) == gridDim.x - 1;
      __threadfence();
    }
    __syncthreads();
    return last;
#else
    return true;
#endif
  }
};

/// How many blocks a multiprocessor shall have registers for: one, or what a work says.
template <class Work>
inline constexpr int resident_blocks = 1;
template <class Work>
  requires requires { Work::resident_blocks; }
inline constexpr int resident_blocks<Work> = Work::resident_blocks;

template <class Work>
static __global__ void __launch_bounds__(Work::most_threads, resident_blocks<Work>)
    run_blocks(__grid_constant__ Work const work) {
  work(cuda_block{});
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
