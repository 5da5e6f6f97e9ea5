#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/exec/passes.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/transpose.hpp>
#include <sage/math/half_rows.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <type_traits>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Lanes across rows: lane l of the pack V works on row i + l, column after column. For short rows, where a vector
/// along the row would be mostly tail, and what is done once for a row most of the work. As many rows as a pack has
/// lanes are a group; where the columns are few, several groups are worked together.
template <class V, class Problem>
class across_rows {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  using integers = integer_of<V>;
  using lane_integer = std::remove_cvref_t<decltype(integers{}.b[0])>;
  static constexpr int width = lane_traits<V>::width;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;

  // A tile stays in the first-level cache. Transposing longer rows pays where much is computed of every element, as
  // formulas do that keep it, and where it is done in registers.
  static constexpr bool in_registers = sage::detail::loads_as<V, T>, takes_longer = kept > 0 && in_registers;
  static constexpr index_t tile_bytes = 40 * 1024, few_columns = 32, few_positions = 48;
  static constexpr index_t position_bytes = static_cast<index_t>(sizeof(V)) * (inputs + kept + gradients);
  static constexpr index_t most_columns =
      takes_longer ? std::clamp<index_t>(tile_bytes / position_bytes, few_columns, 128) : few_columns;
  static constexpr index_t scratch_size = most_columns * kept * width;
  static constexpr int most_groups = 8;

 public:
  /// Are the problem's rows short, and enough?
  SAGE_INLINE static bool serves(Problem const& p) noexcept {
    return p.length <= most_columns && p.rows > (p.length <= few_columns ? 1 : width - 1);
  }

