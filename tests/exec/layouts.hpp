#pragma once

#include <sage/exec/row_layout.hpp>

#include <initializer_list>

/// Every way in which rows are divided among the threads of a GPU, forced upon any shape.
namespace layouts {

using sage::index_t;

/// A policy that a test chooses at run time: one type, so that a test compiles its losses once for all layouts. There
/// are fewer blocks than rows, so that blocks stride over them.
struct any_layout {
  enum kind { of_policy, thread, warp, block, recomputing_block, divided, most_divided };
  static inline kind which = of_policy;

  static sage::exec::row_layout layout_of(sage::exec::row_shape const& s) {
    using policy = sage::exec::row_policy;
    if (which == of_policy) return policy::layout_of(s);
    sage::exec::row_layout r;
    r.threads_per_row = which == thread ? 1 : which == warp ? policy::warp : policy::large_block;
    r.block_threads = which >= block ? policy::large_block : policy::small_block;
    r.blocks_per_row = which == divided ? 3 : which == most_divided ? policy::most_parts : 1;
    r.keeps = s.kept_bytes > 0 && which < recomputing_block;
    r.shared_bytes = r.keeps ? s.kept_bytes * s.length * r.rows_per_block() : 0;
    r.blocks = (s.rows > 1 ? 2 : 1) * r.blocks_per_row;
    return r;
  }
  static char const* name() {
    char const* const names[] = {"of the policy",
                                 "thread per row",
                                 "warp per row",
                                 "block per row",
                                 "block per row, recomputing",
                                 "three blocks per row",
                                 "64 blocks per row"};
    return names[which];
  }
};

/// Calls f() with every layout in turn, but most_divided, which takes long.
template <class F>
void for_each_layout(F const& f) {
  for (auto const kind : {any_layout::of_policy, any_layout::thread, any_layout::warp, any_layout::block,
                          any_layout::recomputing_block, any_layout::divided}) {
    any_layout::which = kind;
    f();
  }
  any_layout::which = any_layout::of_policy;
}

}  // namespace layouts
