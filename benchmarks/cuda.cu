// Losses on a CUDA device: value and all gradients, float, beside a copy of as many bytes in the same run.
//
//   sage_bench_cuda [results.json]
//
// A call is captured into a graph and replayed, so that what is timed is the device: `us` is the median over batches of
// replays, `+- %` their coefficient of variation. `copy` is the time that cudaMemcpyAsync takes to read and write
// together as many bytes as the loss must read and write, `limit` its share of the loss's time: small batches, both, find
// their data in the cache.

#include <sage/exec/cuda.cuh>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/tensor/device_view.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using sage::index_t;

void require(cudaError_t e) {
  if (e == cudaSuccess) return;
  std::fprintf(stderr, "%s\n", cudaGetErrorString(e));
  std::exit(1);
}

template <class T>
struct device_array {
  T* data = nullptr;
  explicit device_array(index_t n) { require(cudaMalloc(&data, static_cast<std::size_t>(n) * sizeof(T))); }
  device_array(device_array const&) = delete;
  device_array& operator=(device_array const&) = delete;
  ~device_array() { static_cast<void>(cudaFree(data)); }

  void set(std::vector<T> const& x) {
    require(cudaMemcpy(data, x.data(), x.size() * sizeof(T), cudaMemcpyDefault));
  }
};

std::vector<float> numbers(index_t n, std::uint64_t seed) {
  std::vector<float> v;
  std::uint64_t state = seed * 2654435761u + 1;
  for (index_t i = 0; i < n; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    v.push_back(static_cast<float>(static_cast<double>(state >> 40) / (1 << 23) - 1));
  }
  return v;
}

struct timing {
  double microseconds, variation;  // median, in percent
};

/// What `work(stream)` takes on the device.
template <class Work>
timing time_of(Work const& work) {
  constexpr int batches = 21;
  cudaStream_t stream;
  cudaGraph_t graph;
  cudaGraphExec_t ready;
  cudaEvent_t start, end;
  require(cudaStreamCreate(&stream));
  require(cudaEventCreate(&start));
  require(cudaEventCreate(&end));
  require(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  work(stream);
  require(cudaStreamEndCapture(stream, &graph));
  require(cudaGraphInstantiate(&ready, graph, 0));
  auto const replay = [&](int times) {
    float milliseconds = 0;
    require(cudaEventRecord(start, stream));
    for (int i = 0; i < times; ++i) require(cudaGraphLaunch(ready, stream));
    require(cudaEventRecord(end, stream));
    require(cudaEventSynchronize(end));
    require(cudaEventElapsedTime(&milliseconds, start, end));
    return 1e3 * milliseconds / times;
  };
  replay(10);
  int const times = std::clamp(static_cast<int>(2e3 / replay(10)), 5, 200);  // some 2 ms
  std::vector<double> all;
  for (int b = 0; b < batches; ++b) all.push_back(replay(times));
  double mean = 0, squares = 0;
  for (double const t : all) mean += t / batches;
  for (double const t : all) squares += (t - mean) * (t - mean) / (batches - 1);
  std::nth_element(all.begin(), all.begin() + batches / 2, all.end());
  require(cudaGraphExecDestroy(ready));
  require(cudaGraphDestroy(graph));
  require(cudaEventDestroy(start));
  require(cudaEventDestroy(end));
  require(cudaStreamDestroy(stream));
  return {all[batches / 2], 100 * std::sqrt(squares) / mean};
}

struct shape {
  index_t rows, length;
};
constexpr shape embeddings[] = {{32, 128}, {256, 512}, {256, 2048}, {4096, 2048}, {262144, 128}};
constexpr shape logits[] = {{32, 2},     {256, 2},     {256, 10},     {1048576, 10},
                            {256, 1000}, {4096, 1000}, {65536, 1000}, {64, 50000}};

std::string json;

/// `call(executor, x, labels, g, into)` evaluates a loss of `operands` operands x[0], x[1], … with gradients g[0], ….
template <class Call>
void measure(char const* name, shape const& s, int operands, Call const& call) {
  index_t const n = s.rows * s.length;
  device_array<float> x0(n), x1(n), x2(n), g0(n), g1(n), g2(n);
  x0.set(numbers(n, 1));
  x1.set(numbers(n, 2));
  x2.set(numbers(n, 3));
  std::vector<int> y;
  for (index_t i = 0; i < s.rows; ++i) y.push_back(static_cast<int>(i % s.length));
  device_array<int> labels(s.rows);
  labels.set(y);
  device_array<sage::loss_result<float>> result(1);
  index_t const bytes_of_workspace = sage::exec::cuda_workspace_bytes(s.rows);
  device_array<unsigned char> workspace(bytes_of_workspace);
  auto const view = [&](device_array<float>& a) { return sage::device_view(a.data, s.rows, s.length); };
  timing const t = time_of([&](cudaStream_t stream) {
    call(sage::exec::cuda{stream, {workspace.data, bytes_of_workspace}}, view(x0), view(x1), view(x2),
         sage::device_view(labels.data, s.rows), view(g0), view(g1), view(g2), sage::into(result.data));
  });
  // Reads and writes of all operands and gradients: a copy reads one half of them and writes the other.
  index_t const half = operands * n * static_cast<index_t>(sizeof(float));
  device_array<unsigned char> from(half), to(half);
  timing const copy = time_of([&](cudaStream_t stream) {
    require(cudaMemcpyAsync(to.data, from.data, static_cast<std::size_t>(half), cudaMemcpyDeviceToDevice,
                            stream));
  });
  double const per_second = 1e6 / t.microseconds;
  std::string const what =
      std::string(name) + "/value_and_grad/float/" + std::to_string(s.rows) + "x" + std::to_string(s.length);
  std::printf("%-52s %10.2f %6.1f %10.1f %10.1f %10.2f %6.0f %%\n", what.c_str(), t.microseconds, t.variation,
              static_cast<double>(s.rows) * per_second / 1e6,
              2.0 * static_cast<double>(half) * per_second / 1e9, copy.microseconds,
              100 * copy.microseconds / t.microseconds);
  json += std::string(json.empty() ? "" : ",\n") + "    {\"name\": \"" + what +
          "\", \"real_time\": " + std::to_string(t.microseconds) +
          ", \"time_unit\": \"us\", \"copy_time\": " + std::to_string(copy.microseconds) + "}";
}

}  // namespace

