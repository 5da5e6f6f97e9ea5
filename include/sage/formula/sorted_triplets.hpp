#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/formula/candidates.hpp>

#include <bit>
#include <concepts>
#include <cstdint>
#include <type_traits>
#include <utility>

/// Mined triplets of an anchor in O(N log N) instead of one by one: what is true of a negative is true of all
/// that are nearer, or farther.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Sorts by distance, with `room` for as many; the result is in one of both. A radix sort, one byte a pass.
template <class A>
neighbour<A> const* sorted(neighbour<A>* from, neighbour<A>* room, index_t count) {
  static_assert(std::same_as<A, float> || std::same_as<A, double>);
  using bits = std::conditional_t<sizeof(A) == 4, std::uint32_t, std::uint64_t>;
  constexpr int bytes = sizeof(A);
  // Bits in the order of the numbers: negative ones descend.
  auto const key = [](neighbour<A> const& x) {
    constexpr bits sign = bits(1) << (8 * bytes - 1);
    bits const b = std::bit_cast<bits>(x.distance);
    return (b & sign) != 0 ? static_cast<bits>(~b) : static_cast<bits>(b | sign);
  };
  std::uint32_t place[bytes][256] = {};
  for (index_t i = 0; i < count; ++i)
    for (int byte = 0; byte < bytes; ++byte) ++place[byte][(key(from[i]) >> (8 * byte)) & 255];
  for (int byte = 0; byte < bytes && count > 0; ++byte) {
    std::uint32_t* const next = place[byte];
    if (next[(key(from[0]) >> (8 * byte)) & 255] == static_cast<std::uint32_t>(count)) continue;  // one value
    std::uint32_t before = 0;
    for (int b = 0; b < 256; ++b) before += std::exchange(next[b], before);
    for (index_t i = 0; i < count; ++i) room[next[(key(from[i]) >> (8 * byte)) & 255]++] = from[i];
    std::swap(from, room);
  }
  return from;
}

/// Σ max(0, m + d_p − d_n) over the triplets that `Mining` takes; their derivatives count triplets with
/// m + d_p − d_n ≥ 0. c.neighbours holds the positives, then the negatives.
///
/// From one positive to the next farther one the sum over the negatives first … last − 1 grows by their number
/// times the step: all terms are ≥ 0, but for negatives that are now too near and are taken out.
template <class Mining, class A>
rating<A> rate_sorted(candidates<A> const& c, A const margin, index_t positives, index_t negatives) {
  using wide = wide_t<A>;
  neighbour<A>* const room = c.neighbours + c.padded();
  neighbour<A> const* const p = sorted(c.neighbours, room, positives);
  neighbour<A> const* const n = sorted(c.neighbours + positives, room + positives, negatives);
  rating<A> r;
  wide total = wide(0), sum = wide(0), reach_before = wide(0);
  index_t first = 0, last = 0, taken = 0, active = 0;  // ends of ranges of negatives
  for (index_t k = 0; k < positives; ++k) {
    A const d_p = p[k].distance, reach = margin + d_p;
    auto const gap = [&](index_t i) { return A(n[i].distance - d_p); };
    auto const x = [&](index_t i) { return A(reach - n[i].distance); };
    for (; first < negatives && Mining::too_near(gap(first)); ++first) {
      if (first >= last) continue;
      sum = sum - (reach_before - wide(n[first].distance));
      if (c.weight) c.weight[n[first].number] -= static_cast<A>(k);
    }
    if (last < first) last = first;
    if (last == first || sum < wide(0)) sum = wide(0);  // the rounding of what was taken out
    sum = sum + wide(static_cast<double>(last - first)) * (wide(reach) - reach_before);
    while (taken < negatives && !Mining::too_far(gap(taken), margin)) ++taken;
    while (active < negatives && x(active) > A(0)) ++active;
    for (; last < taken && !(x(last) < A(0)); ++last) {
      sum = sum + (wide(reach) - wide(n[last].distance));
      if (c.weight) c.weight[n[last].number] = static_cast<A>(k);
    }
    if (c.weight) c.weight[p[k].number] = static_cast<A>(last - first);
    if (last > first) total = total + sum;
    r.counted += taken - first;
    if (index_t const end = active < taken ? active : taken; end > first) r.active += end - first;
    reach_before = wide(reach);
  }
  if (c.weight)
    for (; first < last; ++first) c.weight[n[first].number] -= static_cast<A>(positives);
  r.loss = static_cast<A>(total);
  return r;
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
