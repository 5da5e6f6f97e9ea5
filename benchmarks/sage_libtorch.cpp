#include "sage_adapted.hpp"

#include <sage/framework/libtorch/consistency_loss.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>

#include <ATen/Parallel.h>
#include <ATen/ops/from_blob.h>
#include <torch/csrc/autograd/autograd.h>

namespace {

/// Inside LibTorch: forward and autograd through the library's differentiable functions.
void add_autograd(bench::providers& list, bench::batch<float>& b) {
  struct state {
    std::vector<std::vector<at::Tensor>> inputs;
    std::vector<at::Tensor> gradients;
    at::Tensor value;
  };
  auto const made = std::make_shared<state>();
  for (auto const& set : b.sets) {
    made->inputs.emplace_back();
    for (auto const& x : set.inputs)
      made->inputs.back().push_back(
          at::from_blob(const_cast<float*>(x.data), {x.rows, x.columns}, at::kFloat).set_requires_grad(true));
  }
  bool const is_triplet = b.what.loss == bench::loss::triplet;
  bench::provider p{
      .name = "sage in LibTorch", .run = [made, is_triplet](std::size_t s) {
        auto const& x = made->inputs[s];
        made->value = is_triplet ? sage::libtorch::triplet_margin_loss(x[0], x[1], x[2], bench::sage_triplet)
                                 : sage::libtorch::consistency_loss(x[0], x[1], bench::sage_consistency);
        made->gradients = torch::autograd::grad({made->value}, x);
      }};
  p.value = [made] { return made->value.item<double>(); };
  p.store = [made, &b](std::size_t s) {
    for (std::size_t k = 0; k < made->gradients.size(); ++k) {
      auto const& to = b.sets[s].outputs[k];
      at::from_blob(to.data, {to.rows, to.columns}, at::kFloat).copy_(made->gradients[k]);
    }
  };
  p.before = [] { at::set_num_threads(1); };
  list.push_back(std::move(p));
}

}  // namespace

void bench::add_sage_libtorch(providers& list, batch<float>& b) {
  add_adapted(list, "sage via at::Tensor", b, [](auto const& x) {
    return at::from_blob(const_cast<float*>(x.data), {x.rows, x.columns}, at::kFloat);
  });
  bool const has_function = b.what.loss == loss::triplet || b.what.loss == loss::consistency;
  if (has_function && b.what.mode == mode::value_and_grad && b.what.family.empty()) add_autograd(list, b);
}