int main(int argc, char** argv) {
  int devices = 0;
  if (auto const e = cudaGetDeviceCount(&devices); e != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "%s\n", e != cudaSuccess ? cudaGetErrorString(e) : "no CUDA device");
    return 77;
  }
  cudaDeviceProp device;
  require(cudaGetDeviceProperties(&device, 0));
  std::printf("%s, compute capability %d.%d\n%-52s %10s %6s %10s %10s %10s %8s\n", device.name, device.major,
              device.minor, "", "us", "+- %", "Mrows/s", "GB/s", "copy us", "limit");
  for (shape const& s : embeddings)
    measure("triplet", s, 3,
            [](auto const& e, auto a, auto p, auto n, auto, auto d_a, auto d_p, auto d_n, auto into) {
              sage::triplet_margin_loss<>{.margin = 2}.value_and_grad(e, a, p, n, d_a, d_p, d_n, into);
            });
  for (shape const& s : logits)
    measure("consistency", s, 2,
            [](auto const& e, auto z, auto other, auto, auto, auto d_z, auto d_other, auto, auto into) {
              sage::consistency_loss<>{}.value_and_grad(e, z, other, d_z, d_other, into);
            });
  for (shape const& s : logits)
    measure("cross_entropy", s, 1,
            [](auto const& e, auto z, auto, auto, auto y, auto d_z, auto, auto, auto into) {
              sage::cross_entropy_loss{}.value_and_grad(e, z, y, d_z, into);
            });
  if (argc > 1) {
    std::FILE* const file = std::fopen(argv[1], "w");
    if (file == nullptr) {
      std::fprintf(stderr, "%s cannot be written\n", argv[1]);
      return 1;
    }
    std::fprintf(file,
                 "{\n  \"context\": {\"processor\": \"%s\", \"compiler\": \"%s\", \"commit\": \"%s\"},\n",
                 device.name, SAGE_BENCH_COMPILER, SAGE_BENCH_COMMIT);
    std::fprintf(file, "  \"benchmarks\": [\n%s\n  ]\n}\n", json.c_str());
    std::fclose(file);
  }
  return 0;
}
