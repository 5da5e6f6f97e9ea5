#include "reference/real.hpp"
#include "catch.hpp"
#include "reference/batch.hpp"

#include <cmath>

namespace {

using reference::real;

// A few units of the last place of 113 bits (or of long double where there is nothing wider).
double const few_ulp = std::ldexp(8.0, -reference::real_digits);

double distance_of(real x, real y) {
  return static_cast<double>(reference::magnitude(x - y) / reference::magnitude(y));
}

}  // namespace

TEST_CASE("The reference's exponential is that of the series of e") {
  real e = 0, term = 1;
  for (int k = 1; k < 40; ++k) {
    e += term;
    term /= k;
  }
  CHECK(distance_of(reference::exp(1), e) < few_ulp);
  CHECK(distance_of(reference::exp(-1), 1 / e) < few_ulp);
  CHECK(distance_of(reference::exp(8), e * e * e * e * e * e * e * e) < 4 * few_ulp);
  CHECK(reference::exp(0) == 1);
  CHECK(reference::exp(-reference::infinity()) == 0);
  CHECK(reference::exp(reference::infinity()) == reference::infinity());
}

TEST_CASE("The reference's logarithm and square root invert to 113 bits") {
  reference::random r(1);
  for (int i = 0; i < 2000; ++i) {
    real const x = std::exp(200 * (r.uniform() - 0.5)) * r.uniform();
    // The logarithm's rounding error, relative to ln x, comes back multiplied by ln x ≤ 120.
    CHECK(distance_of(reference::exp(reference::log(x)), x) < 120 * few_ulp);
    CHECK(distance_of(reference::sqrt(x) * reference::sqrt(x), x) < few_ulp);
    CHECK(std::abs(static_cast<double>(reference::exp(real(std::log(static_cast<double>(x))))) /
                       static_cast<double>(x) -
                   1) < 1e-13);  // and agrees with the C library
  }
  CHECK(reference::log(1) == 0);
  real tiny = 1;  // below the normal numbers of 113 bits
  for (int i = 0; i < 164; ++i) tiny *= 0x1p-100;
  if (tiny > 0) CHECK(reference::sqrt(tiny) * reference::sqrt(tiny) == tiny);
  CHECK(reference::log(0) == -reference::infinity());
  CHECK(reference::is_nan(reference::log(-1)));
  CHECK(reference::sqrt(0) == 0);
  CHECK(reference::sqrt(real(1e-300) * real(1e-300)) == real(1e-300));
}
