#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <concepts>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Threads that work together on one row: one thread, a warp, a block. Schedules are written once over this concept, and
/// run by the threads of a GPU (exec/cuda.cuh) and by a loop on the host (exec/emulated.hpp). A group G has
///
///   static constexpr int size;                        // members; a power of two
///   template <class S> using own = …;                 // an S of every member: own[rank]
///   void for_each(F f) const;                         // f(rank), by every member
///   own<S> shuffle_down(own<S> const&, int n) const;  // of the member n ranks further in the warp; one's own beyond
///   S of_first(own<S> const&) const;                  // the first member's, to all
///   S* exchange<S>() const;                           // one S for each warp, seen by the whole group
///   void sync() const;                                // what members wrote to `exchange` is seen by all behind it
///
/// Between two calls of it members know nothing of each other: a GPU runs them at the same time, a host one after the
/// other.
template <class G>
concept cooperative_group = requires(G const& g, typename G::template own<int> x) {
  { G::size + 0 } -> std::same_as<int>;
  g.for_each([](int) {});
  { g.shuffle_down(x, 1) } -> std::same_as<typename G::template own<int>>;
  { g.of_first(x) } -> std::same_as<int>;
  { g.template exchange<int>() } -> std::same_as<int*>;
  g.sync();
};

namespace detail {

inline constexpr int warp_size = 32;

/// own<S> of a group whose members are threads: the state of the calling one.
template <class S>
struct own_state {
  S value;

  SAGE_HD S& operator[](int) noexcept { return value; }
  SAGE_HD S const& operator[](int) const noexcept { return value; }
};

/// The states of all members joined into one that all have, in a fixed order: in a warp member r takes in member r + 16,
/// then r + 8, … r + 1; then the warps in their order.
template <class State, class Group, class Combiner>
SAGE_HD State combined(Group const& group, Combiner const& c, typename Group::template own<State>& part) {
  constexpr int width = Group::size < warp_size ? Group::size : warp_size;
  SAGE_UNROLL
  for (int n = width / 2; n > 0; n /= 2) {
    auto const further = group.shuffle_down(part, n);
    group.for_each([&](int rank) { c.combine(part[rank], further[rank]); });
  }
  if constexpr (Group::size <= warp_size) {
    return group.of_first(part);
  } else {
    State* const of_warp = group.template exchange<State>();
    group.sync();  // nobody reads what was exchanged before
    group.for_each([&](int rank) {
      if (rank % warp_size == 0) of_warp[rank / warp_size] = part[rank];
    });
    group.sync();
    State total = of_warp[0];
    for (int w = 1; w < Group::size / warp_size; ++w) c.combine(total, of_warp[w]);
    return total;
  }
}

}  // namespace detail
}  // namespace exec
SAGE_ABI_END
}  // namespace sage
