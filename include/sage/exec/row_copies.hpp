#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/exec/strided_row.hpp>
#include <sage/math/half_rows.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/lanes.hpp>

#if SAGE_SIMD

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Rows for a kernel that works on contiguous elements of the accumulator's type, at least one pack V long, and writes
/// every gradient. Operands that are so are used where they stand. Others (strided, of halves, short) are copied to
/// scratch first; gradients that are something else (also those to be added, and those that nobody wants) go by way of it.
template <class V, class Problem>
class row_copies {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  static constexpr int width = lane_traits<V>::width;
  static constexpr int inputs = Problem::formula_type::inputs;
  static constexpr int gradients = Problem::formula_type::gradients;

 public:
  struct contiguous_row {
    lanes<A const*, inputs> in;
    lanes<A*, gradients> out;
  };

  SAGE_INLINE explicit row_copies(Problem const& p) noexcept
      : p_(p), length_(p.length), padded_((p.length + width - 1) / width * width) {
    bool const as_it_is = __is_same(T, A) && length_ >= width;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) in_place_[k] = as_it_is && p.in[k].stride == 1;
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      out_in_place_[k] = as_it_is && p.out[k].mode == gradient_mode::write && p.out[k].to.stride == 1;
  }

  /// The length of a row in whole packs.
  SAGE_INLINE index_t padded() const noexcept { return padded_; }
  SAGE_INLINE bool writes_in_place(int k) const noexcept { return out_in_place_[k]; }

  /// How much scratch the copies take: none where every operand is used in its place.
  SAGE_INLINE index_t size() const noexcept {
    bool copies = false;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) copies = copies || !in_place_[k];
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) copies = copies || (p_.with_gradient && !out_in_place_[k]);
    return copies ? padded_ * (inputs + gradients) : 0;
  }

  /// The row where it stands, and in `copies` what cannot be used there.
  SAGE_INLINE contiguous_row load(strided_row<Problem> const& from, A* copies) const {
    contiguous_row x;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) {
      A* const to = copies + k * padded_;
      x.in[k] = to;
      if (in_place_[k]) {
        if constexpr (__is_same(T, A)) x.in[k] = from.in[k];
        continue;
      }
      index_t const stride = p_.in[k].stride;
      if (stride == 1) {
        sage::detail::widen_row<V>(from.in[k], length_, to);
      } else {
        for (index_t j = 0; j < length_; ++j) to[j] = static_cast<A>(from.in[k][j * stride]);
      }
      for (index_t j = length_; j < padded_; ++j) to[j] = A(0);
    }
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) {
      x.out[k] = copies + (inputs + k) * padded_;
      if constexpr (__is_same(T, A))
        if (out_in_place_[k]) x.out[k] = from.out[k];
    }
    return x;
  }

  /// The gradients that were written to `copies`, to where they belong.
  SAGE_INLINE void store(A const* copies, strided_row<Problem> const& to) const {
    for (int k = 0; k < gradients; ++k) {
      if (out_in_place_[k] || p_.out[k].mode == gradient_mode::skip) continue;
      A const* const from = copies + (inputs + k) * padded_;
      index_t const stride = p_.out[k].to.stride;
      bool const add = p_.out[k].mode == gradient_mode::add;
      if (stride == 1) {
        if (add) {
          sage::detail::add_row<V>(from, length_, to.out[k]);
        } else {
          sage::detail::round_row<V>(from, length_, to.out[k]);
        }
        continue;
      }
      for (index_t j = 0; j < length_; ++j) {
        T& x = to.out[k][j * stride];
        x = static_cast<T>(add ? static_cast<A>(x) + from[j] : from[j]);
      }
    }
  }

 private:
  Problem const& p_;
  index_t const length_, padded_;
  lanes<bool, inputs> in_place_;
  lanes<bool, gradients> out_in_place_;
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage

#endif
