#pragma once

#include "workload.hpp"

#include <string>
#include <vector>

namespace bench {

/// What a workload's answer is: computed in double from the definitions.
struct answer {
  double value = 0;
  std::vector<std::vector<double>> outputs;  // as the batch's outputs
};

template <class T>
answer reference_answer(batch<T> const& b);

/// Does the gradient belong to the value? ‖⟨∇L, v⟩ − (L(x + hv) − L(x − hv))/2h‖ relative, for one random direction v. The
/// reference is tested with this before anything is compared with it.
double gradient_error(loss which);

/// "" if a provider's answer agrees with the reference, else a sentence. Relative error of the value and relative norm
/// of each output: below 1e-4 in float, 1e-9 in double, for textbook formulas lose digits; in the narrow types below four
/// times the type's epsilon, 0.4 % in half and 3 % in bfloat16, for some providers round every step, and beside it half a
/// step between the smallest numbers for every element, to which half rounds gradients of a mean over many rows. A wrong
/// sign, a missing factor or a missing row is larger.
template <class T>
std::string disagreement(answer const& expected, batch<T> const& b, double const* value,
                         std::vector<std::size_t> const& outputs);

}  // namespace bench
