#pragma once

#include "catch.hpp"
#include "reference/batch.hpp"

#include <sage/exec/row_problem.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/row.hpp>
#include <sage/tensor/rows.hpp>

#include <algorithm>
#include <cstddef>
#include <vector>

/// A row program for tests of schedules: it tells whether every element was visited exactly once, at its own column, in
/// every pass.
namespace census_of_rows {

using namespace reference;

/// Pass 1 finds the maximum and counts the elements, pass 2 sums (j + 1) (x_j − max) and checks the column numbers;
/// the gradient is upstream · (j + 1) + label. Small integers: all sums are exact, whatever their order.
struct census_formula {
  static constexpr int inputs = 2, gradients = 2;

  template <class V>
  struct first {
    V max = -sage::math::infinity<V>();
    V count = V(0);
  };
  template <class V>
  struct second {
    V weighted = V(0), at_label = V(0), count = V(0);
  };
  template <class V>
  struct result {
    V loss, upstream;
  };
  template <class V>
  using passes = sage::pass_list<first<V>, second<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(first<V>& a, sage::lanes<V, 2> const& x, sage::row<V> const&) const {
    a.max = sage::math::larger(x[0], a.max);
    a.count = a.count + V(1);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(first<V>& a, first<V> const& b) const {
    a.max = sage::math::larger(b.max, a.max);
    a.count = a.count + b.count;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(second<V>& a, sage::lanes<V, 2> const& x, sage::row<V> const& r,
                                      first<V> const& f) const {
    a.weighted = a.weighted + x[1] * (x[0] - f.max);  // operand 1 holds j + 1
    a.at_label = a.at_label + sage::math::select(r.at_label(), x[1], V(0));
    a.count = a.count + V(1);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(second<V>& a, second<V> const& b) const {
    a.weighted = a.weighted + b.weighted;
    a.at_label = a.at_label + b.at_label;
    a.count = a.count + b.count;
  }
  // Σ (j + 1)(x − max) + 1000 · (label + 1), spoilt by a wrong count.
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(sage::row<V> const& r, first<V> const& f, second<V> const& s) const {
    using T = sage::scalar_of<V>;
    V const miscounted = sage::math::squared(f.count - r.length) + sage::math::squared(s.count - r.length);
    return {s.weighted + V(T(1000)) * s.at_label + V(T(1e6)) * miscounted, r.upstream};
  }
  template <class V>
  SAGE_HD SAGE_INLINE sage::lanes<V, 2> gradient(sage::lanes<V, 2> const& x, sage::row<V> const& r,
                                                 result<V> const& s) const {
    return {{s.upstream * x[1], sage::math::select(r.at_label(), V(1), x[0])}};
  }
};

/// The same with what it computes of an element kept between passes, and its second pass in steps.
struct keeping_census_formula : census_formula {
  static constexpr int kept = 2;

  template <class V>
  struct second : census_formula::second<V> {
    static constexpr int partial_states = 1, steps = 3;
  };
  template <class V>
  struct result {
    V loss, upstream, max;
  };
  template <class V>
  using passes = sage::pass_list<first<V>, second<V>>;

  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(first<V>& a, sage::lanes<V, 2> const& x, sage::row<V> const& r,
                                      Kept const&) const {
    census_formula::accumulate(a, x, r);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(second<V>& a, sage::lanes<V, 2> const& x, sage::row<V> const& r,
                                      Kept const& k, first<V> const& f) const {
    accumulate(sage::step<0>{}, a, x, r, k, f);
    accumulate(sage::step<1>{}, a, x, r, k, f);
    accumulate(sage::step<2>{}, a, x, r, k, f);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sage::step<0>, second<V>&, sage::lanes<V, 2> const& x,
                                      sage::row<V> const&, Kept const& k, first<V> const& f) const {
    k.set(1, x[0] - f.max);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sage::step<1>, second<V>& a, sage::lanes<V, 2> const& x,
                                      sage::row<V> const& r, Kept const& k, first<V> const&) const {
    a.at_label = a.at_label + sage::math::select(r.at_label(), x[1], V(0));
    k.set(0, x[1] * k[1]);
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE void accumulate(sage::step<2>, second<V>& a, sage::lanes<V, 2> const&,
                                      sage::row<V> const&, Kept const& k, first<V> const&) const {
    a.weighted = a.weighted + k[0];
    a.count = a.count + V(1);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(first<V>& a, first<V> const& b) const {
    census_formula::combine(a, b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(second<V>& a, second<V> const& b) const {
    census_formula::combine(a, b);
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(sage::row<V> const& r, first<V> const& f, second<V> const& s) const {
    auto const of = census_formula::finalize(r, f, s);
    return {of.loss, of.upstream, f.max};
  }
  template <class V, class Kept>
  SAGE_HD SAGE_INLINE sage::lanes<V, 2> gradient(sage::lanes<V, 2> const& x, sage::row<V> const& r,
                                                 Kept const& k, result<V> const& s) const {
    return {{s.upstream * x[1], sage::math::select(r.at_label(), V(1), k[1] + s.max)}};
  }
};

template <class T, class Formula = census_formula>
struct census {
  index_t rows, length;
  matrix<T> x, numbers, g, h;
  std::vector<sage::row_parameters<T>> parameters;
  std::vector<T> losses;

  // Broadcast operands have gradients of their full shape; the columns' numbers are the same in all rows.
  census(index_t rows_, index_t length_, arrangement how = arrangement::contiguous)
      : rows(rows_),
        length(length_),
        x(rows, length, how),
        numbers(rows, length, is_broadcast(how) ? arrangement::broadcast_rows : how),
        g(rows, length, is_broadcast(how) ? arrangement::contiguous : how),
        h(rows, length, is_broadcast(how) ? arrangement::contiguous : how),
        losses(static_cast<std::size_t>(rows), T(-1)) {
    for (index_t i = 0; i < rows; ++i) {
      for (index_t j = 0; j < length; ++j)
        x(i, j) = static_cast<T>((i * 7 + j * 5) % 11), numbers(i, j) = static_cast<T>(j + 1);
      parameters.push_back({static_cast<T>(i + 1), length > 0 ? i * 3 % length : 0, i % 5 == 3});
    }
  }
  static constexpr bool is_broadcast(arrangement how) {
    return how == arrangement::broadcast_rows || how == arrangement::broadcast_columns;
  }
  auto problem(bool with_gradient, sage::gradient_mode mode) {
    sage::row_problem<Formula, T> p;
    p.rows = rows;
    p.length = length;
    p.in = {{sage::read_only(sage::as_rows(x.view())), sage::read_only(sage::as_rows(numbers.view()))}};
    p.out = {{{sage::as_rows(g.view()), mode}, {sage::as_rows(h.view()), sage::gradient_mode::write}}};
    p.with_gradient = with_gradient;
    p.losses = losses.data();
    p.parameters = parameters.data();
    return p;
  }
  // Everything as it must be, and the gaps untouched.
  bool right(bool with_gradient, T before, T sign) const {
    for (index_t i = 0; i < rows; ++i) {
      auto const& r = parameters[static_cast<std::size_t>(i)];
      T max = 0, sum = 0;
      for (index_t j = 0; j < length; ++j) max = std::max(max, x(i, j));
      for (index_t j = 0; j < length; ++j) sum += static_cast<T>(j + 1) * (x(i, j) - max);
      T const expected = r.skipped || length == 0 ? T(0) : sum + 1000 * static_cast<T>(r.label + 1);
      if (losses[static_cast<std::size_t>(i)] != expected) return false;
      for (index_t j = 0; j < length; ++j) {
        T const slope = r.skipped ? T(0) : static_cast<T>((i + 1) * (j + 1));
        T const other = r.skipped ? T(0) : j == r.label ? T(1) : x(i, j);
        if (g(i, j) != (with_gradient ? before * (sign > 0) + slope : before)) return false;
        if (h(i, j) != (with_gradient ? other : T(77))) return false;
      }
    }
    return g.gaps_are_untouched() && h.gaps_are_untouched();
  }
};

template <class T, class Formula = census_formula, class Executor>
void take_census(Executor const& executor, index_t rows, index_t length, arrangement how) {
  for (bool const with_gradient : {false, true})
    for (bool const add : {false, true}) {
      census<T, Formula> c(rows, length, how);
      c.g.fill(5);
      c.h.fill(77);
      executor(c.problem(with_gradient, add ? sage::gradient_mode::add : sage::gradient_mode::write));
      CAPTURE(rows, length, static_cast<int>(how), with_gradient, add, sizeof(T));
      CHECK(c.right(with_gradient, 5, add ? 1 : -1));
    }
}

}  // namespace census_of_rows
