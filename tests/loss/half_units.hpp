#pragma once

#include "loss/every_loss.hpp"

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

/// The unit in the last place at |x|.
template <class Half>
real unit_at(real x) {
  Half const h = rounded<Half>(magnitude(x));
  std::uint16_t b;
  std::memcpy(&b, &h, sizeof b);
  ++b;
  Half next = h;
  std::memcpy(static_cast<void*>(&next), &b, sizeof b);
  return real(static_cast<float>(next)) - real(static_cast<float>(h));
}

/// Checks values of the rows and every element of every gradient. An element of sage_loss's gradients is the sum of up
/// to three terms, each rounded when it is added: half a unit each, of a partial sum that may be larger than the total.
/// Its bound is two units of the row's largest element.
template <class Half>
void check_every_loss() {
  auto const check = []<class Subject>(Subject const& s) {
    for (index_t const length : {5, 12}) {
      index_t const rows = 3;
      auto p = random_problem(static_cast<int>(Subject::operands), rows, length,
                              static_cast<std::uint64_t>(length));
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
          real largest = 0;
          for (real& d : g) {
            d = d / static_cast<int>(rows);
            if (magnitude(d) > largest) largest = magnitude(d);
          }
          real const allowed = Subject::what == operands_are::both ? 2 * unit_at<Half>(largest) : real(0);
          for (std::size_t j = 0; j < columns; ++j) {
            Half const computed = r.gradients[k][i * columns + j];
            real const difference = magnitude(real(static_cast<float>(computed)) - g[j]);
            CHECK((units_between(computed, rounded<Half>(g[j])) <= 1 || difference <= allowed));
          }
        }
    }
  };
  for_each_loss(check);
  for_each_variant(check);
}

}  // namespace half_units
