#pragma once

#include "catch.hpp"
#include "reference/batch.hpp"
#include "reference/executors.hpp"
#include "reference/gradient.hpp"
#include "reference/tolerances.hpp"

#include <cstddef>
#include <utility>
#include <vector>

/// Any loss of this library against the reference: value, per-sample values and gradients of the mean.
namespace reference {

/// The operands of a loss, each a row-major matrix of numbers that are exact in float.
struct problem {
  index_t rows, length;
  std::vector<std::vector<double>> x;

  std::vector<row> at(index_t i) const {
    std::vector<row> r;
    for (auto const& v : x) r.push_back(row_of(v, length, i));
    return r;
  }
};

inline problem random_problem(int operands, index_t rows, index_t length, std::uint64_t seed = 1,
                              double scale = 1) {
  problem p{rows, length, {}};
  for (int k = 0; k < operands; ++k)
    p.x.push_back(normal_values(rows * length, 8 * seed + static_cast<std::uint64_t>(k), scale));
  return p;
}

/// The loss of every row, and the gradients of each with respect to its own operands.
struct answers {
  std::vector<real> losses;
  std::vector<std::vector<row>> gradients;  // of row i: one for each operand
  bool hinged = false;                      // `active` counts the rows with l > 0 only
  real divisor = 0;                         // of the mean; 0: the number of rows
};

/// `f(operands, i)` is the definition of the loss of row i.
template <class Loss>
answers answers_of(problem const& p, bool hinged, Loss const& f) {
  answers r;
  r.hinged = hinged;
  for (index_t i = 0; i < p.rows; ++i) {
    auto const of_row = [&](std::vector<row> const& x) { return f(x, i); };
    r.losses.push_back(of_row(p.at(i)));
    r.gradients.push_back(gradient(of_row, p.at(i)));
  }
  return r;
}

/// `labels...` is nothing, or one tensor of labels.
template <class T, std::size_t Operands, class Executor, class Loss, class... Labels>
void compare(Executor const& executor, Loss const& loss, problem const& p, answers const& expected,
             arrangement how, Labels const&... labels) {
  tolerances<T> const tolerance;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    matrix<T> const x[Operands]{{p.rows, p.length, how, p.x[I]}...};
    matrix<T> g[Operands]{((void)I, matrix<T>(p.rows, p.length, how))...};
    auto const r = loss.value_and_grad(executor, x[I].view()..., labels..., g[I].view()...);

    real const divisor = expected.divisor > 0 ? expected.divisor : real(static_cast<int>(p.rows));
    real mean = 0;
    index_t active = 0;
    for (real const l : expected.losses) {
      mean += l / divisor;
      active += !expected.hinged || l > 0;
    }
    CHECK(relative(r.value, mean) <= tolerance.value);
    CHECK(r.active == active);
    CHECK(r.non_finite == 0);
    CHECK(same_bits(loss(executor, x[I].view()..., labels...).value, r.value));

    std::vector<T> values(static_cast<std::size_t>(p.rows));
    loss.per_sample(executor, x[I].view()..., labels..., values);
    relative_error values_error;
    for (std::size_t i = 0; i < values.size(); ++i) values_error.add(values[i], expected.losses[i]);
    CHECK(values_error.value() <= tolerance.value);

    for (std::size_t k = 0; k < Operands; ++k) {
      relative_error e;
      for (index_t i = 0; i < p.rows; ++i)
        for (index_t j = 0; j < p.length; ++j)
          e.add(g[k](i, j), expected.gradients[static_cast<std::size_t>(i)][k][static_cast<std::size_t>(j)] /
                                divisor);
      CAPTURE(k);
      CHECK(e.value() <= tolerance.gradient);
      CHECK(g[k].gaps_are_untouched());
    }
  }
  (std::make_index_sequence<Operands>{});
}

/// Every executor on contiguous memory, and the default one on every arrangement, in float and double.
template <std::size_t Operands, class Loss, class... Labels>
void compare_everywhere(Loss const& loss, problem const& p, answers const& expected,
                        Labels const&... labels) {
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name(), p.length);
    compare<float, Operands>(executor, loss, p, expected, arrangement::contiguous, labels...);
    compare<double, Operands>(executor, loss, p, expected, arrangement::contiguous, labels...);
  });
  any_executor const widest = widest_executor();
  for (auto const how : writable_arrangements) {
    CAPTURE(p.length, static_cast<int>(how));
    compare<float, Operands>(widest, loss, p, expected, how, labels...);
    compare<double, Operands>(widest, loss, p, expected, how, labels...);
  }
}

/// Rows for a row length in tests: enough for a group of lanes that is not full.
inline index_t rows_for(index_t length) { return length < 64 ? 5 : 2; }

}  // namespace reference
