#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/degradation.hpp>

#include <ATen/core/Tensor.h>

#include <array>
#include <cstddef>
#include <iterator>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

template <class Check>
inline constexpr std::size_t operand_count = std::size(Check::input_names);

template <class Check>
operands<operand_count<Check>> degradation_operands(
    std::array<at::Tensor, operand_count<Check>> const& logits, at::Tensor const& weights) {
  std::array<char const*, operand_count<Check>> names{};
  for (std::size_t i = 0; i < names.size(); ++i) names[i] = Check::input_names[i];
  return {"degradation_loss", names, logits, weights};
}

}  // namespace detail

/// Degradation check of the logits of x⁻, see sage::degradation_loss; differentiable by all logits.
///
/// Logits:    {z⁻} for toward_uniform, {z, z⁻} for repel, {z, z⁺, z⁻} for rank: the check's operands.
/// Options:   a sage::degradation_loss<Check>.
/// Shapes:    logits (…, K); weights (…) or undefined for none; the value ().
/// Cost:      one pass here, with gradients only for tensors that require grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   degradation_loss({z, z_minus}, sage::degradation_loss<sage::repel<>>{.check = {.margin = 0.2}})
template <class Check = toward_uniform<>>
at::Tensor degradation_loss(std::array<at::Tensor, detail::operand_count<Check>> const& logits,
                            sage::degradation_loss<Check> const& options = {},
                            at::Tensor const& weights = {}) {
  return detail::reduced(options, detail::degradation_operands<Check>(logits, weights));
}

/// Its unreduced values, (…).
template <class Check = toward_uniform<>>
at::Tensor degradation_loss_per_sample(std::array<at::Tensor, detail::operand_count<Check>> const& logits,
                                       sage::degradation_loss<Check> const& options = {},
                                       at::Tensor const& weights = {}) {
  return detail::unreduced(options, detail::degradation_operands<Check>(logits, weights));
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
