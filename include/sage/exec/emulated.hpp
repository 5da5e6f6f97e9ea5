#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/exec/batch_evaluation.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/exec/fused_evaluation.hpp>
#include <sage/exec/own_schedule.hpp>
#include <sage/exec/row_launches.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/exec/row_scratch.hpp>
#include <sage/exec/scalar.hpp>

#include <cstddef>
#include <new>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

namespace detail {

/// A group whose members the calling thread plays one after the other, between every two exchanges. (SAGE_HD: nvcc wants
/// it of what schedules call, though no GPU does.)
template <int Size>
class emulated_group {
 public:
  static constexpr int size = Size;

  template <class S>
  struct own {
    S value[Size];

    SAGE_HD S& operator[](int rank) noexcept { return value[rank]; }
    SAGE_HD S const& operator[](int rank) const noexcept { return value[rank]; }
  };

  template <class F>
  SAGE_HD void for_each(F const& f) const {
    for (int rank = 0; rank < Size; ++rank) f(rank);
  }
  template <class S>
  SAGE_HD own<S> shuffle_down(own<S> const& x, int n) const {
    own<S> r = x;
    for (int rank = 0; rank < Size; ++rank)
      if (rank % warp_size + n < warp_size && rank + n < Size) r[rank] = x[rank + n];
    return r;
  }
  template <class S>
  SAGE_HD S of_first(own<S> const& x) const {
    return x[0];
  }
  template <class S>
  SAGE_HD S* exchange() const noexcept {
    static_assert(sizeof(S) <= sizeof memory_[0]);
    return reinterpret_cast<S*>(&memory_[0]);
  }
  SAGE_HD void sync() const noexcept {}

 private:
  struct alignas(std::max_align_t) largest_state {
    unsigned char bytes[256];
  };
  mutable largest_state memory_[Size > warp_size ? Size / warp_size : 1];
};

/// One block of a launch.
class emulated_block {
 public:
  SAGE_HD emulated_block(index_t number, index_t count, int threads, unsigned char* shared) noexcept
      : number_(number), count_(count), threads_(threads), shared_(shared) {}

  SAGE_HD index_t number() const noexcept { return number_; }
  SAGE_HD index_t count() const noexcept { return count_; }
  SAGE_HD unsigned char* shared() const noexcept { return shared_; }

  template <int Threads, class F>
  SAGE_HD void for_each_group(F const& f) const {
    emulated_group<Threads> const group{};
    for (int g = 0; g < threads_ / Threads; ++g) f(group, g);
  }
  SAGE_HD void sync() const noexcept {}
  SAGE_HD bool is_last(unsigned* arrivals) const noexcept { return index_t(++*arrivals) == count_; }

 private:
  index_t number_, count_;
  int threads_;
  unsigned char* shared_;
};

/// Runs the blocks of a launch one after the other. Each finds its shared memory full of NaN: it must not read what it
/// has not written.
struct emulated_launch {
  template <class Work>
  void operator()(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    row_scratch<unsigned char> shared(shared_bytes);
    for (index_t b = 0; b < blocks; ++b) {
      for (index_t i = 0; i < shared_bytes; ++i) shared.data()[i] = 0xff;
      work(emulated_block(b, blocks, threads, shared.data()));
    }
  }
};

}  // namespace detail

/// The schedules of exec/cuda.cuh on the host, thread by thread: the same division of rows, the same order of every sum,
/// the same shuffles. For tests of what a GPU will compute, and for looking at it in a debugger; slow. Its results differ
/// from those of a GPU by roundings alone: there exp, log and their like are others, and products are fused with sums.
///
/// Policy chooses the layout of a row_shape; `sage::exec::emulated{}` has the policy of the GPU.
template <class Policy = row_policy>
struct emulated {
  template <class Problem>
  void operator()(Problem const& p) const {
    if constexpr (own_schedule<Problem>) {
      scalar{}(p);  // kernels of a batch: the host's only
    } else {
      row_layout const layout = Policy::layout_of(detail::shape_of(p));
      detail::row_scratch<unsigned char> states(detail::part_bytes(p, layout));
      detail::launch_rows(detail::emulated_launch{}, p, layout, states.data());
    }
  }
};

/// The whole evaluation of a batch, and of an augmentation, as exec/cuda.cuh does it, launch by launch, on tensors in the
/// host's memory: labels and weights are not checked, the value goes to sage::into(result).
template <class Policy = row_policy>
struct emulated_device {
  static constexpr memory_space space = memory_space::host;

  static row_layout layout_of(row_shape const& s) { return Policy::layout_of(s); }
  void require_reachable(char const*, char const*, void const*) const noexcept {}

  template <class Work>
  void launch(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    detail::emulated_launch{}(blocks, threads, shared_bytes, work);
  }
  void clear(void* data, index_t bytes) const noexcept {
    for (index_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(data)[i] = 0;
  }

  /// Full of NaN, as the shared memory.
  class memory_block {
   public:
    explicit memory_block(index_t bytes)
        : data(new (alignment) unsigned char[static_cast<std::size_t>(bytes)]) {
      for (index_t i = 0; i < bytes; ++i) data[i] = 0xff;
    }
    memory_block(memory_block const&) = delete;
    memory_block& operator=(memory_block const&) = delete;
    ~memory_block() { ::operator delete[](data, alignment); }

    unsigned char* const data;

   private:
    static constexpr std::align_val_t alignment{256};
  };
  static memory_block memory(index_t bytes) { return memory_block(bytes); }
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
