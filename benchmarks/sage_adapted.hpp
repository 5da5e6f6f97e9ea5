#pragma once

#include "sage_calls.hpp"

namespace bench {

/// The two losses that show what an adapter costs beside raw pointers, value and all gradients on the default
/// executor; `as_tensor` makes the foreign library's tensor of the batch's memory, so that both work on the same addresses.
template <class AsTensor>
void add_adapted(providers& list, std::string const& name, batch<float>& b, AsTensor const& as_tensor) {
  if (b.what.mode != mode::value_and_grad || !b.what.family.empty()) return;
  if (b.what.loss == loss::triplet) {
    list.push_back(sage_provider(name, b, as_tensor, as_tensor, [](auto const& x, auto& g) -> double {
      return sage_triplet.value_and_grad(x[0], x[1], x[2], g[0], g[1], g[2]).value;
    }));
  } else if (b.what.loss == loss::consistency) {
    list.push_back(sage_provider(name, b, as_tensor, as_tensor, [](auto const& x, auto& g) -> double {
      return sage_consistency.value_and_grad(x[0], x[1], g[0], g[1]).value;
    }));
  } else {
    return;
  }
  list.back().in_turns_with = {"sage"};
}

}  // namespace bench
