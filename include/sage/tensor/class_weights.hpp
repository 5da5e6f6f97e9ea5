#pragma once

#include <sage/core/config.hpp>

#include <utility>

namespace sage {

/// One weight per class, (K), as an argument of cross_entropy_loss.
template <class Tensor>
struct class_weights_t {
  Tensor tensor;
};

/// `class_weights(w)`: w_k ≥ 0 multiplies what class k adds to the loss; it stands after the gradients,
/// before or after sage::weights. Not differentiated.
template <class Tensor>
SAGE_INLINE constexpr auto class_weights(Tensor&& w) noexcept {
  return class_weights_t<Tensor>{std::forward<Tensor>(w)};
}

/// One weight per label, (K), of the positive case: an argument of binary_cross_entropy_loss.
template <class Tensor>
struct positive_weights_t {
  Tensor tensor;
};

/// `positive_weights(w)`: w_k ≥ 0 multiplies what a positive target of label k adds to the loss, so that rare
/// positives count as much as frequent negatives: PyTorch's pos_weight. Not differentiated.
template <class Tensor>
SAGE_INLINE constexpr auto positive_weights(Tensor&& w) noexcept {
  return positive_weights_t<Tensor>{std::forward<Tensor>(w)};
}

/// One weight per element of the logits, (…, K), as an argument of binary_cross_entropy_loss.
template <class Tensor>
struct element_weights_t {
  Tensor tensor;
};

/// `element_weights(w)`: w ≥ 0 multiplies the loss of its element; an element of weight 0 contributes exactly
/// nothing, even if its logit is NaN. A view with a stride of 0 gives one weight per label, or per sample.
/// Not differentiated.
template <class Tensor>
SAGE_INLINE constexpr auto element_weights(Tensor&& w) noexcept {
  return element_weights_t<Tensor>{std::forward<Tensor>(w)};
}

}  // namespace sage
