#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/kept_values.hpp>
#include <sage/exec/passes.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/transpose.hpp>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// The longest rows that are worked with one row per lane: a tile of them stays in the first-level cache.
inline constexpr index_t across_rows_limit = 32;

/// Lanes across rows: lane l of the pack V works on row i + l, column after column. For short rows, where a vector
/// along the row would be mostly tail.
template <class V, class Problem>
class across_rows {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  using integers = integer_of<V>;
  static constexpr int width = lane_traits<V>::width;
  static constexpr int inputs = formula_type::inputs;
  static constexpr int gradients = formula_type::gradients;
  static constexpr int kept = kept_by<formula_type>;

 public:
  // What the kernel reads again and again is copied: it must not be thought to change with every store.
  SAGE_INLINE explicit across_rows(Problem const& p) : p_(p), formula_(p.formula), length_(p.length) {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) in_blocks_[k] = in_blocks(p.in[k]);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      out_in_blocks_[k] = in_blocks(p.out[k].to) && p.out[k].mode == gradient_mode::write;
  }

  SAGE_INLINE void operator()(index_t first, index_t last) const {
    for (index_t i = first; i < last; i += width)
      rows_from(i, static_cast<int>(last - i < width ? last - i : width));
  }

 private:
  // A transposed copy of rows: the lanes of one column are neighbours.
  template <int Operands>
  struct tile {
    alignas(64) A x[Operands > 0 ? Operands : 1][across_rows_limit][width];
  };

  SAGE_INLINE void rows_from(index_t i, int count) const {
    tile<inputs> t;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) load(t.x[k], k, i, count);
    alignas(64) A scratch[kept > 0 ? across_rows_limit * kept * width : 1];
    row<V> r;
    bool skipped[width];
    bool any_skipped = false;
    if (p_.parameters == nullptr) {
      r.upstream = V(p_.uniform.upstream);
      r.label = broadcast_integer<integers>(p_.uniform.label);
    } else {
      alignas(64) A upstream[width];
      for (int l = 0; l < width; ++l) {
        auto const& parameters = p_.parameters[l < count ? i + l : i];
        upstream[l] = parameters.upstream;
        set_lane(r.label, l, parameters.label);
        skipped[l] = parameters.skipped;
        any_skipped |= skipped[l];
      }
      r.upstream = load_pack<V>(upstream);
    }
    r.length = V(A(length_));

    auto const result =
        run_passes(formula_, r, typename formula_type::template passes<V>{},
                   [&](auto const& neutral, auto const&... earlier) SAGE_INLINE_LAMBDA {
                     auto state = neutral;
                     row<V> at = r;
                     for (index_t j = 0; j < length_; ++j) {
                       if constexpr (uses_column<formula_type>) at.column = broadcast_integer<integers>(j);
                       accumulate(formula_, state, column(t, j), at, kept_at(scratch, j), earlier...);
                     }
                     return state;
                   });
    SAGE_UNROLL
    for (int n = 0; n < losses_of<formula_type>; ++n) {
      V const& loss = loss_at(result.loss, n);
      A* const to = p_.losses + n * p_.rows + i;
      if (count == width && !any_skipped) {
        store_pack(to, loss);
      } else {
        for (int l = 0; l < count; ++l) to[l] = any_skipped && skipped[l] ? A(0) : A(loss.v[l]);
      }
    }
    if (!p_.with_gradient) return;

    tile<gradients> g;
    row<V> at = r;
    for (index_t j = 0; j < length_; ++j) {
      if constexpr (uses_column<formula_type>) at.column = broadcast_integer<integers>(j);
      auto const d = gradient(formula_, column(t, j), at, kept_at(scratch, j), result);
      SAGE_UNROLL
      for (int k = 0; k < gradients; ++k) store_pack(g.x[k][j], d[k]);
    }
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) {
      if (p_.out[k].mode == gradient_mode::skip) continue;
      if (any_skipped)
        for (int l = 0; l < count; ++l)
          if (skipped[l])
            for (index_t j = 0; j < length_; ++j) g.x[k][j][l] = A(0);
      store(g.x[k], k, i, count);
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

  // Rows of floats that can be transposed in registers, four by four.
  template <class E>
  SAGE_INLINE static bool in_blocks(rows_view<E> const& rows) noexcept {
    return __is_same(T, float) && rows.stride == 1 && rows.outer_rank == 1;
  }

  // Lanes beyond the last row repeat the first one: they compute something harmless that nobody stores.
  SAGE_INLINE void load(A (&to)[across_rows_limit][width], int k, index_t i, int count) const {
    auto const& in = p_.in[k];
    if constexpr (__is_same(T, float)) {
      if (in_blocks_[k] && count == width) {
        index_t const pitch = in.outer[0].stride;
        rows_to_columns<width>(in.data + i * pitch, pitch, length_, &to[0][0]);
        return;
      }
    }
    for (int l = 0; l < width; ++l) {
      T const* const from = in.row(l < count ? i + l : i);
      for (index_t j = 0; j < length_; ++j) to[j][l] = static_cast<A>(from[j * in.stride]);
    }
  }

  SAGE_INLINE void store(A const (&from)[across_rows_limit][width], int k, index_t i, int count) const {
    auto const& out = p_.out[k];
    if constexpr (__is_same(T, float)) {
      if (out_in_blocks_[k] && count == width) {
        index_t const pitch = out.to.outer[0].stride;
        columns_to_rows<width>(&from[0][0], out.to.data + i * pitch, pitch, length_);
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

  SAGE_INLINE static void set_lane(integers& to, int l, index_t x) noexcept {
    to.b[l] = static_cast<std::remove_cvref_t<decltype(to.b[0])>>(x);
  }

  Problem const& p_;
  formula_type const formula_;
  index_t const length_;
  lanes<bool, inputs> in_blocks_;
  lanes<bool, gradients> out_in_blocks_;
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
