#pragma once

#include "loss/batch_losses.hpp"

#include <cstdint>
#include <cstdlib>
#include <cstring>

/// Every loss on a half type: how many units in the last place its results lie from the definition's, rounded once.
namespace half_units {

using namespace every_loss;

/// How many numbers of a 16-bit floating-point type lie between two of them.
template <class Half>
long units_between(Half const& x, Half const& y) {
  auto const place = [](Half const& h) {
    std::uint16_t b;
    static_assert(sizeof b == sizeof h);
    std::memcpy(&b, &h, sizeof b);
    long const magnitude = b & 0x7fff;
    return b & 0x8000 ? -magnitude : magnitude;
  };
  return std::labs(place(x) - place(y));
}

template <class Half>
Half rounded(real x) {
  return static_cast<Half>(static_cast<float>(x));
}

/// Checks values of the rows and every element of every gradient.
template <class Half, class Subject>
void check_rows(Subject const& s) {
  for (index_t const length : {5, 12}) {
    index_t const rows = 3;
    auto p = Subject::random(rows, length, static_cast<std::uint64_t>(length));
    std::vector<std::vector<Half>> x(Subject::operands);
    for (std::size_t k = 0; k < x.size(); ++k)
      for (double& v : p.x[k]) {
        x[k].push_back(static_cast<Half>(static_cast<float>(v)));
        v = static_cast<double>(static_cast<float>(x[k].back()));
      }
    auto const r = s.run(sage::exec::scalar{}, x, rows, length);
    auto const expected = s.expected(p);
    // The mean, a float: the values' sum is rounded in float only.
    static_assert(std::is_same_v<std::remove_cvref_t<decltype(r.value)>, float>);
    real mean = 0;
    for (real const l : expected.losses) mean += l / static_cast<int>(rows);
    CAPTURE(s.name, length);
    CHECK(relative(r.value, mean) <= tolerances<float>{}.value);
    for (std::size_t i = 0; i < r.values.size(); ++i)
      CHECK(units_between(r.values[i], rounded<Half>(expected.losses[i])) <= 1);
    auto const columns = static_cast<std::size_t>(length);
    for (std::size_t k = 0; k < r.gradients.size(); ++k)
      for (std::size_t i = 0; i < r.values.size(); ++i) {
        row g = expected.gradients[i][k];
        for (real& d : g) d = d / static_cast<int>(rows);
        for (std::size_t j = 0; j < columns; ++j)
          CHECK(units_between(r.gradients[k][i * columns + j], rounded<Half>(g[j])) <= 1);
      }
  }
}

/// The same for a loss whose operands have several shapes, against the same numbers in double, whose loss its own test
/// holds to its definition.
template <class Half, class Subject>
void check_batch(Subject const& subject) {
  auto wide = subject.random(61);
  std::vector<std::vector<Half>> x(wide.size());
  for (std::size_t k = 0; k < x.size(); ++k)
    for (double& v : wide[k]) {
      x[k].push_back(static_cast<Half>(static_cast<float>(v)));
      v = static_cast<double>(static_cast<float>(x[k].back()));
    }
  auto const r = subject.run(x);
  auto const expected = subject.run(wide);
  CAPTURE(subject.name);
  CHECK(r.value == Approx(expected.value).epsilon(tolerances<float>{}.value));
  auto const near = [](std::vector<Half> const& computed, std::vector<double> const& in_double) {
    for (std::size_t j = 0; j < computed.size(); ++j)
      CHECK(units_between(computed[j], rounded<Half>(in_double[j])) <= 1);
  };
  near(r.values, expected.values);
  for (std::size_t k = 0; k < r.gradients.size(); ++k) near(r.gradients[k], expected.gradients[k]);
}

/// The losses on the half type of a library that is adapted: another conversion, the same arithmetic in float.
template <class Half>
void check_losses() {
  for_each_loss([](auto const& s) { check_rows<Half>(s); });
  for_each_batch_loss([](auto const& s) { check_batch<Half>(s); });
}

/// And all that they may be made of.
template <class Half>
void check_every_loss() {
  check_losses<Half>();
  for_each_variant([](auto const& s) { check_rows<Half>(s); });
}

}  // namespace half_units
