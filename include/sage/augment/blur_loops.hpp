#pragma once

#include <sage/augment/row_loops.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>

/// The inner loop of a separable blur with the symmetric kernel w_0 … w_radius: many lines side by side, one to a
/// lane. A line has its neighbouring positions `Pitch` elements apart.
///
///   y_i = w_0 x_i + Σ_k w_k (x_{i−k} + x_{i+k}),    k = 1 … radius
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Neighbouring positions whose sums are built together: from tap k to tap k + 1 what they need slides by one position
/// on either side of them.
inline constexpr index_t blur_block = 4;

/// The sums of a block. Those of odd and of even taps are added apart, for a multiply-add takes as long as it takes to
/// begin eight. With six positions that slide, a weight and an operand they take all of 16 registers: positions change
/// their names and not their registers, and one that is needed in the next step only is loaded again.
template <index_t Pitch, class V, class A>
struct block_sums {
  A const* weight;  // of the next tap
  index_t left;     // taps
  A const *below, *above, *again;
  V even[blur_block], odd[blur_block];

  /// Tap k from here of the positions below1 … and above0 …; true where it is the last. below3 becomes the next step's
  /// below1, above0 its above2. Additions and multiply-adds come in pairs: one after the other they take a tenth longer
  /// on Zen 3.
  SAGE_INLINE bool add(index_t k, V (&sum)[blur_block], V const& below1, V const& below2, V& below3,
                       V& above0, V const& above1, V const& above2) {
    V const w = broadcast_from<V>(weight + k);
    above0 = above0 + load_lanes<V>(below - k * Pitch);
    V const inner = below1 + above1;
    sum[0] = multiply_add(w, above0, sum[0]);
    sum[1] = multiply_add(w, inner, sum[1]);
    above0 = load_lanes<V>(above + k * Pitch);
    below3 = below3 + above0;
    V const other = below2 + above2;
    sum[3] = multiply_add(w, below3, sum[3]);
    sum[2] = multiply_add(w, other, sum[2]);
    below3 = load_lanes<V>(again - k * Pitch);
    return left == k + 1;
  }
};

/// The positions x[0], …, x[3 · Pitch] of as many lines as V has lanes, to to[0], …, to[3 · pitch].
template <index_t Pitch, class V, class A>
SAGE_INLINE void blur_positions(A const* weight, index_t radius, A const* x, A* to, index_t pitch) {
  block_sums<Pitch, V, A> s;
  V const w = broadcast_from<V>(weight);
  V below1 = load_lanes<V>(x), below2 = load_lanes<V>(x + Pitch), below3 = load_lanes<V>(x + 2 * Pitch);
  V above0 = below2, above1 = below3, above2 = load_lanes<V>(x + 3 * Pitch);
  s.even[0] = w * below1, s.even[1] = w * below2, s.even[2] = w * below3, s.even[3] = w * above2;
  s.odd[0] = s.odd[1] = s.odd[2] = s.odd[3] = zero_lanes<V>();
  if (radius > 0) {
    s.weight = weight + 1, s.left = radius;
    s.below = x - Pitch, s.above = x + 4 * Pitch, s.again = s.below;
#if defined(__GNUC__)
    __asm__(""
            : "+r"(s.again));  // or a compiler keeps what it has seen at `below`, and has a register too few
#endif
    for (;;) {
      if (s.add(0, s.odd, below1, below2, below3, above0, above1, above2)) break;
      if (s.add(1, s.even, below3, below1, below2, above1, above2, above0)) break;
      if (s.add(2, s.odd, below2, below3, below1, above2, above0, above1)) break;
      if (s.add(3, s.even, below1, below2, below3, above0, above1, above2)) break;
      if (s.add(4, s.odd, below3, below1, below2, above1, above2, above0)) break;
      if (s.add(5, s.even, below2, below3, below1, above2, above0, above1)) break;
      s.weight += 6, s.left -= 6, s.below -= 6 * Pitch, s.again -= 6 * Pitch, s.above += 6 * Pitch;
    }
  }
  SAGE_UNROLL
  for (index_t q = 0; q < blur_block; ++q) store_lanes<V>(to + q * pitch, s.even[q] + s.odd[q]);
}

/// Positions 0 … n − 1 of `packs` packs of lines, n a multiple of blur_block: to[i · pitch], from x[i · Pitch], which has
/// positions −radius … n + radius − 1. Calls meanwhile(b) before block b of a line.
template <class V, index_t Pitch, class A, class F = no_work>
SAGE_INLINE void blur_lines_of(A const* weight, index_t radius, A const* x, index_t n, index_t packs, A* to,
                               index_t pitch, F const& meanwhile = {}) {
  for (index_t p = 0; p < packs * lane_traits<V>::width; p += lane_traits<V>::width)
    for (index_t i = 0; i < n; i += blur_block) {
      meanwhile(i / blur_block);
      blur_positions<Pitch, V>(weight, radius, x + i * Pitch + p, to + i * pitch + p, pitch);
    }
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
