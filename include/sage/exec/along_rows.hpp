#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/exec/passes.hpp>
#include <sage/exec/row_copies.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/row_scratch.hpp>
#include <sage/exec/streaming.hpp>
#include <sage/exec/strided_row.hpp>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

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

#if SAGE_SIMD

/// Lanes along one row: the lanes of the pack V are neighbours in the row. For long rows.
///
/// The kernel works on the rows of row_copies. What is left of a row behind the last full pack is worked with the pack
/// that ends where the row ends: its first lanes, which an earlier pack has done, are masked in the state, and written
/// twice with the same gradient.
template <class V, class Problem>
class along_rows {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  using small = smallest_pack<V>;
  static constexpr int width = lane_traits<V>::width;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;
  static constexpr bool may_stream = kept == 0 && streams_with<V>;
  using copies_of_rows = row_copies<V, Problem>;
  using memory = typename copies_of_rows::contiguous_row;

 public:
  // What the kernel reads again and again is copied: it must not be thought to change with every store.
  SAGE_INLINE explicit along_rows(Problem const& p)
      : p_(p),
        formula_(p.formula),
        length_(p.length),
        full_(p.length / width * width),
        with_gradient_(p.with_gradient),
        copies_(p) {
    if constexpr (may_stream) streams_ = with_gradient_ && can_stream();
  }

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    index_t const kept_size = copies_.padded() * kept, copies_size = copies_.size();
    row_scratch<A> scratch(kept_size + copies_size);
    A* const copies = scratch.data() + kept_size;
    for (index_t i = first; i < last; ++i) {
      auto const& parameters = p_.parameters_of(i);
      strided_row<Problem> const from(p_, i);
      if (parameters.skipped) {
        p_.set_losses(i, [](int) { return A(0); });
        if (with_gradient_) write_zeros(from);
        continue;
      }
      row<A> const r{0, parameters.label, A(length_), parameters.upstream};
      one_row(i, copies_.load(from, copies), r, scratch.data());
      if (with_gradient_ && copies_size > 0) copies_.store(copies, from);
    }
    if constexpr (may_stream)
      if (streams_) end_streaming();
  }

 private:
  // What is computed of the whole row is computed in every lane of a small pack, which has neither calls nor branches.
  SAGE_INLINE void one_row(index_t i, memory const& x, row<A> const& r, A* scratch) const {
    row<V> const wide = broadcast_row<V>(r);
    auto const result =
        run_passes(formula_, broadcast_row<small>(r), typename formula_type::template passes<small>{},
                   [&]<class State>(State const&, auto const&... earlier) SAGE_INLINE_LAMBDA -> State {
                     using one = rebind_t<State, A>;
                     one known{};
                     if (foretold(formula_, known, first_lane(earlier)...)) return broadcast<small>(known);
                     return reduce<one>(x, wide, scratch, broadcast<V>(first_lane(earlier))...);
                   });
    if (with_gradient_) write(x, wide, scratch, broadcast<V>(first_lane(result)));
    p_.set_losses(i, [&](int t) SAGE_INLINE_LAMBDA { return loss_at(result.loss, t).v[0]; });
  }

  // One pass over the row: independent partial states hide the latency of the additions, and are joined in a fixed
  // order. GCC 12 keeps them in registers only if their subscripts are constants before it unrolls loops.
  template <class State, class... Earlier>
  SAGE_INLINE rebind_t<State, small> reduce(memory const& x, row<V> const& r, A* scratch,
                                            Earlier const&... earlier) const {
    constexpr int parts = partial_states<rebind_t<State, V>>;
    return reduce_in_parts<State>(std::make_integer_sequence<int, parts>{}, x, r, scratch, earlier...);
  }

  template <class State, int... K, class... Earlier>
  SAGE_INLINE rebind_t<State, small> reduce_in_parts(std::integer_sequence<int, K...>, memory const& x,
                                                     row<V> const& r, A* scratch,
                                                     Earlier const&... earlier) const {
    using wide = rebind_t<State, V>;
    constexpr int parts = sizeof...(K);
    bool const fetches_outputs =
        fetches_before_writing && may_be_last_pass<sizeof...(Earlier)> && with_gradient_ && !streams_;
    auto const visit = [&](wide& state, index_t j, index_t block) SAGE_INLINE_LAMBDA {
      accumulate(formula_, state, load(x, j), at_column(r, j), kept_at(scratch, block), earlier...);
    };
    static_assert(parts == 1 || parts == 2 || parts == 4, "sage: a state's partial_states is 1, 2 or 4");
    wide total{};
    if constexpr (parts > 1) {
      index_t j = 0;
      wide part[] = {(static_cast<void>(K), wide{})...};  // a loop over elements would need their address
      for (; j + parts * width <= full_; j += parts * width) {
        if (fetches_outputs) (prefetch_outputs(x, j + K * width), ...);
        (visit(part[K], j + K * width, j + K * width), ...);
      }
      for (; j < full_; j += width) {
        if (fetches_outputs) prefetch_outputs(x, j);
        visit(part[0], j, j);
      }
      formula_.combine(part[0], part[1]);
      if constexpr (parts == 4) {
        formula_.combine(part[2], part[3]);
        formula_.combine(part[0], part[2]);
      }
      total = part[0];
    } else {
      for (index_t j = 0; j < full_;) {
        index_t const end = std::min(full_, j + block_length * width);
        wide block{};
        for (; j < end; j += step_length * width) {
          index_t const step_end = std::min(end, j + step_length * width);
          for_each_step<wide>([&]<int I>(step<I> of) SAGE_INLINE_LAMBDA {
            for (index_t i = j; i < step_end; i += width) {
              if (I == 0 && fetches_outputs) prefetch_outputs(x, i);
              accumulate_step(of, formula_, block, load(x, i), at_column(r, i), kept_at(scratch, i),
                              earlier...);
            }
          });
        }
        formula_.combine(total, block);
      }
    }
    if (full_ < length_) {
      wide last = total;
      visit(last, tail_start(), full_);
      total = masked(not_yet_done(), last, total);
    }
    return join_all_lanes(formula_, total);
  }

  template <class Result>
  SAGE_INLINE void write(memory const& x, row<V> const& r, A* scratch, Result const& result) const {
    if constexpr (may_stream)
      if (streams_) return stream_gradient(x, r, result);
    write_gradient(x, r, scratch, result);
  }

  // What lives across the loops of many rows GCC may leave on the stack: loads then wait for stores whose addresses come
  // from there.
  template <class X>
  SAGE_INLINE static void keep_in_register([[maybe_unused]] X& x) noexcept {
#if defined(__GNUC__) && !defined(__clang__)
    __asm__("" : "+r"(x));
#endif
  }

  // The tail first, while its inputs are certainly those given: a gradient may stand in its input's place.
  template <class Result>
  SAGE_INLINE void write_gradient(memory const& x, row<V> const& r, A* scratch, Result const& result) const {
    lanes<V, gradients> tail{};
    if (full_ < length_) tail = gradient_at(x, r, scratch, result, tail_start(), full_);
    memory here = x;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) keep_in_register(here.in[k]);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) keep_in_register(here.out[k]);
    index_t end = full_;
    keep_in_register(end);
    for (index_t j = 0; j < end; j += width) {
      // Formulas that keep values compute for so long that the next row can be fetched meanwhile.
      if constexpr (kept > 0) prefetch_next_row(here, j);
      store(here, j, gradient_at(here, r, scratch, result, j, j));
    }
    if (full_ < length_) store(x, tail_start(), tail);
  }

  // The same past the caches, from the first aligned address on; what stands before and behind is stored last.
  template <class Result>
  SAGE_INLINE void stream_gradient(memory const& x, row<V> const& r, Result const& result) const {
    index_t const last = length_ - width;
    lanes<V, gradients> const head = gradient_at(x, r, nullptr, result, 0, 0);
    lanes<V, gradients> const tail = gradient_at(x, r, nullptr, result, last, 0);
    for (index_t j = misaligned_ == 0 ? 0 : width - misaligned_; j <= last; j += width) {
      lanes<V, gradients> const g = gradient_at(x, r, nullptr, result, j, 0);
      SAGE_UNROLL
      for (int k = 0; k < gradients; ++k) store_streaming(x.out[k] + j, g[k]);
    }
    store(x, 0, head);
    store(x, last, tail);
  }

  // At position j, whose kept values are those of `block`.
  template <class Result>
  SAGE_INLINE lanes<V, gradients> gradient_at(memory const& x, row<V> const& r, A* scratch,
                                              Result const& result, index_t j, index_t block) const {
    return gradient(formula_, load(x, j), at_column(r, j), kept_at(scratch, block), result);
  }

  // Large outputs that are all written in place, and all misaligned alike, by whole elements.
  SAGE_INLINE bool can_stream() noexcept {
    constexpr auto bytes = static_cast<std::uintptr_t>(sizeof(V));
    std::uintptr_t misaligned = 0;
    for (int k = 0; k < gradients; ++k) {
      auto const& to = p_.out[k].to;
      if (!copies_.writes_in_place(k) || to.outer_rank != 1 || to.outer[0].stride % width != 0) return false;
      auto const at = reinterpret_cast<std::uintptr_t>(to.data) % bytes;
      if (k > 0 && at != misaligned) return false;
      misaligned = at;
    }
    misaligned_ = static_cast<index_t>(misaligned / sizeof(A));
    return gradients * p_.rows * length_ * static_cast<index_t>(sizeof(A)) >= streaming_bytes;
  }

  // The last pass, and the one before it where that tells what the last would sum.
  template <std::size_t Earlier>
  static constexpr bool may_be_last_pass = Earlier + (spares_last_pass<formula_type> ? 2 : 1) >=
                                           pass_count<typename formula_type::template passes<A>>;

  // Gradients are written soon after the last pass. Their lines are fetched while it computes, if it computes for long;
  // where it does not, only vectors of 64 bytes write faster than the processor fetches on its own: with those of 32
  // bytes, triplets in the caches take 10 to 20 % longer for it (an EPYC; set it to true, and `cmake/run.sh bench --filter
  // triplet/value_and_grad` beside this one).
  static constexpr bool fetches_before_writing = kept > 0 || sizeof(V) == 64;

  SAGE_INLINE static void prefetch_outputs(memory const& x, index_t j) {
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) prefetch_for_write(x.out[k] + j);
  }
  SAGE_INLINE void prefetch_next_row(memory const& x, index_t j) const {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) prefetch_for_read(x.in[k] + length_ + j);
  }

  SAGE_INLINE static lanes<V, inputs> load(memory const& x, index_t j) {
    lanes<V, inputs> r;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) r[k] = load_pack<V>(x.in[k] + j);
    return r;
  }
  SAGE_INLINE static void store(memory const& x, index_t j, lanes<V, gradients> const& g) {
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) store_pack(x.out[k] + j, g[k]);
  }
  SAGE_INLINE static kept_values<V> kept_at(A* scratch, index_t block) noexcept {
    return kept_values<V>(scratch + block * kept);
  }

  // The last pack of a row whose length is no multiple of the width; of a short row, the first.
  SAGE_INLINE index_t tail_start() const noexcept { return length_ > width ? length_ - width : 0; }
  SAGE_INLINE auto not_yet_done() const noexcept {
    using integers = integer_of<V>;
    auto const column = count_from<integers>(tail_start());
    return (column < broadcast_integer<integers>(length_)) & !(column < broadcast_integer<integers>(full_));
  }

  template <class Lanes>
  SAGE_INLINE static row<Lanes> broadcast_row(row<A> const& r) {
    return {integer_of<Lanes>{}, broadcast_integer<integer_of<Lanes>>(r.label), Lanes(r.length),
            Lanes(r.upstream)};
  }

  SAGE_INLINE static row<V> at_column(row<V> const& r, [[maybe_unused]] index_t j) {
    row<V> at = r;
    if constexpr (uses_column<formula_type>) at.column = count_from<integer_of<V>>(j);
    return at;
  }

  SAGE_INLINE void write_zeros(strided_row<Problem> const& to) const {
    for (int k = 0; k < gradients; ++k)
      if (p_.out[k].mode == gradient_mode::write)
        for (index_t j = 0; j < length_; ++j) to.out[k][j * p_.out[k].to.stride] = static_cast<T>(A(0));
  }

  Problem const& p_;
  formula_type const formula_;
  index_t const length_, full_;
  bool const with_gradient_;
  copies_of_rows const copies_;
  bool streams_ = false;
  index_t misaligned_ = 0;  // elements beyond an aligned address
};

#endif

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
