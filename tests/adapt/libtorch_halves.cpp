#include "framework/torch.hpp"

#include "loss/half_units.hpp"

#include <sage/adapt/libtorch.hpp>
#include <sage/core/half_format.hpp>

static_assert(sage::half_format_of<c10::Half> == sage::half_format::binary16);
static_assert(sage::half_format_of<c10::BFloat16> == sage::half_format::bfloat16);

TEST_CASE(
    "On LibTorch's half types losses and gradients are within one unit of the definition, rounded once") {
  half_units::check_losses<c10::Half>();
  half_units::check_losses<c10::BFloat16>();
}
