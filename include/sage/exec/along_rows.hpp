#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/exec/passes.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/row_scratch.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// How many independent states a pass keeps, to hide the latency of its additions: four, unless the state says
/// `partial_states`; passes with elementary functions have enough to overlap with one.
template <class State>
inline constexpr int partial_states = 4;
template <class State>
  requires requires { State::partial_states; }
inline constexpr int partial_states<State> = State::partial_states;

/// Where the operands and the gradients of one row stand: elements at the strides of the tensors.
template <class Problem>
struct strided_row {
  using T = typename Problem::element;
  static constexpr int inputs = Problem::formula_type::inputs;
  static constexpr int gradients = Problem::formula_type::gradients;

  lanes<T const*, inputs> in;
  lanes<T*, gradients> out;

  SAGE_INLINE strided_row(Problem const& p, index_t i) noexcept {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) in[k] = p.in[k].row(i);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      out[k] = p.out[k].mode == gradient_mode::skip ? nullptr : p.out[k].to.row(i);
  }
};

/// One position after the other: the schedule for types without vectors.
template <class Problem>
struct along_rows_scalar {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;

  Problem const& p;

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    row_scratch<A> scratch(kept * p.length);
    for (index_t i = first; i < last; ++i) one_row(i, scratch.data());
  }

 private:
  SAGE_INLINE void one_row(index_t i, A* scratch) const {
    auto const& parameters = p.parameters_of(i);
    strided_row<Problem> const x(p, i);
    if (parameters.skipped) {
      p.losses[i] = A(0);
      if (p.with_gradient)
        for (index_t j = 0; j < p.length; ++j) store(x, j, {});
      return;
    }
    row<A> at{0, parameters.label, A(p.length), parameters.upstream};
    auto const result = run_passes(p.formula, at, typename formula_type::template passes<A>{},
                                   [&](auto state, auto const&... earlier) SAGE_INLINE_LAMBDA {
                                     for (at.column = 0; at.column < p.length; ++at.column)
                                       accumulate(p.formula, state, load(x, at.column), at,
                                                  kept_at(scratch, at.column), earlier...);
                                     return state;
                                   });
    p.losses[i] = result.loss;
    if (!p.with_gradient) return;
    for (at.column = 0; at.column < p.length; ++at.column)
      store(x, at.column, gradient(p.formula, load(x, at.column), at, kept_at(scratch, at.column), result));
  }

  SAGE_INLINE static kept_values<A> kept_at(A* scratch, index_t j) noexcept {
    return kept_values<A>(scratch + j * kept);
  }
  SAGE_INLINE lanes<A, inputs> load(strided_row<Problem> const& x, index_t j) const {
    lanes<A, inputs> r;
    for (int k = 0; k < inputs; ++k) r[k] = static_cast<A>(x.in[k][j * p.in[k].stride]);
    return r;
  }
  SAGE_INLINE void store(strided_row<Problem> const& x, index_t j, lanes<A, gradients> const& g) const {
    for (int k = 0; k < gradients; ++k) {
      if (p.out[k].mode == gradient_mode::skip) continue;
      T& to = x.out[k][j * p.out[k].to.stride];
      to = static_cast<T>(p.out[k].mode == gradient_mode::add ? static_cast<A>(to) + g[k] : g[k]);
    }
  }
};

#if SAGE_SIMD

/// Lanes along one row: the lanes of the pack V are neighbours in the row. For long rows.
///
/// The kernel works on contiguous rows of the accumulator's type, at least one pack long. Rows that are something
/// else (strided, of halves, short) are copied to scratch first, and their gradients back. What is left of a row
/// behind the last full pack is worked with the pack that ends where the row ends: its first lanes, which an earlier
/// pack has done, are masked in the state, and written twice with the same gradient.
template <class V, class Problem>
class along_rows {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  static constexpr int width = lane_traits<V>::width;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;

