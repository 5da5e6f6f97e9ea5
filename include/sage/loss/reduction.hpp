#pragma once

#include <sage/core/index.hpp>

namespace sage {

/// How the losses of the samples become one value. What PyTorch calls reduction none is the member per_sample, and its
/// backward with one upstream value for each sample the member backward.
///
///   mean         Σ w_i l_i / Σ w_i over the samples that count (w_i = 1 without weights)
///   sum          Σ w_i l_i
///   mean_active  Σ w_i l_i / Σ_{l_i > 0} w_i; 0 if none is active
///
/// Edge: the mean of no sample is NaN, as in PyTorch; with weights that are all zero it is 0.
enum class reduction { mean, sum, mean_active };

/// The reduced loss with its diagnostics.
template <class A>
struct loss_result {
  A value{};               // the reduced loss
  index_t active = 0;      // triplets that violate the margin (l > 0); for losses without a hinge, samples that count
  index_t non_finite = 0;  // samples whose loss is infinite or NaN

  /// In another precision: tensors typed at run time give one result type for all of their types.
  template <class B>
  explicit constexpr operator loss_result<B>() const {
    return {static_cast<B>(value), active, non_finite};
  }
};

}  // namespace sage
