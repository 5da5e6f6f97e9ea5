#include "loss/half_units.hpp"
#include "reference/bfloat16.hpp"

#if SAGE_HAS_FLOAT16
TEST_CASE("On _Float16 every loss and gradient is within one unit of the definition, rounded once") {
  half_units::check_every_loss<_Float16>();
}

TEST_CASE("A gradient below the smallest half number is zero: the mean of many rows needs a loss scale") {
  // d_positive of one active triplet is 1/N: 2^−26 for N = 2^26, below half of the smallest _Float16, 2^−24.
  _Float16 const zero = 0, one = 1;
  _Float16 d = one;
  auto const row = [](auto& x) { return sage::strided_view{&x, sage::extents{1, 1}}; };
  sage::triplet_margin_loss<> const loss{.distance = {.eps = 0}};
  loss.backward(0x1p-26, row(zero), row(one), row(zero), sage::skip, row(d), sage::skip);
  CHECK(d == 0);
  loss.backward(0x1p-24, row(zero), row(one), row(zero), sage::skip, row(d), sage::skip);
  CHECK(static_cast<float>(d) == 0x1p-24f);
}
#endif

TEST_CASE(
    "On a bfloat16 of the user every loss and gradient is within one unit of the definition, rounded once") {
  half_units::check_every_loss<user::bfloat16>();
}
