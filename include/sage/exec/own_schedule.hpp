#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <concepts>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// A problem that is no row program but brings its own kernel, such as the planes of images: numbered tasks
/// 0 … rows − 1 of `length` elements each, which may be computed in any order and on any thread.
///
///   template <class V> SAGE_INLINE void run(index_t first, index_t last) const;   // V: the accumulator, or a pack
///
/// Every executor runs it as it runs row programs.
template <class Problem>
concept own_schedule = requires(Problem const& p, index_t i) {
  { p.rows + p.length } -> std::convertible_to<index_t>;
  p.template run<typename Problem::accumulator>(i, i);
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
