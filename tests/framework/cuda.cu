#include "exec/device_memory.cuh"
#include "framework/far_away.hpp"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAGraph.h>
#include <torch/csrc/autograd/autograd.h>

#include <sage/framework/libtorch/binary_cross_entropy_loss.hpp>
#include <sage/framework/libtorch/consistency_loss.hpp>
#include <sage/framework/libtorch/cross_entropy_loss.hpp>
#include <sage/framework/libtorch/sage_loss.hpp>
#include <sage/framework/libtorch/saliency.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>

#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

// The functions of sage::libtorch in a source that nvcc compiles. Without a GPU: tensors of the CPU are worked as ever, and
// mistakes are told; then the program says that it skipped the rest, by its status 77. With one: what CUDA tensors give is
// what the CPU gives, on the current stream and in a graph.

static_assert(SAGE_LIBTORCH_HAS_CUDA);

namespace {

using tensors = std::vector<at::Tensor>;
namespace st = sage::libtorch;

using device_memory::expect;
using device_memory::failures;
using device_memory::message_of;

at::Tensor rows(std::int64_t n, std::int64_t length, at::ScalarType type = at::kFloat) {
  return at::randn({n, length}, at::TensorOptions().dtype(at::kDouble)).to(type);
}

double relative_error(at::Tensor const& x, at::Tensor const& expected) {
  auto const e = expected.detach().to(at::kDouble);
  return ((x.detach().cpu().to(at::kDouble) - e).norm() / e.norm()).item<double>();
}

// Roundings of sums in another order, and of another exp; a half is rounded to one or to its neighbour.
double tolerance(at::ScalarType type) {
  if (type == at::kDouble) return 1e-12;
  return type == at::kFloat ? 1e-5 : type == at::kHalf ? 2e-3 : 2e-2;
}

/// f on the device against f on the CPU, value and gradients.
template <class F>
void compare(std::string const& name, F const& f, tensors const& inputs) {
  tensors x, y;
  for (auto const& t : inputs) {
    x.push_back(t.detach().requires_grad_());
    y.push_back(t.detach().cuda().requires_grad_());
  }
  auto const expected = f(x), computed = f(y);
  double const limit = tolerance(expected.scalar_type());
  expect(computed.is_cuda() && computed.scalar_type() == expected.scalar_type(),
         name + ": the value's place");
  expect(relative_error(computed, expected) <= limit, name + ": value");
  auto const upstream = at::rand_like(expected) + 0.5;
  auto const e = torch::autograd::grad(tensors{expected}, x, tensors{upstream}),
             g = torch::autograd::grad(tensors{computed}, y, tensors{upstream.cuda()});
  for (std::size_t k = 0; k < e.size(); ++k)
    expect(g[k].is_cuda() && relative_error(g[k], e[k]) <= limit, name + ": gradient " + std::to_string(k));
}

at::Tensor beside(at::Tensor const& t, at::Tensor const& x) { return t.to(x.device()); }

// All losses of rows go one way, of which these are the forks: the compiler takes ten seconds for each.
void compare_losses() {
  for (auto const type : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16})
    for (std::int64_t const length : {3, 40, 1030, 40001}) {
      std::string const what = std::string(c10::toString(type)) + " of length " + std::to_string(length);
      compare("triplet_margin_loss " + what,
              [](tensors const& t) {
                return st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 99, .swap = true});
              },
              {rows(6, length, type), rows(6, length, type), rows(6, length, type)});
      compare("consistency_loss " + what,
              [](tensors const& t) { return st::consistency_loss_per_sample(t[0], t[1]); },
              {rows(6, length, type), rows(6, length, type)});
    }
  auto const labels = at::tensor({0, 2, 1, 3, 1, 0}, at::kInt);
  auto const weights = at::tensor({1.0, 0.0, 0.5, 2.0, 1.0, 0.25}, at::kDouble);
  compare("strided operands",
          [&](tensors const& t) {
            return st::triplet_margin_loss(t[0].t(), t[1], t[2], {}, beside(weights, t[0]));
          },
          {rows(33, 6), rows(6, 33), rows(1, 33).expand({6, 33})});
  compare("cross_entropy_loss",
          [&](tensors const& t) {
            return st::cross_entropy_loss(t[0], beside(labels, t[0]), {.ignore_index = 3},
                                          beside(weights, t[0]));
          },
          {rows(6, 4)});
  auto const class_weights = at::tensor({1.0, 0.5, 2.0, 0.25}, at::kDouble);
  compare("cross_entropy_loss of probabilities, with class weights",
          [&](tensors const& t) {
            return st::cross_entropy_loss(t[0], t[1], {}, {}, beside(class_weights, t[0]));
          },
          {rows(6, 4), rows(6, 4).softmax(-1)});
  compare("binary_cross_entropy_loss",
          [&](tensors const& t) {
            return st::binary_cross_entropy_loss(t[0], t[1], {}, {}, beside(weights.unsqueeze(1), t[0]));
          },
          {rows(6, 4), rows(6, 4).sigmoid()});
  sage::sage_loss<sage::euclidean, sage::jensen_shannon, sage::repel<>> const options{.margin = 1,
                                                                                      .temperature = 2};
  compare("sage_loss",
          [&](tensors const& t) {
            auto const r = st::sage_loss(t[0], t[1], t[2], t[3], t[4], t[5], beside(labels, t[0]), options,
                                         beside(weights, t[0]));
            expect(r.active.device() == t[0].device() && r.active.item<std::int64_t>() > 0,
                   "active triplets");
            return r.total;
          },
          {rows(6, 4), rows(6, 4), rows(6, 4), rows(6, 9), rows(6, 9), rows(6, 9)});
}

