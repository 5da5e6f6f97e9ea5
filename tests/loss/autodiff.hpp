#pragma once

#include "loss/batch_losses.hpp"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Every loss on a scalar of forward-mode automatic differentiation: what it carries through the value alone along
/// random directions, against the gradient that the loss itself gives.
namespace every_loss {

/// `make(x, d)` is the scalar of value x and derivatives d, `value(s)` and `derivative(s, i)` take it apart.
/// 1e-11: for a few rows of five the two differ by the roundings of a few dozen operations each.
template <int Directions, class Make, class Value, class Derivative>
void check_autodiff(Make const& make, Value const& value, Derivative const& derivative) {
  auto const compare = [&](char const* name, auto const& x, auto const& directions, auto const& run) {
    using scalar = decltype(make(0.0, std::array<double, Directions>{}));
    std::vector<std::vector<scalar>> s(x.size());
    std::array<double, Directions> along{};
    auto const ours = run(x);
    for (std::size_t k = 0; k < x.size(); ++k)
      for (std::size_t j = 0; j < x[k].size(); ++j) {
        std::array<double, Directions> d;
        for (std::size_t i = 0; i < Directions; ++i) {
          d[i] = directions[i][k][j];
          along[i] += ours.gradients[k][j] * d[i];
        }
        s[k].push_back(make(x[k][j], d));
      }
    auto const theirs = run(s);
    CAPTURE(name);
    CHECK(ours.value > 0);
    CHECK(value(theirs.value) == Approx(ours.value).epsilon(1e-13));
    for (std::size_t i = 0; i < Directions; ++i) {
      CHECK(std::abs(along[i]) > 1e-3);
      CHECK(derivative(theirs.value, i) == Approx(along[i]).epsilon(1e-11));
    }
    for (std::size_t i = 0; i < ours.values.size(); ++i)
      CHECK(value(theirs.values[i]) == Approx(ours.values[i]).epsilon(1e-13));
  };
  auto const of_rows = [&](auto const& subject) {
    index_t const rows = 3, length = 5;
    std::vector<std::vector<std::vector<double>>> directions;
    for (int i = 0; i < Directions; ++i)
      directions.push_back(random_problem(static_cast<int>(subject.operands), rows, length,
                                          static_cast<std::uint64_t>(32 + i))
                               .x);
    compare(subject.name, subject.random(rows, length, 31).x, directions, [&](auto const& x) {
      return subject.run(sage::exec::scalar{}, x, rows, length);
    });
  };
  for_each_loss(of_rows);
  for_each_variant(of_rows);
  for_each_batch_loss([&](auto const& subject) {
    std::vector<std::vector<std::vector<double>>> directions;
    for (int i = 0; i < Directions; ++i) directions.push_back(subject.random(static_cast<std::uint64_t>(32 + i)));
    compare(subject.name, subject.random(31), directions, [&](auto const& x) { return subject.run(x); });
  });
}

}  // namespace every_loss
