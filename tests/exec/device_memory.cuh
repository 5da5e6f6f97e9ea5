#pragma once

// What the programs that compare a CUDA device with the host have in common.

#include <sage/core/accumulator.hpp>
#include <sage/core/index.hpp>

#include <cuda_runtime.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace device_memory {

inline int failures = 0;
inline void expect(bool holds, std::string const& what) {
  if (holds) return;
  ++failures;
  std::printf("failed: %s\n", what.c_str());
}
inline void require(cudaError_t e) {
  if (e == cudaSuccess) return;
  std::printf("failed: %s\n", cudaGetErrorString(e));
  std::exit(1);
}

template <class F>
std::string message_of(F const& f) {
  try {
    f();
  } catch (std::exception const& e) {
    return e.what();
  }
  return "nothing was thrown";
}

/// n numbers from −1 to 1.
template <class T>
std::vector<T> numbers(sage::index_t n, std::uint64_t seed) {
  std::vector<T> v;
  std::uint64_t state = seed * 2654435761u + 1;
  for (sage::index_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v.push_back(static_cast<T>(static_cast<float>(static_cast<double>(state >> 40) / (1 << 23) - 1)));
  }
  return v;
}

/// The same numbers on both sides.
template <class T>
struct both {
  std::vector<T> host;
  T* device = nullptr;

  explicit both(std::vector<T> values) : host(std::move(values)) {
    require(cudaMalloc(&device, host.size() * sizeof(T) + 1));
    require(cudaMemcpy(device, host.data(), host.size() * sizeof(T), cudaMemcpyHostToDevice));
  }
  both(both const&) = delete;
  both& operator=(both const&) = delete;
  ~both() { static_cast<void>(cudaFree(device)); }

  /// Nothing that anybody computes.
  void spoil() const { require(cudaMemset(device, 0xff, host.size() * sizeof(T))); }
  std::vector<T> computed() const {
    std::vector<T> r(host.size());
    require(cudaMemcpy(r.data(), device, r.size() * sizeof(T), cudaMemcpyDeviceToHost));
    return r;
  }
};

/// ‖x − expected‖ / ‖expected‖; of an expected zero ‖x‖.
template <class T>
double relative_error(std::vector<T> const& x, std::vector<T> const& expected) {
  double difference = 0, norm = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    auto const a = static_cast<double>(static_cast<sage::accumulator_t<T>>(x[i])),
               b = static_cast<double>(static_cast<sage::accumulator_t<T>>(expected[i]));
    difference += (a - b) * (a - b);
    norm += b * b;
  }
  return std::sqrt(norm > 0 ? difference / norm : difference);
}
template <class T>
bool same_bits(std::vector<T> const& x, std::vector<T> const& y) {
  return std::memcmp(x.data(), y.data(), x.size() * sizeof(T)) == 0;
}

/// Captures work(stream) into a graph and runs it twice; check() looks at what each run leaves.
template <class Work, class Check>
void replay(Work const& work, Check const& check) {
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  require(cudaStreamCreate(&stream));
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  work(stream);
  require(cudaStreamEndCapture(stream, &graph));
  require(cudaGraphInstantiate(&ready, graph, 0));
  for (int run = 0; run < 2; ++run) {
    require(cudaGraphLaunch(ready, stream));
    require(cudaStreamSynchronize(stream));
    check();
  }
  require(cudaGraphExecDestroy(ready));
  require(cudaGraphDestroy(graph));
  require(cudaStreamDestroy(stream));
}

/// The program's status: that of skipped tests where there is no device, else whether compare() found all right.
template <class Compare>
int run(Compare const& compare) {
  int devices = 0;
  if (auto const e = cudaGetDeviceCount(&devices); e != cudaSuccess || devices == 0) {
    std::printf("skipped: %s\n", e != cudaSuccess ? cudaGetErrorString(e) : "no CUDA device");
    return 77;
  }
  compare();
  if (failures == 0) std::printf("all agree\n");
  return failures == 0 ? 0 : 1;
}

}  // namespace device_memory