void compare_augmentation() {
  for (auto const format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    auto const images = at::rand({2, 3, 40, 36}).contiguous(format), maps = at::rand({2, 20, 18});
    auto const prepared = st::prepare_saliency(maps, 40, 36),
               on_device = st::prepare_saliency(maps.cuda(), 40, 36);
    expect(relative_error(on_device.maps, prepared.maps) < 1e-5, "prepare_saliency: maps");
    expect(at::equal(on_device.weights.cpu(), prepared.weights), "prepare_saliency: weights");
    sage::saliency_pair<> const pair{.degradation = {.sigma = 2}};
    auto const expected = st::saliency_pair(images, prepared.maps, pair),
               computed = st::saliency_pair(images.cuda(), on_device.maps, pair);
    expect(computed.plus.strides() == images.strides(), "saliency_pair: memory format");
    expect(relative_error(computed.plus, expected.plus) < 1e-5, "saliency_pair: plus");
    expect(relative_error(computed.minus, expected.minus) < 1e-5, "saliency_pair: minus");
  }
}

/// What is launched stands on the current stream, where a graph captures it.
void replay_graph() {
  auto const a = rows(64, 40).cuda(), p = rows(64, 40).cuda(), n = rows(64, 40).cuda();
  auto x = a.clone().requires_grad_();
  c10::cuda::getCurrentCUDAStream().synchronize();  // the stream below waits for no other
  auto const evaluate = [&] {
    auto const value = st::triplet_margin_loss(x, p, n);
    return std::pair{value, torch::autograd::grad(tensors{value}, tensors{x})[0]};
  };
  auto const stream = c10::cuda::getStreamFromPool();
  c10::cuda::CUDAStreamGuard const on(stream);
  auto const [value, gradient] = evaluate();
  at::cuda::CUDAGraph graph;
  graph.capture_begin();
  auto const [v, g] = evaluate();
  graph.capture_end();
  {
    at::NoGradGuard const no_graph;
    x.copy_(2 * a);
  }
  graph.replay();
  stream.synchronize();
  auto const [expected, expected_gradient] = evaluate();
  expect(at::equal(v, expected) && at::equal(g, expected_gradient),
         "a graph replays the loss of what its tensors hold");
  expect(!at::equal(v, value) && !at::equal(g, gradient), "the captured call is not what was replayed");
}

void without_device() {
  auto const matrix = [](std::initializer_list<double> values) { return at::tensor(values).view({2, 2}); };
  auto const a = matrix({0, 0, 1, 1}).requires_grad_();
  auto const p = matrix({3, 4, 1, 2}), n = matrix({0, 4, 5, 1});
  auto const value = st::triplet_margin_loss(a, p, n, {.margin = 0.2});
  auto const g = torch::autograd::grad(tensors{value}, tensors{a})[0];
  // examples/quickstart.cpp: 0.600, and the gradient of the first row −0.300 0.100
  expect(std::abs(value.item<double>() - 0.6) < 1e-5 && std::abs(g[0][0].item<double>() + 0.3) < 1e-5 &&
             std::abs(g[0][1].item<double>() - 0.1) < 1e-5,
         "tensors of the CPU");

  auto const x = rows(2, 3), far = far_away({2, 3});
  auto const says = [](auto const& f, std::string const& sentence) {
    auto const message = message_of(f);
    expect(message == sentence, message);
  };
  says([&] { st::triplet_margin_loss(far, x, far); },
       "triplet_margin_loss: positive lives on cpu, anchor on cuda:0, expected one device");
  says(
      [&] {
        st::cross_entropy_loss(far, at::tensor({0, 1}));
      },
      "cross_entropy_loss: labels lives on cpu, logits on cuda:0, expected one device");
}

}  // namespace

int main() {
  at::manual_seed(1);
  without_device();
  if (failures > 0) return 1;
  if (c10::cuda::device_count() == 0) {
    auto const message = message_of([] { st::consistency_loss(far_away({2, 3}), far_away({2, 3})); });
    expect(message != "nothing was thrown", "a tensor of a device that is not there");
    std::printf("skipped, but for what needs no device: no CUDA device\n");
    return failures == 0 ? 77 : 1;
  }
  compare_losses();
  compare_augmentation();
  replay_graph();
  if (failures == 0) std::printf("all agree\n");
  return failures == 0 ? 0 : 1;
}
