#include "loss/every_loss.hpp"
#include "reference/dual.hpp"

#include <vector>

using namespace every_loss;
using autodiff::dual;

// The derivative along a direction that the dual numbers carry through the value alone, against the gradient that the
// loss itself gives. 1e-11: for three rows of five the two differ by the roundings of a few dozen operations each.
TEST_CASE("Every loss runs on the user's autodiff scalar, and its derivative is our gradient") {
  auto const check = []<class Subject>(Subject const& s) {
    index_t const rows = 3, length = 5;
    auto const p = random_problem(static_cast<int>(Subject::operands), rows, length, 31);
    auto const direction = random_problem(static_cast<int>(Subject::operands), rows, length, 32);
    std::vector<std::vector<dual>> x(Subject::operands);
    for (std::size_t k = 0; k < x.size(); ++k)
      for (std::size_t j = 0; j < p.x[k].size(); ++j) x[k].emplace_back(p.x[k][j], direction.x[k][j]);
    auto const ours = s.run(sage::exec::scalar{}, p.x, rows, length);
    auto const theirs = s.run(sage::exec::scalar{}, x, rows, length);
    double along = 0;
    for (std::size_t k = 0; k < x.size(); ++k)
      for (std::size_t j = 0; j < p.x[k].size(); ++j) along += ours.gradients[k][j] * direction.x[k][j];
    CAPTURE(s.name);
    CHECK(ours.value > 0);
    CHECK(std::abs(along) > 1e-3);
    CHECK(theirs.value.value == Approx(ours.value).epsilon(1e-13));
    CHECK(theirs.value.derivative == Approx(along).epsilon(1e-11));
    for (std::size_t i = 0; i < ours.values.size(); ++i)
      CHECK(theirs.values[i].value == Approx(ours.values[i]).epsilon(1e-13));
  };
  for_each_loss(check);
  for_each_variant(check);
}
