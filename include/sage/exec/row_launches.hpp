#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/cooperative_rows.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/tensor/rows.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// What the policy must know of a problem.
template <class Problem>
row_shape shape_of(Problem const& p) noexcept {
  using A = typename Problem::accumulator;
  using formula_type = typename Problem::formula_type;
  return {.rows = p.rows,
          .length = p.length,
          .element_bytes = static_cast<index_t>(sizeof(typename Problem::element)),
          .kept_bytes = kept_by<formula_type> * static_cast<index_t>(sizeof(A)),
          .state_bytes = state_bytes<typename formula_type::template passes<A>>::sum,
          .one_at_a_time = chunk_width<Problem> == 1};
}

/// Bytes for the states of the parts of divided rows.
template <class Problem>
index_t part_bytes(Problem const& p, row_layout const& l) noexcept {
  using passes = typename Problem::formula_type::template passes<typename Problem::accumulator>;
  return l.blocks_per_row > 1 ? p.rows * l.blocks_per_row * state_bytes<passes>::sum : 0;
}

/// Memory of Kept values at every position of the row that a group of a block works on, of the block's shared memory.
/// Members of a warp and threads of a block stand side by side in every slot: no two in one bank.
template <int Threads, int Kept, class A>
SAGE_HD kept_memory<A> kept_of(A* shared, int group, int groups, index_t length) noexcept {
  if constexpr (Kept == 0) {
    return {};
  } else if constexpr (Threads == 1) {
    return {shared + group, groups, index_t(groups) * Kept};
  } else {
    return {shared + length * Kept * group, length, 1};
  }
}

/// What the blocks of one launch do: the rows, Threads to each. A block has
///
///   index_t number() const, count() const;     // of the block in the launch, and of all of them
///   unsigned char* shared() const;             // the launch's shared memory
///   template <int Threads> void for_each_group(F f) const;   // f(group, its number), by every group of the block
///   void sync() const;                         // what the block wrote is seen by all of it behind this
///   bool is_last(unsigned* arrivals) const;    // of all blocks to come here, once each? It sees what they wrote.
template <class Problem, int Threads, bool Keeps, int Stage = whole_row>
struct row_work {
  static constexpr int most_threads = Threads == row_policy::large_block ? Threads : row_policy::small_block;
  using A = typename Problem::accumulator;

  Problem problem;
  int groups = 1;  // of a block
  index_t parts = 1;
  unsigned char* states = nullptr;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<Threads>([&](auto const& group, int number) {
      constexpr int kept = Keeps ? kept_by<typename Problem::formula_type> : 0;
      auto const memory =
          kept_of<Threads, kept>(reinterpret_cast<A*>(block.shared()), number, groups, problem.length);
      if constexpr (Stage == whole_row) {
        for (index_t i = block.number() * groups + number; i < problem.rows; i += block.count() * groups)
          cooperative_row<std::remove_cvref_t<decltype(group)>, Problem, Keeps>(group, problem, i, memory)();
      } else {
        index_t const first = sage::detail::quotient(block.number(), parts);
        row_part const part{block.number() - first * parts, parts, states};
        for (index_t i = first; i < problem.rows; i += sage::detail::quotient(block.count(), parts))
          cooperative_row<std::remove_cvref_t<decltype(group)>, Problem, false, Stage>(group, problem, i,
                                                                                       memory, part)();
      }
    });
  }
};

/// Launches what works all rows of a problem. `launch(blocks, threads, shared bytes, work)` runs the work by every block;
/// `states` are part_bytes.
template <class Launch, class Problem>
void launch_rows(Launch const& launch, Problem const& p, row_layout const& l,
                 unsigned char* states = nullptr) {
  if (p.rows == 0) return;
  constexpr bool keeps = kept_by < typename Problem::formula_type >> 0;
  auto const go = [&]<int Threads, bool Keeps, int Stage>(row_work<Problem, Threads, Keeps, Stage> work) {
    work.problem = p;
    work.groups = l.rows_per_block();
    work.parts = l.blocks_per_row;
    work.states = states;
    launch(l.blocks, l.block_threads, l.shared_bytes, work);
  };
  constexpr int block = row_policy::large_block;
  if (l.threads_per_row == 1) {
    go(row_work<Problem, 1, keeps>{});
  } else if (l.threads_per_row == row_policy::warp) {
    go(row_work<Problem, row_policy::warp, keeps>{});
  } else if (l.blocks_per_row > 1) {
    constexpr int stages =
        static_cast<int>(
            pass_count<typename Problem::formula_type::template passes<typename Problem::accumulator>>) +
        1;
    [&]<int... Stage>(std::integer_sequence<int, Stage...>) {
      (go(row_work<Problem, block, false, Stage>{}), ...);
    }
    (std::make_integer_sequence<int, stages>{});
  } else if (l.keeps) {
    if constexpr (keeps) go(row_work<Problem, block, true>{});
  } else {
    go(row_work<Problem, block, false>{});
  }
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
