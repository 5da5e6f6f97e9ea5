#pragma once

#include "losses.hpp"

#include <sage/exec/cuda.cuh>

namespace bench {

template <class T>
element_type element_on_device(char const* name, double tolerance, double smallest_step) {
  element_type e = element_on_host<T>(name, tolerance, smallest_step);
  e.launch = [](workload const& w, device_tensors const& t, cudaStream_t stream) {
    run_workload<T>(sage::exec::cuda{stream, {t.workspace, t.workspace_bytes}}, w, t);
  };
  e.workspace_bytes = [](workload const& w) -> index {
    if (w.loss != loss::blur_pair) return sage::exec::cuda_workspace_bytes(w.rows);
    sage::saliency_pair<sage::gaussian_blur> const pair{{.sigma = w.sigma}};
    return pair.template workspace_bytes<T>({w.rows, w.channels, w.length, w.classes});
  };
  return e;
}

}  // namespace bench
