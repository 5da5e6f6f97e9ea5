// Losses on a CUDA device against the same evaluation on the host (exec/emulated.hpp), which other tests hold to the
// definitions: in every layout of the policy both agree to rounding. Without a device nothing is tested: exit code 77.

#include "exec/device_memory.cuh"

#include <sage/exec/cuda.cuh>
#include <sage/exec/emulated.hpp>
#include <sage/formula/bernoulli_divergence.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/tensor/device_view.hpp>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

using sage::index_t;

// nvcc and the host's compiler must divide rows alike.
template <class Formula, class T>
constexpr int width_of = sage::exec::detail::chunk_width<sage::exec::batch_problem<Formula, T>>;
using triplet = sage::triplet_formula<sage::euclidean, false>;
static_assert(width_of<triplet, float> == 4 && width_of<triplet, double> == 2 &&
              width_of<triplet, __half> == 8);
static_assert(width_of<sage::bernoulli_divergence<sage::jensen_shannon>, float> == 1);
static_assert(width_of<sage::cross_entropy_formula, float> == 1);
static_assert(sage::exec::detail::may_be_invalid<sage::exec::batch_row<float>>);

using namespace device_memory;

template <class T>
auto on_host(both<T>& x, index_t rows, index_t length) {
  return sage::strided_view{x.host.data(), sage::extents{rows, length}};
}
template <class T>
auto on_device(both<T> const& x, index_t rows, index_t length) {
  return sage::device_view(x.device, rows, length);
}

/// The rounding of an element type, or of its accumulator.
template <class T>
double tolerance() {
  if (sizeof(T) == 2) return std::is_same_v<T, __half> ? 2e-3 : 2e-2;
  return sizeof(T) == 4 ? 2e-5 : 1e-13;
}

struct shape {
  index_t rows, length;
};
// A thread, a warp, a block that keeps, a block, several blocks to a row; the last lengths are no multiples of anything.
constexpr shape shapes[] = {{70000, 3}, {70000, 10}, {300, 10}, {300, 129}, {8, 1100}, {8, 3001}, {2, 40001}};

/// `call(executor, operands, labels, gradient, into)` evaluates a loss.
template <class T, class Call>
void compare(char const* name, Call const& call) {
  using A = sage::accumulator_t<T>;
  for (auto const [rows, length] : shapes) {
    std::string const what =
        std::string(name) + " of " + std::to_string(rows) + " x " + std::to_string(length);
    std::vector<int> y;
    for (index_t i = 0; i < rows; ++i) y.push_back(static_cast<int>(i % length));
    both<T> a(numbers<T>(rows * length, 1)), b(numbers<T>(rows * length, 2)), c(numbers<T>(rows * length, 3)),
        g(numbers<T>(rows * length, 4));
    both<int> labels(y);
    both<sage::loss_result<A>> result(std::vector<sage::loss_result<A>>(1));
    call(sage::exec::emulated_device<>{}, on_host(a, rows, length), on_host(b, rows, length),
         on_host(c, rows, length), sage::strided_view{labels.host.data(), sage::extents{rows}},
         on_host(g, rows, length), sage::into(result.host.data()));
    auto const work = [&](sage::exec::cuda const& executor) {
      call(executor, on_device(a, rows, length), on_device(b, rows, length), on_device(c, rows, length),
           sage::device_view(labels.device, rows), on_device(g, rows, length), sage::into(result.device));
    };
    work({});
    require(cudaDeviceSynchronize());
    auto const first = result.computed()[0];
    expect(std::abs(first.value - result.host[0].value) <= tolerance<A>() * std::abs(result.host[0].value),
           what + ": value");
    expect(first.non_finite == 0 && first.active == result.host[0].active, what + ": counts");
    auto const gradient = g.computed();
    expect(relative_error(gradient, g.host) <= tolerance<T>(), what + ": gradient");

    // The same call captured into a graph, with a workspace of ours: the same bits.
    both<unsigned char> memory(
        std::vector<unsigned char>(static_cast<std::size_t>(sage::exec::cuda_workspace_bytes(rows))));
    result.spoil();
    g.spoil();
    replay(
        [&](cudaStream_t stream) {
          work({stream, {memory.device, static_cast<index_t>(memory.host.size())}});
        },
        [&] {
          auto const again = result.computed()[0];
          auto const gradient_again = g.computed();
          expect(std::memcmp(&again.value, &first.value, sizeof again.value) == 0,
                 what + ": value of a graph");
          expect(std::memcmp(gradient_again.data(), gradient.data(), gradient.size() * sizeof(T)) == 0,
                 what + ": gradient of a graph");
          result.spoil();
          g.spoil();
        });
  }
}

template <class T>
void compare_triplets(char const* name) {
  sage::triplet_margin_loss<> const loss{.margin = 2};
  compare<T>(name, [&](auto const& e, auto a, auto p, auto n, auto, auto g, auto into) {
    loss.value_and_grad(e, a, p, n, g, sage::skip, sage::skip, into);
  });
}

