// A device for sage_bench_cuda where there is none: its memory is the host's, losses run by their emulation, and of the
// CUDA runtime there are the functions that the program calls. `sage_bench_cuda_emulated --smoke` shows that the program
// compares, times and reports as it should; its times mean nothing.
//
// SAGE_EMULATED_MIB is the device's memory (default 512); SAGE_EMULATED_WRONG=1 falsifies an element of every answer.

#include "losses.hpp"

#include <sage/exec/batch_evaluation.hpp>
#include <sage/exec/cuda_halves.cuh>
#include <sage/exec/emulated.hpp>
#include <sage/exec/fused_evaluation.hpp>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

namespace {

using graph = std::vector<std::function<void()>>;
std::unique_ptr<graph> captured;  // while a stream is captured

template <class Work>
cudaError_t enqueue(Work const& work) {
  if (captured) {
    captured->push_back(work);
  } else {
    work();
  }
  return cudaSuccess;
}

template <class T>
bench::element_type emulated_element(char const* name, double tolerance, double smallest_step) {
  auto e = bench::element_on_host<T>(name, tolerance, smallest_step);
  e.launch = [](bench::workload const& w, bench::device_tensors const& t, cudaStream_t) {
    enqueue([w, t] {
      bench::run_workload<T>(sage::exec::emulated_device<>{}, w, t);
      if (std::getenv("SAGE_EMULATED_WRONG") != nullptr)
        static_cast<T*>(t.outputs[0])[0] = static_cast<T>(7.f);
    });
  };
  e.workspace_bytes = [](bench::workload const&) -> bench::index { return 0; };
  return e;
}

std::size_t memory_bytes() {
  char const* const mib = std::getenv("SAGE_EMULATED_MIB");
  return (mib != nullptr ? std::strtoul(mib, nullptr, 10) : 512) << 20;
}

double* time_at(cudaEvent_t e) { return reinterpret_cast<double*>(e); }

}  // namespace

bench::element_type const bench::of_float = emulated_element<float>("float", 1e-4, 1e-45);
bench::element_type const bench::of_half = emulated_element<__half>("half", 2e-3, 6e-8);
bench::element_type const bench::of_bfloat16 = emulated_element<__nv_bfloat16>("bfloat16", 1e-2, 1e-40);

extern "C" {

cudaError_t cudaGetDeviceCount(int* n) {
  *n = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  *p = {};
  std::strcpy(p->name, "emulated");
  p->l2CacheSize = 1 << 20;
  p->totalGlobalMem = memory_bytes();
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  *value = 0;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* v) { return cudaDeviceGetAttribute(v, cudaDevAttrClockRate, 0); }
cudaError_t cudaRuntimeGetVersion(int* v) { return cudaDeviceGetAttribute(v, cudaDevAttrClockRate, 0); }
cudaError_t cudaDeviceSynchronize() { return cudaSuccess; }
cudaError_t cudaGetLastError() { return cudaSuccess; }
char const* cudaGetErrorString(cudaError_t) { return "an error of the emulated device"; }

cudaError_t cudaMemGetInfo(std::size_t* available, std::size_t* total) {
  *available = *total = memory_bytes();
  return cudaSuccess;
}
cudaError_t cudaMalloc(void** p, std::size_t n) {
  *p = std::aligned_alloc(256, (n + 255) / 256 * 256);
  return *p != nullptr ? cudaSuccess : cudaErrorMemoryAllocation;
}
cudaError_t cudaFree(void* p) {
  std::free(p);
  return cudaSuccess;
}
cudaError_t cudaMemset(void* p, int value, std::size_t n) {
  std::memset(p, value, n);
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, void const* from, std::size_t n, cudaMemcpyKind) {
  std::memcpy(to, from, n);
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, void const* from, std::size_t n, cudaMemcpyKind, cudaStream_t) {
  return enqueue([=] { std::memcpy(to, from, n); });
}

cudaError_t cudaStreamCreate(cudaStream_t* s) {
  *s = nullptr;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t) { return cudaSuccess; }
cudaError_t cudaEventCreate(cudaEvent_t* e) {
  *e = reinterpret_cast<cudaEvent_t>(new double(0));
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  delete time_at(e);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) {
  *time_at(e) = std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  *milliseconds = static_cast<float>(1e3 * (*time_at(end) - *time_at(start)));
  return cudaSuccess;
}

cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode) {
  captured = std::make_unique<graph>();
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t* g) {
  *g = reinterpret_cast<cudaGraph_t>(captured.release());
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* ready, cudaGraph_t g, unsigned long long) {
  *ready = reinterpret_cast<cudaGraphExec_t>(g);
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t ready, cudaStream_t) {
  for (auto const& work : *reinterpret_cast<graph const*>(ready)) work();
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t) { return cudaSuccess; }
cudaError_t cudaGraphDestroy(cudaGraph_t g) {
  delete reinterpret_cast<graph*>(g);
  return cudaSuccess;
}
}
