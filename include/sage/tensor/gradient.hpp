#pragma once

#include <sage/core/config.hpp>

#include <type_traits>
#include <utility>

namespace sage {

/// In place of a gradient output: neither computed nor written (stop-gradient).
struct skip_t {};
inline constexpr skip_t skip{};

/// A gradient output that is accumulated into instead of overwritten.
template <class Tensor>
struct add_to_t {
  Tensor tensor;
};

/// `add_to(g)`: the gradient is added to what g holds.
template <class Tensor>
SAGE_INLINE constexpr auto add_to(Tensor&& g) noexcept {
  return add_to_t<Tensor>{std::forward<Tensor>(g)};
}

/// One weight per sample, as the last argument of a loss.
template <class Tensor>
struct weights_t {
  Tensor tensor;
};

/// `weights(w)`: numbers w_i ≥ 0, or a mask of integers or truth values. w_i multiplies the loss of sample i, and the
/// mean becomes Σ w_i l_i / Σ w_i (0 if Σ w_i = 0). Samples of weight zero are not evaluated: they contribute exactly
/// nothing, even if they hold NaN.
template <class Tensor>
SAGE_INLINE constexpr auto weights(Tensor&& w) noexcept {
  return weights_t<Tensor>{std::forward<Tensor>(w)};
}

/// Where a device executor leaves the value: the last argument of loss(…) and value_and_grad.
template <class Result>
struct into_t {
  Result* result;
};

/// `into(r)`: r points to a sage::loss_result (of sage_loss a sage::sage_result) of the accumulator's type in memory that the device can write (its own, or
/// pinned memory of the host), which holds the value when the stream has come so far.
template <class Result>
SAGE_INLINE constexpr auto into(Result* r) noexcept {
  return into_t<Result>{r};
}

/// Is T an argument marked by Mark: is_marked<weights_t, T>?
template <template <class> class Mark, class T>
inline constexpr bool is_marked = false;
template <template <class> class Mark, class Tensor>
inline constexpr bool is_marked<Mark, Mark<Tensor>> = true;

template <class T>
inline constexpr bool is_add_to = is_marked<add_to_t, T>;
template <class T>
inline constexpr bool is_weights = is_marked<weights_t, T>;
template <class T>
inline constexpr bool is_into = is_marked<into_t, T>;

}  // namespace sage