/// The complete loss: all terms and all gradients, then the same from a graph, with a workspace of ours.
void compare_complete_loss() {
  struct {
    index_t rows, classes, length;
  } constexpr batches[] = {{70000, 3, 16}, {300, 10, 129}, {8, 1100, 3001}, {8, 3000, 40}};
  sage::sage_loss<> const loss{.temperature = 2, .label_smoothing = 0.1, .triplet_weight = 2};
  for (auto const [rows, classes, length] : batches) {
    std::string const what = "sage_loss of " + std::to_string(rows) + " x (" + std::to_string(classes) +
                             ", " + std::to_string(length) + ")";
    both<float> z(numbers<float>(3 * rows * classes, 1)), e(numbers<float>(3 * rows * length, 2)),
        dz(numbers<float>(3 * rows * classes, 3)), de(numbers<float>(3 * rows * length, 4));
    std::vector<int> y, w;
    for (index_t i = 0; i < rows; ++i) {
      y.push_back(i % 7 == 3 ? -100 : static_cast<int>(i % classes));
      w.push_back(i % 5 != 1);
    }
    both<int> labels(y), weights(w);
    both<sage::sage_result<float>> result(std::vector<sage::sage_result<float>>(1));
    auto const on_host = [n = rows](float* x, index_t columns) {
      auto const part = [=](int k) {
        return sage::strided_view{x + k * n * columns, sage::extents{n, columns}};
      };
      return sage::views(part(0), part(1), part(2));
    };
    auto const on_device = [n = rows](float* x, index_t columns) {
      auto const part = [=](int k) { return sage::device_view(x + k * n * columns, n, columns); };
      return sage::views(part(0), part(1), part(2));
    };
    loss.value_and_grad(sage::exec::emulated_device<>{}, on_host(z.host.data(), classes),
                        on_host(e.host.data(), length), labels.host, on_host(dz.host.data(), classes),
                        on_host(de.host.data(), length), sage::weights(weights.host),
                        sage::into(result.host.data()));
    auto const call = [&](sage::exec::cuda const& executor) {
      loss.value_and_grad(executor, on_device(z.device, classes), on_device(e.device, length),
                          sage::device_view(labels.device, rows), on_device(dz.device, classes),
                          on_device(de.device, length),
                          sage::weights(sage::device_view(weights.device, rows)), sage::into(result.device));
    };
    call({});
    require(cudaDeviceSynchronize());
    auto const r = result.computed()[0], s = result.host[0];
    auto const agrees = [&](float x, float expected, char const* term) {
      expect(std::abs(x - expected) <= tolerance<float>() * std::abs(expected), what + ": " + term);
    };
    agrees(r.value, s.value, "value");
    agrees(r.classification, s.classification, "classification");
    agrees(r.positive_classification, s.positive_classification, "positive classification");
    agrees(r.triplet, s.triplet, "triplet");
    agrees(r.consistency, s.consistency, "consistency");
    expect(r.active == s.active && r.non_finite == 0, what + ": counts");
    auto const of_logits = dz.computed(), of_embeddings = de.computed();
    expect(relative_error(of_logits, dz.host) <= tolerance<float>(), what + ": gradient of the logits");
    expect(relative_error(of_embeddings, de.host) <= tolerance<float>(),
           what + ": gradient of the embeddings");

    both<unsigned char> memory(
        std::vector<unsigned char>(static_cast<std::size_t>(sage::exec::cuda_workspace_bytes(rows))));
    auto const spoil = [&] {
      result.spoil();
      dz.spoil();
      de.spoil();
    };
    spoil();
    replay(
        [&](cudaStream_t stream) {
          call({stream, {memory.device, static_cast<index_t>(memory.host.size())}});
        },
        [&] {
          auto const again = result.computed()[0];
          expect(std::memcmp(&again.value, &r.value, sizeof again.value) == 0, what + ": value of a graph");
          expect(dz.computed() == of_logits && de.computed() == of_embeddings,
                 what + ": gradients of a graph");
          spoil();
        });
  }
}

void refuse_mistakes() {
  both<float> x(numbers<float>(12, 1));
  both<sage::loss_result<float>> result(std::vector<sage::loss_result<float>>(1));
  sage::consistency_loss<> const loss;
  auto const host_memory = sage::device_view(x.host.data(), 3, 4), rows = on_device(x, 3, 4);
  auto const text =
      message_of([&] { loss(sage::exec::cuda{}, rows, host_memory, sage::into(result.device)); });
  expect(text.starts_with("consistency_loss: other logits is no memory of a CUDA device: "), text);
  auto const small = message_of([&] {
    loss(sage::exec::cuda{.workspace = {x.device, 4}}, rows, rows, sage::into(result.device));
  });
  expect(small.starts_with("sage::exec::cuda: the workspace has 4 bytes, expected "), small);
  both<int> labels(std::vector<int>{0, 9, 3});
  sage::cross_entropy_loss{}(sage::exec::cuda{}, rows, sage::device_view(labels.device, 3),
                             sage::into(result.device));
  expect(std::isnan(result.computed()[0].value) && result.computed()[0].non_finite == 1,
         "a label that is no class");
}

}  // namespace

int main() {
  return run([] {
    compare_triplets<float>("triplet_margin_loss");
    compare_triplets<__half>("triplet_margin_loss of halves");
    compare_triplets<__nv_bfloat16>("triplet_margin_loss of bfloat16");
    sage::consistency_loss<> const consistency{.temperature = 2};
    compare<float>("consistency_loss", [&](auto const& e, auto z, auto other, auto, auto, auto g, auto into) {
      consistency.value_and_grad(e, z, other, g, sage::skip, into);
    });
    sage::cross_entropy_loss const cross_entropy{.label_smoothing = 0.1};
    compare<float>("cross_entropy_loss", [&](auto const& e, auto z, auto, auto, auto y, auto g, auto into) {
      cross_entropy.value_and_grad(e, z, y, g, into);
    });
    compare_complete_loss();
    refuse_mistakes();
  });
}
