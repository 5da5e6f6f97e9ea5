#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <cstdint>
#include <limits>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// A candidate and how far it is.
template <class A>
struct neighbour {
  A distance;
  std::uint32_t number;
};

/// What is known of one query against all of its candidates, and what a rule makes of it. Arrays hold `count`
/// values and may be read and written up to `padded`, a whole number of the widest vectors.
///
/// A rule (info_nce_rule, mining_rule, nt_xent_rule) turns the distances into the loss of the query and its
/// derivative by each of them; Rule::sorts<A> tells whether it wants room for neighbours.
template <class A>
struct candidates {
  static constexpr index_t padded_to(index_t n) noexcept { return (n + 15) / 16 * 16; }

  index_t query;  // number of the query in the batch
  index_t own;    // the candidate that belongs to it: its positive, or itself
  index_t count;
  A const* distance;
  A* weight;                       // ∂loss/∂distance, written; null where only the loss is wanted
  A* scratch;                      // as long, for the rule
  bool const* left_out = nullptr;  // candidates of weight zero, or null for none
  neighbour<A>* neighbours = nullptr;  // twice as long, for a rule that sorts

  SAGE_INLINE index_t padded() const noexcept { return padded_to(count); }
  /// Does candidate j take part? What is infinitely far or NaN does not: a bad row never changes another one.
  SAGE_INLINE bool usable(index_t j) const noexcept {
    return !(left_out && left_out[j]) && !is_non_finite(distance[j]);
  }
  SAGE_INLINE void clear_weights() const {
    if (weight)
      for (index_t j = 0; j < padded(); ++j) weight[j] = A(0);
  }
};

/// What a rule says of a query.
template <class A>
struct rating {
  A loss = A(0);        // the sum over its triplets
  index_t counted = 0;  // triplets, or 1
  index_t active = 0;   // those with a loss
};

/// Neighbours of an array of A as V, and back.
template <class V, class A>
SAGE_INLINE V load_values(A const* from) noexcept {
  if constexpr (lane_traits<V>::width == 1) {
    return *from;
  } else {
    return load_pack<V>(from);
  }
}
template <class V, class A>
SAGE_INLINE void store_values(A* to, V const& x) noexcept {
  if constexpr (lane_traits<V>::width == 1) {
    *to = x;
  } else {
    store_pack(to, x);
  }
}

/// The sum of the lanes, in their order.
template <class V>
SAGE_INLINE scalar_of<V> sum_of_lanes(V const& x) noexcept {
  constexpr int width = lane_traits<V>::width;
  scalar_of<V> lane[width];
  store_values(lane, x);
  scalar_of<V> s = lane[0];
  for (int l = 1; l < width; ++l) s = s + lane[l];
  return s;
}

/// Adds up ones and zeros, at most 2^24 of them in a lane.
template <class V>
class lane_counter {
 public:
  SAGE_INLINE void add(V const& one_or_zero) noexcept {
    if constexpr (lane_traits<V>::width == 1) {
      total_ += one_or_zero > V(0) ? 1 : 0;
    } else {
      total_ = total_ + one_or_zero;
    }
  }
  SAGE_INLINE index_t count() const noexcept {
    if constexpr (lane_traits<V>::width == 1) {
      return total_;
    } else {
      return static_cast<index_t>(sum_of_lanes(total_));
    }
  }

 private:
  std::conditional_t<lane_traits<V>::width == 1, index_t, V> total_ = 0;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
