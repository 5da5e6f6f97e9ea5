// Augmentations on a CUDA device against their emulation on the host (exec/emulated.hpp), which tests/augment/device.cpp
// holds to the host's. Without a device nothing is tested: exit code 77.

#include "exec/device_memory.cuh"

#include <sage/augment/channel_mean.hpp>
#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/saliency_map.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/exec/cuda.cuh>
#include <sage/exec/emulated.hpp>
#include <sage/tensor/device_view.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <vector>

namespace {

using sage::index_t;

using namespace device_memory;

struct size {
  index_t n, c, h, w;
};

/// The same batch on both sides, of numbers from 0 to 1.
template <class T>
struct batch : both<T> {
  size shape;

  batch(size s, std::uint64_t seed) : both<T>(values_of(s, seed)), shape(s) {}

  auto view() {
    return sage::strided_view{this->host.data(), sage::extents{shape.n, shape.c, shape.h, shape.w}};
  }
  auto device_view() const { return sage::device_view(this->device, shape.n, shape.c, shape.h, shape.w); }
  bool same_bits() const { return device_memory::same_bits(this->computed(), this->host); }
  double error() const { return relative_error(this->computed(), this->host); }

 private:
  static std::vector<T> values_of(size s, std::uint64_t seed) {
    std::vector<T> v;
    for (float const x : numbers<float>(s.n * s.c * s.h * s.w, seed))
      v.push_back(static_cast<T>((x + 1) / 2));
    return v;
  }
};

/// A pair and its adjoint in a graph, with a workspace of ours.
template <class T, class Degradation>
void compare(char const* name, Degradation const& degradation, size shape, double tolerance, bool exact) {
  size const of_map{shape.n, 1, shape.h, shape.w};
  batch<T> x(shape, 1), s(of_map, 2), up(shape, 3), down(shape, 4), plus(shape, 5), minus(shape, 6),
      dx(shape, 7), ds(of_map, 8);
  sage::saliency_pair const pair{degradation};
  auto const of_host = sage::exec::emulated_device<>{};
  pair(of_host, x.view(), s.view(), plus.view(), minus.view());
  pair.backward(of_host, up.view(), down.view(), x.view(), s.view(), dx.view(), ds.view());

  sage::image_shape const images{shape.n, shape.c, shape.h, shape.w};
  index_t const bytes = pair.template backward_workspace_bytes<T>(images) + 256;
  both<unsigned char> memory(std::vector<unsigned char>(static_cast<std::size_t>(bytes)));
  std::string const what =
      std::string(name) + " of " + std::to_string(shape.h) + " x " + std::to_string(shape.w);
  auto const spoil = [&] {
    for (auto const* output : {&plus, &minus, &dx, &ds}) output->spoil();
  };
  spoil();
  replay(
      [&](cudaStream_t stream) {
        sage::exec::cuda const executor{stream, {memory.device, bytes}};
        pair(executor, x.device_view(), s.device_view(), plus.device_view(), minus.device_view());
        pair.backward(executor, up.device_view(), down.device_view(), x.device_view(), s.device_view(),
                      dx.device_view(), ds.device_view());
      },
      [&] {
        expect(plus.error() <= tolerance, what + ": x_plus");
        expect(minus.error() <= tolerance, what + ": x_minus");
        expect(dx.error() <= tolerance, what + ": d_images");
        expect(ds.error() <= 100 * tolerance, what + ": d_maps");
        if (exact) expect(plus.same_bits() && minus.same_bits(), what + ": the bits of the host");
        spoil();
      });
}

void compare_pairs() {
  for (size const shape : {size{2, 3, 9, 37}, size{1, 1, 1, 7}, size{2, 3, 224, 224}, size{1, 2, 70, 33}}) {
    for (double const sigma : {0.3, 4.0, 20.0, 40.0})
      compare<float>("gaussian_blur", sage::gaussian_blur{.sigma = sigma}, shape, 2e-6, false);
    compare<__half>("gaussian_blur of halves", sage::gaussian_blur{}, shape, 2e-3, false);
    compare<float>("channel_mean", sage::channel_mean{}, shape, 2e-6, false);
    compare<float>("constant", sage::constant{.value = 0.25}, shape, 2e-6, true);
    compare<float>("gaussian_noise", sage::gaussian_noise{.sigma = 0.5, .seed = 7}, shape, 2e-6, true);
  }
}

void compare_maps() {
  batch<float> in({3, 1, 40, 50}, 1), out({3, 1, 70, 30}, 2), weights({3, 1, 1, 1}, 3);
  sage::saliency_map const map{.smooth_sigma = 2, .strength = 2};
  map.prepare(sage::exec::emulated_device<>{}, in.view(), out.view(), weights.view());
  map.prepare(sage::exec::cuda{}, in.device_view(), out.device_view(), weights.device_view());
  require(cudaDeviceSynchronize());
  expect(out.error() <= 1e-5, "saliency_map: maps");
  expect(weights.same_bits(), "saliency_map: weights");
}

void refuse_host_memory() {
  batch<float> x({1, 1, 4, 4}, 1);
  auto const on_host = sage::device_view(x.host.data(), 1, 1, 4, 4);
  auto const text = message_of(
      [&] { sage::saliency_pair<>{}(sage::exec::cuda{}, x.device_view(), on_host, sage::skip, sage::skip); });
  expect(text.starts_with("saliency_pair: maps is no memory of a CUDA device: "), text);
}

}  // namespace

int main() {
  return run([] {
    compare_pairs();
    compare_maps();
    refuse_host_memory();
  });
}
