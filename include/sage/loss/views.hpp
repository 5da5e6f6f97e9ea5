#pragma once

#include <sage/core/config.hpp>

#include <utility>

namespace sage {

/// One tensor for each of the three views of a batch: the image x, the salience-preserving copy x⁺ and the
/// salience-degrading copy x⁻. `views(logits, logits_plus, logits_minus)` refers to
/// named arguments and keeps temporaries.
template <class X, class Plus, class Minus>
struct views_t {
  X x;
  Plus plus;
  Minus minus;
};
template <class X, class Plus, class Minus>
SAGE_INLINE constexpr views_t<X, Plus, Minus> views(X&& x, Plus&& plus, Minus&& minus) noexcept {
  return {std::forward<X>(x), std::forward<Plus>(plus), std::forward<Minus>(minus)};
}

template <class T>
inline constexpr bool is_views = false;
template <class X, class Plus, class Minus>
inline constexpr bool is_views<views_t<X, Plus, Minus>> = true;

}  // namespace sage