  // What the kernel reads again and again is copied: it must not be thought to change with every store.
  SAGE_INLINE explicit across_rows(Problem const& p)
      : p_(p),
        formula_(p.formula),
        length_(p.length),
        groups_(std::clamp<index_t>(std::min(few_positions, most_columns) / std::max<index_t>(p.length, 1), 1,
                                    most_groups)) {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) in_blocks_[k] = in_blocks(p.in[k]);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      out_in_blocks_[k] = in_blocks(p.out[k].to) && p.out[k].mode == gradient_mode::write;
  }

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    places x;
    if (p_.parameters == nullptr)
      for (int g = 0; g < groups_; ++g)
        for (int l = 0; l < width; ++l) x.set_parameters(g, l, p_.uniform);
    index_t const at_once = groups_ * width;
    for (index_t i = first; i < last; i += at_once)
      rows_from(x, i, static_cast<int>(last - i < at_once ? last - i : at_once));
  }

 private:
  // A transposed copy of rows: the lanes of one column are neighbours, and the columns of a group.
  template <int Operands>
  struct tile {
    alignas(64) A x[Operands > 0 ? Operands : 1][most_columns][width];
  };
  // One for each group, made where it stands and used there: GCC 12 copies what holds packs by parts of them, or by
  // string moves.
  template <class X>
  class of_groups {
   public:
    SAGE_INLINE X& operator[](int g) noexcept { return *std::launder(reinterpret_cast<X*>(bytes_) + g); }
    SAGE_INLINE X const& operator[](int g) const noexcept {
      return *std::launder(reinterpret_cast<X const*>(bytes_) + g);
    }
    template <class Make>
    SAGE_INLINE void emplace(int g, Make const& make) noexcept {
      ::new (static_cast<void*>(bytes_ + static_cast<std::size_t>(g) * sizeof(X))) X(make());
    }

   private:
    alignas(64) unsigned char bytes_[most_groups * sizeof(X)];
  };
  // What the passes work on.
  struct places {
    int groups;
    tile<inputs> in;
    alignas(64) A scratch[scratch_size > 0 ? scratch_size : 1];
    alignas(64) A upstream[most_groups][width];
    alignas(64) lane_integer label[most_groups][width];
    bool skipped[most_groups][width];
    bool any_skipped = false;

    SAGE_INLINE void set_parameters(int g, int l, row_parameters<A> const& of) noexcept {
      upstream[g][l] = of.upstream;
      label[g][l] = static_cast<lane_integer>(of.label);
      skipped[g][l] = of.skipped;
      any_skipped = any_skipped || of.skipped;
    }
  };
  SAGE_INLINE row<V> row_of(places const& x, int g) const noexcept {
    row<V> r;
    __builtin_memcpy(&r.label.b, x.label[g], sizeof r.label.b);
    r.upstream = load_pack<V>(x.upstream[g]);
    r.length = V(A(length_));
    return r;
  }

  SAGE_INLINE void rows_from(places& x, index_t i, int count) const {
    x.groups = (count + width - 1) / width;
    auto const rows_of = [&](int g) { return count - g * width < width ? count - g * width : width; };
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k)
      for (int g = 0; g < x.groups; ++g) load(&x.in.x[k][g * length_], k, i + g * width, rows_of(g));
    if (p_.parameters != nullptr) {
      x.any_skipped = false;
      for (int g = 0; g < x.groups; ++g)
        for (int l = 0; l < width; ++l)
          x.set_parameters(g, l, p_.parameters[l < rows_of(g) ? i + g * width + l : i]);
    }

    run(typename formula_type::template passes<V>{}, x, [&](auto const& results) SAGE_INLINE_LAMBDA {
      for (int g = 0; g < x.groups; ++g) {
        SAGE_UNROLL
        for (int n = 0; n < losses_of<formula_type>; ++n) {
          V const loss = loss_at(results[g].loss, n);
          A* const to = p_.losses + n * p_.rows + i + g * width;
          if (rows_of(g) == width && !x.any_skipped) {
            store_pack(to, loss);
          } else {
            for (int l = 0; l < rows_of(g); ++l)
              to[l] = x.any_skipped && x.skipped[g][l] ? A(0) : A(loss.v[l]);
          }
        }
      }
      if (!p_.with_gradient) return;

      tile<gradients> d;
      for (int g = 0; g < x.groups; ++g) {
        auto const& result = results[g];
        for_each_column(x, g,
                        [&](auto const& in, auto const& at, auto const& k, index_t j) SAGE_INLINE_LAMBDA {
                          auto const of = gradient(formula_, in, at, k, result);
                          SAGE_UNROLL
                          for (int o = 0; o < gradients; ++o) store_pack(d.x[o][j], of[o]);
                        });
      }
      SAGE_UNROLL
      for (int k = 0; k < gradients; ++k) {
        if (p_.out[k].mode == gradient_mode::skip) continue;
        if (x.any_skipped)
          for (int g = 0; g < x.groups; ++g)
            for (int l = 0; l < width; ++l)
              if (x.skipped[g][l])
                for (index_t j = 0; j < length_; ++j) d.x[k][g * length_ + j][l] = A(0);
        for (int g = 0; g < x.groups; ++g) store(&d.x[k][g * length_], k, i + g * width, rows_of(g));
      }
    });
  }

  // Pass by pass, and step by step, over all groups: one of so few columns would keep the processor waiting.
  template <class Then, class... Earlier>
  SAGE_INLINE void run(pass_list<>, places& x, Then const& then, Earlier const&... earlier) const {
    of_groups<decltype(formula_.finalize(row_of(x, 0), earlier[0]...))> results;
    for (int g = 0; g < x.groups; ++g)
      results.emplace(g, [&]() SAGE_INLINE_LAMBDA { return formula_.finalize(row_of(x, g), earlier[g]...); });
    then(results);
  }
  template <class State, class... Later, class Then, class... Earlier>
  SAGE_INLINE void run(pass_list<State, Later...>, places& x, Then const& then,
                       Earlier const&... earlier) const {
    of_groups<State> total;
    if constexpr (sums_nothing<State>) {
      for (int g = 0; g < x.groups; ++g) total.emplace(g, []() SAGE_INLINE_LAMBDA { return State{}; });
    } else {
      for_each_step<State>([&]<int I>(step<I> of) SAGE_INLINE_LAMBDA {
        for (int g = 0; g < x.groups; ++g) {
          State state{};
          for_each_column(x, g,
                          [&](auto const& in, auto const& at, auto const& k, index_t) SAGE_INLINE_LAMBDA {
                            accumulate_step(of, formula_, state, in, at, k, earlier[g]...);
                          });
          if constexpr (I == 0) {
            total.emplace(g, [&]() SAGE_INLINE_LAMBDA { return state; });
          } else {
            formula_.combine(total[g], state);
          }
        }
      });
    }
    if constexpr (concludes<formula_type, State, row<V>, std::remove_cvref_t<decltype(earlier[0])>...>) {
      of_groups<decltype(formula_.conclude(total[0], row_of(x, 0), earlier[0]...))> conclusions;
      for (int g = 0; g < x.groups; ++g)
        conclusions.emplace(
            g, [&]() SAGE_INLINE_LAMBDA { return formula_.conclude(total[g], row_of(x, g), earlier[g]...); });
      run(pass_list<Later...>{}, x, then, earlier..., conclusions);
    } else {
      run(pass_list<Later...>{}, x, then, earlier..., total);
    }
  }
  // f(operands, place in the row, kept values, position in the tile) at the columns of a group.
  template <class F>
  SAGE_INLINE void for_each_column(places& x, int g, F const& f) const {
    row<V> at = row_of(x, g);
    for (index_t j = 0; j < length_; ++j) {
      index_t const position = g * length_ + j;
      if constexpr (uses_column<formula_type>) at.column = broadcast_integer<integers>(j);
      f(column(x.in, position), at, kept_at(x.scratch, position), position);
    }
  }

  SAGE_INLINE static lanes<V, inputs> column(tile<inputs> const& t, index_t j) noexcept {
    lanes<V, inputs> x;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) x[k] = load_pack<V>(t.x[k][j]);
    return x;
  }
  SAGE_INLINE static kept_values<V> kept_at(A* scratch, index_t j) noexcept {
    return kept_values<V>(scratch + j * kept * width);
  }

  // Rows that can be transposed in registers.
  template <class E>
  SAGE_INLINE static bool in_blocks(rows_view<E> const& rows) noexcept {
    return in_registers && rows.stride == 1 && rows.outer_rank == 1;
  }

  // f(first row, elements) of the rows of a group that are converted together: all, where no gap is between them.
  template <class F>
  SAGE_INLINE void for_each_run(index_t pitch, F const& f) const {
    if (pitch == length_) return f(0, width * length_);
    for (index_t l = 0; l < width; ++l) f(l, length_);
  }

  // Lanes beyond the last row repeat the first one: they compute something harmless that nobody stores.
  SAGE_INLINE void load(A (*to)[width], int k, index_t i, int count) const {
    auto const& in = p_.in[k];
    if constexpr (in_registers) {
      if (in_blocks_[k] && count == width) {
        index_t const pitch = in.outer[0].stride;
        if constexpr (__is_same(T, A)) {
          rows_to_columns<width>(in.data + i * pitch, pitch, length_, to[0]);
        } else {
          alignas(64) A rows[width * most_columns];
          for_each_run(pitch, [&](index_t l, index_t length) SAGE_INLINE_LAMBDA {
            sage::detail::widen_row<V>(in.data + (i + l) * pitch, length, rows + l * length_);
          });
          rows_to_columns<width>(rows, length_, length_, to[0]);
        }
        return;
      }
    }
    for (int l = 0; l < width; ++l) {
      T const* const from = in.row(l < count ? i + l : i);
      for (index_t j = 0; j < length_; ++j) to[j][l] = static_cast<A>(from[j * in.stride]);
    }
  }

  SAGE_INLINE void store(A const (*from)[width], int k, index_t i, int count) const {
    auto const& out = p_.out[k];
    if constexpr (in_registers) {
      if (out_in_blocks_[k] && count == width) {
        index_t const pitch = out.to.outer[0].stride;
        if constexpr (__is_same(T, A)) {
          columns_to_rows<width>(from[0], out.to.data + i * pitch, pitch, length_);
        } else {
          alignas(64) A rows[width * most_columns];
          columns_to_rows<width>(from[0], rows, length_, length_);
          for_each_run(pitch, [&](index_t l, index_t length) SAGE_INLINE_LAMBDA {
            sage::detail::round_row<V>(rows + l * length_, length, out.to.data + (i + l) * pitch);
          });
        }
        return;
      }
    }
    bool const add = out.mode == gradient_mode::add;
    index_t const stride = out.to.stride;
    for (int l = 0; l < count; ++l) {
      T* const to = out.to.row(i + l);
      for (index_t j = 0; j < length_; ++j) {
        A const d = from[j][l];
        to[j * stride] = static_cast<T>(add ? static_cast<A>(to[j * stride]) + d : d);
      }
    }
  }

  Problem const& p_;
  formula_type const formula_;
  index_t const length_, groups_;
  lanes<bool, inputs> in_blocks_;
  lanes<bool, gradients> out_in_blocks_;
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
