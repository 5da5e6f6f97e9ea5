#include "framework/torch.hpp"

#include "loss/half_units.hpp"

#include <sage/adapt/libtorch.hpp>

TEST_CASE(
    "On LibTorch's half types losses and gradients are within one unit of the definition, rounded once") {
  half_units::check_losses<c10::Half>();
  half_units::check_losses<c10::BFloat16>();
}
