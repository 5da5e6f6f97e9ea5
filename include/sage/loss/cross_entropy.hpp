#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/cross_entropy.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Cross entropy of logits with integer labels.
///
///   l_i = (1 − ε) (lse(z_i) − z_i,y) + ε/K Σ_k (lse(z_i) − z_ik)
///   ∂l/∂z_k = p_k − (1 − ε) [k = y] − ε/K
///
/// Members:   loss(z, y), loss.value_and_grad(z, y, d_z), loss.per_sample(z, y, out), loss.backward(upstream, z, y, d_z).
/// Source:    equals torch.nn.CrossEntropyLoss(ignore_index, label_smoothing, reduction): the mean is over the samples
///            that are not ignored.
/// Shapes:    z (…, K); labels (…) of any integer type; per-sample values (…); d_z like z. Any strides.
/// Units:     nats.
/// Edge:      ignored samples have loss 0 and gradient 0, even if they hold NaN (PyTorch: NaN gradient); if all are
///            ignored the mean is NaN, as in PyTorch. A loss beyond the largest number of the type is ∞; its gradient
///            is finite.
/// Errors:    shape_error, argument_error (a label outside [0, K), ε outside [0, 1]), before any write.
/// Cost:      O(N·K); O(N) memory, on the stack up to 512 rows.
/// Example:   examples/quickstart.cpp
struct cross_entropy_loss {
  double label_smoothing = 0;
  index_t ignore_index = -100;
  sage::reduction reduction = sage::reduction::mean;

  static constexpr char const* name = "cross_entropy_loss";
  static constexpr char const* input_names[1] = {"logits"};
  static constexpr char const* gradient_names[1] = {"d_logits"};
  static constexpr bool has_labels = true;
  static constexpr index_t smallest_length = 1;

  cross_entropy_formula formula() const noexcept { return {label_smoothing}; }
  void validate() const {
    if (!(label_smoothing >= 0 && label_smoothing <= 1))
      detail::raise<argument_error>(name, ": label_smoothing is ", label_smoothing, ", expected between 0 and 1");
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
