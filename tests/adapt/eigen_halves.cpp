#include "loss/half_units.hpp"

#include <sage/adapt/eigen.hpp>

TEST_CASE(
    "On Eigen's half types losses and gradients are within one unit of the definition, rounded once") {
  half_units::check_losses<Eigen::half>();
  half_units::check_losses<Eigen::bfloat16>();
}
