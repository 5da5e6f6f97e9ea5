#include "loss/half_units.hpp"

#include <sage/adapt/eigen.hpp>

TEST_CASE(
    "On Eigen's half types every loss and gradient is within one unit of the definition, rounded once") {
  half_units::check_every_loss<Eigen::half>();
  half_units::check_every_loss<Eigen::bfloat16>();
}
