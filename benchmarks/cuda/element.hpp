#pragma once

#include "../workload.hpp"

#include <cuda_runtime.h>

namespace bench {

/// The tensors of one call, in the memory of a device, in the order of `tensors`; where the result and the workspace are.
struct device_tensors {
  std::vector<void const*> inputs;
  std::vector<void*> outputs;
  int const* labels = nullptr;
  void* result =
      nullptr;  // sage::loss_result<float> or sage::sage_result<float>: the value, a float, comes first
  void* workspace = nullptr;
  index workspace_bytes = 0;
};
inline constexpr std::size_t result_bytes = 256;

/// The library's losses of one element type on a device. Each is compiled in a file of its own, for the compiler's time.
struct element_type {
  char const* name;      // "half"
  std::size_t size;      // of an element
  double tolerance;      // relative error that rounding explains
  double smallest_step;  // between the numbers of this type near 0
  void (*launch)(workload const&, device_tensors const&, cudaStream_t);
  index (*workspace_bytes)(workload const&);
  void (*narrow)(float const* from, void* to, index n);
  void (*widen)(void const* from, float* to, index n);
};
extern element_type const of_float, of_half, of_bfloat16;

/// A workload of one element type.
struct device_workload {
  workload what;
  element_type const* element = &of_float;
};

/// "triplet/value_and_grad/half/8192x4096": the names of the CPU's suite, with the element type.
inline std::string name_of(device_workload const& w) {
  std::string r = name_of(w.what);
  std::string const was = "/float/";
  return r.replace(r.find(was), was.size(), std::string("/") + w.element->name + "/");
}

}  // namespace bench
