#include "loss/autodiff.hpp"

#include "reference/dual.hpp"

#include <array>
#include <cstddef>

TEST_CASE("Every loss runs on the user's autodiff scalar, and its derivative is our gradient") {
  using autodiff::dual;
  every_loss::check_autodiff<1>([](double x, std::array<double, 1> const& d) { return dual(x, d[0]); },
                                [](dual const& s) { return s.value; },
                                [](dual const& s, std::size_t) { return s.derivative; });
}
