// The principal kernels, one call each, for callgrind to count: what is inside `measured` is one value_and_grad, warmed
// up. Prints the instruction set in use, then the names of the kernels in the order of the calls.

#include "reference/batch.hpp"

#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <cstdio>
#include <string>
#include <vector>

namespace {

using sage::index_t;

struct kernel {
  virtual ~kernel() = default;
  virtual void run() = 0;
};

/// A batch of `operands` matrices of normal numbers and as many gradients, and the call on it.
template <class Call>
struct kernel_of final : kernel {
  std::vector<std::vector<float>> x, g;
  std::vector<int> labels;
  Call call;

  kernel_of(std::vector<index_t> const& sizes, index_t rows, index_t classes, Call const& c) : call(c) {
    std::uint64_t seed = 1;
    for (index_t const n : sizes) x.push_back(reference::to<float>(reference::normal_values(n, seed++)));
    g = x;
    for (index_t i = 0; i < rows; ++i) labels.push_back(static_cast<int>(i % classes));
  }
  void run() override { call(x, g, labels); }
};

}  // namespace

extern "C" __attribute__((noinline)) void measured(kernel& k) { k.run(); }

namespace {

template <class Call>
void count(std::string const& name, std::vector<index_t> const& sizes, index_t rows, index_t classes,
           Call const& call) {
  kernel_of<Call> k(sizes, rows, classes, call);
  k.run();
  measured(k);
  std::puts(name.c_str());
}

}  // namespace

int main() {
  using enum sage::exec::isa;
  sage::exec::isa const level = sage::exec::best_isa();
  std::puts(level == avx512 ? "avx512" : level == avx2 ? "avx2" : "sse2");

  struct shape {  // Clang captures no structured bindings
    index_t rows, length;
  };
  for (shape const s : {shape{64, 512}, shape{16, 2048}}) {
    index_t const size = s.rows * s.length;
    count("triplet " + std::to_string(s.rows) + "x" + std::to_string(s.length), {size, size, size}, s.rows, 1,
          [s](auto& x, auto& g, auto&) {
            auto const of = [s](auto& v) {
              return sage::strided_view{v.data(), sage::extents{s.rows, s.length}};
            };
            sage::triplet_margin_loss<>{.margin = 1}.value_and_grad(of(x[0]), of(x[1]), of(x[2]), of(g[0]),
                                                                    of(g[1]), of(g[2]));
          });
  }
  for (shape const s : {shape{64, 1000}, shape{256, 10}, shape{256, 2}}) {
    index_t const size = s.rows * s.length;
    count("consistency " + std::to_string(s.rows) + "x" + std::to_string(s.length), {size, size}, s.rows,
          s.length, [s](auto& x, auto& g, auto&) {
            auto const of = [s](auto& v) {
              return sage::strided_view{v.data(), sage::extents{s.rows, s.length}};
            };
            sage::consistency_loss<>{}.value_and_grad(of(x[0]), of(x[1]), of(g[0]), of(g[1]));
          });
  }
  count("cross_entropy 64x1000", {64000}, 64, 1000, [](auto& x, auto& g, auto& labels) {
    auto const of = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{64, 1000}}; };
    sage::cross_entropy_loss{}.value_and_grad(of(x[0]), labels, of(g[0]));
  });
  count("sage 64x(512,5)", {320, 320, 320, 32768, 32768, 32768}, 64, 5, [](auto& x, auto& g, auto& labels) {
    auto const logits = [](auto& v) { return sage::strided_view{v.data(), sage::extents{64, 5}}; };
    auto const embeddings = [](auto& v) { return sage::strided_view{v.data(), sage::extents{64, 512}}; };
    sage::sage_loss<>{}.value_and_grad(sage::views(logits(x[0]), logits(x[1]), logits(x[2])),
                                       sage::views(embeddings(x[3]), embeddings(x[4]), embeddings(x[5])),
                                       labels, sage::views(logits(g[0]), logits(g[1]), sage::skip),
                                       sage::views(embeddings(g[3]), embeddings(g[4]), embeddings(g[5])));
  });
  count("blur pair 1x3x64x64", {3 * 64 * 64, 3 * 64 * 64, 64 * 64}, 1, 1, [](auto& x, auto& g, auto&) {
    auto const image = [](auto& v) { return sage::strided_view{v.data(), sage::extents{1, 3, 64, 64}}; };
    sage::saliency_pair{sage::gaussian_blur{.sigma = 4}}(
        image(x[0]), sage::strided_view{x[2].data(), sage::extents{1, 64, 64}}, image(g[0]), image(g[1]));
  });
}
