#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/formula/candidates.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/formula/sorted_triplets.hpp>
#include <sage/math/functions.hpp>

#include <concepts>
#include <limits>

namespace sage {
SAGE_ABI_BEGIN

/// Which triplets of an anchor with the samples of its batch make its loss; positives carry its label,
/// negatives another.
///
/// batch_hard: one triplet, of the farthest positive and the nearest negative, the first ones where several
/// are equal. Source: Hermans et al., arXiv 1703.07737; pytorch-metric-learning's BatchHardMiner.
struct batch_hard {
  static constexpr bool one_triplet = true;
};

/// All triplets.
/// Source: Hermans et al., arXiv 1703.07737; pytorch-metric-learning's TripletMarginLoss without a miner.
struct batch_all {
  static constexpr bool one_triplet = false;
  /// 1 for a triplet with d(a, n) − d(a, p) = gap that is taken, else 0.
  template <class V>
  SAGE_INLINE static V takes(V const&, V const&) noexcept {
    return V(1);
  }
  /// Is the negative nearer, or farther, than those that are taken with this positive?
  template <class A>
  static constexpr bool too_near(A const&) noexcept {
    return false;
  }
  template <class A>
  static constexpr bool too_far(A const&, A const&) noexcept {
    return false;
  }
};

/// The triplets whose negative is farther than the positive, but by no more than the margin:
/// 0 < d(a, n) − d(a, p) ≤ m.
/// Source: Schroff et al., CVPR 2015; pytorch-metric-learning's TripletMarginMiner(margin, "semihard").
struct semi_hard {
  static constexpr bool one_triplet = false;
  template <class V>
  SAGE_INLINE static V takes(V const& gap, V const& margin) noexcept {
    return math::select(gap > V(0), math::select(gap <= margin, V(1), V(0)), V(0));
  }
  template <class A>
  static constexpr bool too_near(A const& gap) noexcept {
    return !(gap > A(0));
  }
  template <class A>
  static constexpr bool too_far(A const& gap, A const& margin) noexcept {
    return !(gap <= margin);
  }
};

namespace detail {

/// For each positive the negatives that are taken lie between two distances.
template <class Mining>
concept band_mining = requires(double x) {
  { Mining::too_near(x) } -> std::same_as<bool>;
  { Mining::too_far(x, x) } -> std::same_as<bool>;
};

/// The loss of an anchor, Σ h(m + d(a, p) − d(a, n)) over the triplets that `Mining` takes. The choice of the
/// triplets is not differentiated.
template <class Mining, class Hinge>
struct mining_rule {
  double margin = 0.2;
  index_t const* labels = nullptr;

  static constexpr bool counts_labels = false;  // the triplets depend on the distances
  static constexpr bool takes_positives = false;
  template <class A>
  static constexpr bool sorts = band_mining<Mining> && std::same_as<Hinge, hinge::clamp> &&
                                (std::same_as<A, float> || std::same_as<A, double>);

  template <class V, class A>
  SAGE_INLINE rating<A> rate(candidates<A> const& c) const {
    c.clear_weights();
    A const far = std::numeric_limits<A>::max();
    bool has_positive = false, has_negative = false;
    index_t positives = 0, negatives = 0;
    for (index_t j = 0; j < c.padded(); ++j) {
      c.scratch[j] = far;
      if (j >= c.count || j == c.own || (c.left_out && c.left_out[j])) continue;
      bool const same = labels[j] == labels[c.query];
      (same ? has_positive : has_negative) = true;
      if (is_non_finite(c.distance[j])) continue;
      (same ? positives : negatives) += 1;
      if (!same) c.scratch[j] = c.distance[j];
    }
    if (has_positive && has_negative &&
        is_non_finite(c.distance[c.own])) {  // the anchor itself is infinite or NaN
      A const nan = std::numeric_limits<A>::quiet_NaN();
      if (c.weight) c.weight[c.own] = nan;
      return {nan, 1, 0};
    }
    if (positives == 0 || negatives == 0) return {};
    if constexpr (Mining::one_triplet) {
      return hardest(c);
    } else if constexpr (sorts<A>) {
      neighbour<A>*positive = c.neighbours, *negative = c.neighbours + positives;
      for (index_t j = 0; j < c.count; ++j) {
        neighbour<A> const x{c.distance[j], static_cast<std::uint32_t>(j)};
        if (is_positive(c, j)) *positive++ = x;
        if (c.scratch[j] < far) *negative++ = x;
      }
      return rate_sorted<Mining>(c, A(margin), positives, negatives);
    } else {
      rating<A> r;
      using wide = wide_t<A>;
      wide sum = wide(0);
      for (index_t j = 0; j < c.count; ++j)
        if (is_positive(c, j)) sum = sum + wide(with_positive<V>(c, j, r));
      r.loss = static_cast<A>(sum);
      return r;
    }
  }

 private:
  template <class A>
  SAGE_INLINE bool is_positive(candidates<A> const& c, index_t j) const noexcept {
    return j != c.own && labels[j] == labels[c.query] && c.usable(j);
  }

  template <class A>
  SAGE_INLINE rating<A> hardest(candidates<A> const& c) const {
    index_t p = -1, n = -1;
    for (index_t j = 0; j < c.count; ++j) {
      if (is_positive(c, j) && (p < 0 || c.distance[j] > c.distance[p])) p = j;
      if (c.scratch[j] < std::numeric_limits<A>::max() && (n < 0 || c.distance[j] < c.distance[n])) n = j;
    }
    A const x = A(margin) + c.distance[p] - c.distance[n];
    if (c.weight) {
      A const slope = Hinge::slope(x);
      c.weight[p] = slope;
      c.weight[n] = -slope;
    }
    A const loss = Hinge::value(x);
    return {loss, 1, loss > A(0) ? 1 : 0};
  }

  // All triplets with positive p: the sum of their losses.
  template <class V, class A>
  SAGE_INLINE A with_positive(candidates<A> const& c, index_t p, rating<A>& r) const {
    V const zero = V(0), m = V(A(margin)), d_p = V(c.distance[p]), far = V(std::numeric_limits<A>::max());
    V sum = zero, slopes = zero;
    lane_counter<V> taken, active;
    for (index_t j = 0; j < c.padded(); j += lane_traits<V>::width) {
      V const d_n = load_values<V>(c.scratch + j);
      // 1 or 0, not masks: GCC 12 computes a conjunction of AVX-512 comparisons lane by lane.
      V const takes = math::select(d_n < far, Mining::takes(V(d_n - d_p), m), zero);
      V const x = m + d_p - d_n;
      V const loss = math::select(takes > zero, Hinge::value(x), zero);
      sum = sum + loss;
      taken.add(takes);
      active.add(math::select(loss > zero, V(1), zero));
      if (c.weight) {
        V const slope = math::select(takes > zero, Hinge::slope(x), zero);
        slopes = slopes + slope;
        store_values(c.weight + j, V(load_values<V>(c.weight + j) - slope));
      }
    }
    if (c.weight) c.weight[p] = c.weight[p] + sum_of_lanes(slopes);
    r.counted += taken.count();
    r.active += active.count();
    return sum_of_lanes(sum);
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
