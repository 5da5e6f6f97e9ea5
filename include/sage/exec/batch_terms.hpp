#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/batch_rows.hpp>
#include <sage/exec/joined_formula.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/mean.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// How one of several losses of the same rows counts in their total.
template <class A>
struct batch_term {
  A weight = A(0);        // in the total; 0: it is not evaluated
  bool weighted = false;  // do the weights of the rows count?
  bool labelled = false;  // has it no loss where the label is the ignored one, and NaN where it is no class?
  bool hinged = false;    // an active row is one with l > 0
};

/// A term of a batch, summed.
template <class A>
struct term_total {
  wide_t<A> loss = wide_t<A>(0);
  index_t active = 0, non_finite = 0;
};
struct join_terms {
  template <class A, int Terms>
  SAGE_HD void combine(lanes<term_total<A>, Terms>& a, lanes<term_total<A>, Terms> const& b) const {
    SAGE_UNROLL
    for (int t = 0; t < Terms; ++t) {
      a[t].loss = a[t].loss + b[t].loss;
      a[t].active += b[t].active;
      a[t].non_finite += b[t].non_finite;
    }
  }
};

/// The weights of the rows, summed for every kind of term.
template <class A>
struct row_counts {
  wide_t<A> sum[4] = {wide_t<A>(0), wide_t<A>(0), wide_t<A>(0), wide_t<A>(0)};

  SAGE_HD void add(bool weighted, bool labelled, wide_t<A> const& w) noexcept {
    wide_t<A>& s = sum[weighted + 2 * labelled];
    s = s + w;
  }
  SAGE_HD wide_t<A> of(batch_term<A> const& t) const noexcept { return sum[t.weighted + 2 * t.labelled]; }
};
struct join_counts {
  template <class A>
  SAGE_HD void combine(row_counts<A>& a, row_counts<A> const& b) const {
    SAGE_UNROLL
    for (int k = 0; k < 4; ++k) a.sum[k] = a.sum[k] + b.sum[k];
  }
};

/// What a row is told besides its operands, where it has several losses.
template <class A, int Terms>
struct term_parameters {
  index_t label = 0;
  bool skipped = true;  // are all terms?
  lanes<A, Terms> weights{};
  lanes<A, Terms> upstreams{};
  lanes<term_state, Terms> states{};
};

/// Labels, weights and upstream values of the rows of several losses, in the memory where the rows are worked.
template <class T>
struct term_rows : batch_rows<T> {
  using A = accumulator_t<T>;

  /// Adds row i to the counts.
  SAGE_HD void count(row_counts<A>& n, index_t i) const {
    wide_t<A> const w(weight_of(i));
    bool const ignored = this->labels && label_of(i) == this->ignore_index;
    n.add(false, false, wide_t<A>(1));
    n.add(true, false, w);
    if (ignored) return;
    n.add(false, true, wide_t<A>(1));
    n.add(true, true, w);
  }

  /// Row i, where `factors` multiply the upstreams of the terms.
  template <int Terms>
  SAGE_HD term_parameters<A, Terms> parameters_of(index_t i, lanes<batch_term<A>, Terms> const& terms,
                                                  lanes<A, Terms> const& factors) const {
    term_parameters<A, Terms> r;
    A const weight = weight_of(i), upstream = this->upstreams ? this->upstreams.template get<A, T>(i) : A(1);
    r.label = label_of(i);
    bool const ignored = this->labels && r.label == this->ignore_index;
    bool const invalid = this->labels && !ignored && (r.label < 0 || r.label >= this->classes);
    SAGE_UNROLL
    for (int t = 0; t < Terms; ++t) {
      A const w = terms[t].weighted ? weight : A(1);
      bool const skipped = terms[t].weight == A(0) || w == A(0) || (terms[t].labelled && ignored);
      bool const nan = terms[t].labelled && invalid;
      r.states[t] = skipped ? term_state::skipped : nan ? term_state::invalid : term_state::counted;
      r.weights[t] = skipped ? A(0) : w;
      r.upstreams[t] = skipped ? A(0) : nan ? math::infinity<A>() * A(0) : w * factors[t] * upstream;
      r.skipped = r.skipped && skipped;
    }
    return r;
  }

 private:
  SAGE_HD A weight_of(index_t i) const { return this->weights ? this->weights.template get<A, T>(i) : A(1); }
  SAGE_HD index_t label_of(index_t i) const {
    return this->labels ? this->labels.template get<index_t, T>(i) : 0;
  }
};

/// What a formula knows of its place in a row of these parameters.
template <class Formula, class A, int Terms>
SAGE_HD auto place_of(term_parameters<A, Terms> const& p, index_t length) noexcept {
  if constexpr (detail::has_terms<Formula>) {
    return typename Formula::template place<A>{0, p.label, static_cast<A>(length), p.upstreams, p.states};
  } else {
    static_assert(Terms == 1, "sage: a formula of one loss is one term");
    return row<A>{0, p.label, static_cast<A>(length), p.upstreams[0]};
  }
}

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
