#pragma once

#include "provider.hpp"

#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/tensor/gradient.hpp>

#include <memory>
#include <utility>

namespace bench {

/// The losses with the options of all providers.
inline constexpr sage::triplet_margin_loss<> sage_triplet{.margin = margin};
inline constexpr sage::consistency_loss<> sage_consistency{.temperature = temperature};
inline constexpr sage::cross_entropy_loss sage_cross_entropy{};
inline constexpr sage::sage_loss<> sage_complete{.margin = margin, .temperature = temperature};

/// A provider that hands tensors made by `as_input` and `as_output` from the batch's memory to call(inputs, outputs),
/// which returns the value. The tensors are made beforehand.
template <class T, class AsInput, class AsOutput, class Call>
provider sage_provider(std::string name, batch<T>& b, AsInput const& as_input, AsOutput const& as_output,
                       Call call) {
  using input = decltype(as_input(b.sets[0].inputs[0]));
  using output = decltype(as_output(b.sets[0].outputs[0]));
  struct state {
    std::vector<std::vector<input>> inputs;
    std::vector<std::vector<output>> outputs;
    double value = 0;
  };
  auto const made = std::make_shared<state>();
  for (auto const& set : b.sets) {
    made->inputs.emplace_back();
    made->outputs.emplace_back();
    for (auto const& x : set.inputs) made->inputs.back().push_back(as_input(x));
    for (auto const& x : set.outputs) made->outputs.back().push_back(as_output(x));
  }
  provider p{.name = std::move(name),
             .run = [made, call](std::size_t s) { made->value = call(made->inputs[s], made->outputs[s]); }};
  if (b.what.mode == mode::value || b.what.mode == mode::value_and_grad)
    p.value = [made] { return made->value; };
  return p;
}

}  // namespace bench