 public:
  // What the kernel reads again and again is copied: it must not be thought to change with every store.
  SAGE_INLINE explicit along_rows(Problem const& p)
      : p_(p),
        formula_(p.formula),
        length_(p.length),
        full_(p.length / width * width),
        padded_((p.length + width - 1) / width * width),
        with_gradient_(p.with_gradient) {
    direct_ = __is_same(T, A) && length_ >= width;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) direct_ = direct_ && p.in[k].stride == 1;
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) {
      mode_[k] = p.with_gradient ? p.out[k].mode : gradient_mode::skip;
      direct_ = direct_ && (mode_[k] == gradient_mode::skip || p.out[k].to.stride == 1);
    }
  }

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    row_scratch<A> scratch(padded_ * (kept + (direct_ ? 0 : inputs + gradients)));
    A* const copies = scratch.data() + padded_ * kept;
    for (index_t i = first; i < last; ++i) {
      auto const& parameters = p_.parameters_of(i);
      strided_row<Problem> const from(p_, i);
      if (parameters.skipped) {
        p_.losses[i] = A(0);
        write_zeros(from);
        continue;
      }
      row<A> const r{0, parameters.label, A(length_), parameters.upstream};
      if (direct_) {
        if constexpr (__is_same(T, A)) p_.losses[i] = one_row({from.in, from.out, mode_}, r, scratch.data());
      } else {
        p_.losses[i] = one_row(copied(from, copies), r, scratch.data());
        copy_back(from, copies);
      }
    }
  }

 private:
  /// A contiguous row.
  struct memory {
    lanes<A const*, inputs> in;
    lanes<A*, gradients> out;
    lanes<gradient_mode, gradients> mode;
  };

  SAGE_INLINE A one_row(memory const& x, row<A> const& r, A* scratch) const {
    auto const result = run_passes(formula_, r, typename formula_type::template passes<A>{},
                                   [&](auto const& neutral, auto const&... earlier) SAGE_INLINE_LAMBDA {
                                     return reduce(neutral, x, r, scratch, earlier...);
                                   });
    if (with_gradient_) write_gradient(x, r, scratch, result);
    return result.loss;
  }

  // One pass over the row: independent partial states hide the latency of the additions, and are joined in a fixed
  // order.
  template <class State, class... Earlier>
  SAGE_INLINE State reduce(State const& neutral, memory const& x, row<A> const& r, A* scratch,
                           Earlier const&... earlier) const {
    using wide = rebind_t<State, V>;
    constexpr int parts = partial_states<wide>;
    wide part[parts];
    SAGE_UNROLL
    for (int k = 0; k < parts; ++k) part[k] = broadcast<V>(neutral);
    row<V> at = broadcast_row(r);
    auto const visit = [&](wide& state, index_t j, index_t block) SAGE_INLINE_LAMBDA {
      at.column = count_from<integer_of<V>>(j);
      accumulate(formula_, state, load(x, j), at, kept_at(scratch, block), broadcast<V>(earlier)...);
    };
    index_t j = 0;
    if constexpr (parts > 1)
      for (; j + parts * width <= length_; j += parts * width) SAGE_UNROLL
    for (int k = 0; k < parts; ++k) visit(part[k], j + k * width, j + k * width);
    for (; j < length_; j += width) {
      if (j < full_) {
        visit(part[0], j, j);
      } else {
        wide const before = part[0];
        index_t const start = tail_start();
        visit(part[0], start, j);
        part[0] = masked(not_yet_done(start), part[0], before);
      }
    }
    for (int step = 1; step < parts; step *= 2)
      for (int k = 0; k + step < parts; k += 2 * step) formula_.combine(part[k], part[k + step]);
    return join_lanes(formula_, part[0]);
  }

  // The tail first, while its inputs are certainly those given: a gradient may stand in its input's place.
  template <class Result>
  SAGE_INLINE void write_gradient(memory const& x, row<A> const& r, A* scratch, Result const& result) const {
    auto const wide_result = broadcast<V>(result);
    row<V> at = broadcast_row(r);
    auto const gradient_at = [&](index_t j, index_t block) SAGE_INLINE_LAMBDA {
      at.column = count_from<integer_of<V>>(j);
      lanes<V, gradients> g = gradient(formula_, load(x, j), at, kept_at(scratch, block), wide_result);
      SAGE_UNROLL
      for (int k = 0; k < gradients; ++k)
        if (x.mode[k] == gradient_mode::add) g[k] = load_pack<V>(x.out[k] + j) + g[k];
      return g;
    };
    lanes<V, gradients> tail;
    if (full_ < length_) tail = gradient_at(tail_start(), full_);
    for (index_t j = 0; j < full_; j += width) store(x, j, gradient_at(j, j));
    if (full_ < length_) store(x, tail_start(), tail);
  }

  SAGE_INLINE static lanes<V, inputs> load(memory const& x, index_t j) {
    lanes<V, inputs> r;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) r[k] = load_pack<V>(x.in[k] + j);
    return r;
  }
  SAGE_INLINE static void store(memory const& x, index_t j, lanes<V, gradients> const& g) {
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      if (x.mode[k] != gradient_mode::skip) store_pack(x.out[k] + j, g[k]);
  }
  SAGE_INLINE static kept_values<V> kept_at(A* scratch, index_t block) noexcept {
    return kept_values<V>(scratch + block * kept);
  }

  // The last pack of a row whose length is no multiple of the width; of a short row, the first.
  SAGE_INLINE index_t tail_start() const noexcept { return length_ > width ? length_ - width : 0; }
  SAGE_INLINE auto not_yet_done(index_t start) const noexcept {
    using integers = integer_of<V>;
    auto const column = count_from<integers>(start);
    return (column < broadcast_integer<integers>(length_)) & !(column < broadcast_integer<integers>(full_));
  }

  SAGE_INLINE static row<V> broadcast_row(row<A> const& r) {
    return {integer_of<V>{}, broadcast_integer<integer_of<V>>(r.label), V(r.length), V(r.upstream)};
  }

  SAGE_INLINE memory copied(strided_row<Problem> const& from, A* copies) const {
    memory x;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) {
      A* const to = copies + k * padded_;
      index_t const stride = p_.in[k].stride;
      for (index_t j = 0; j < length_; ++j) to[j] = static_cast<A>(from.in[k][j * stride]);
      for (index_t j = length_; j < padded_; ++j) to[j] = A(0);
      x.in[k] = to;
    }
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) {
      x.out[k] = copies + (inputs + k) * padded_;
      x.mode[k] = mode_[k] == gradient_mode::skip ? gradient_mode::skip : gradient_mode::write;
    }
    return x;
  }
  SAGE_INLINE void copy_back(strided_row<Problem> const& to, A const* copies) const {
    for (int k = 0; k < gradients; ++k) {
      if (mode_[k] == gradient_mode::skip) continue;
      A const* const from = copies + (inputs + k) * padded_;
      index_t const stride = p_.out[k].to.stride;
      bool const add = mode_[k] == gradient_mode::add;
      for (index_t j = 0; j < length_; ++j) {
        T& x = to.out[k][j * stride];
        x = static_cast<T>(add ? static_cast<A>(x) + from[j] : from[j]);
      }
    }
  }
  SAGE_INLINE void write_zeros(strided_row<Problem> const& to) const {
    for (int k = 0; k < gradients; ++k)
      if (mode_[k] == gradient_mode::write)
        for (index_t j = 0; j < length_; ++j) to.out[k][j * p_.out[k].to.stride] = static_cast<T>(A(0));
  }

  Problem const& p_;
  formula_type const formula_;
  index_t const length_, full_, padded_;
  bool const with_gradient_;
  bool direct_;
  lanes<gradient_mode, gradients> mode_;
};

#endif

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
