#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/tensor/rows.hpp>

namespace sage {

/// What stands outside of the image a b c d:
///
///   reflect     d c b | a b c d | c b a     torchvision's and NumPy's "reflect", OpenCV's BORDER_REFLECT_101
///   symmetric   c b a | a b c d | d c b     scipy.ndimage's "reflect", OpenCV's BORDER_REFLECT
///   replicate   a a a | a b c d | d d d     scipy's "nearest", OpenCV's BORDER_REPLICATE
///   zero        0 0 0 | a b c d | 0 0 0
enum class border { reflect, symmetric, replicate, zero };

SAGE_ABI_BEGIN
namespace detail {

/// The position in 0 … n − 1 that stands at coordinate i, or −1 for a zero. Reflections repeat, so that any
/// distance outside is allowed; n ≥ 1.
SAGE_HD inline index_t border_index(index_t i, index_t n, border rule) noexcept {
  if (i >= 0 && i < n) return i;
  if (rule == border::zero) return -1;
  if (rule == border::replicate || n == 1) return i < 0 ? 0 : n - 1;
  index_t const period = rule == border::reflect ? 2 * n - 2 : 2 * n;
  index_t const far = i < 0 ? -1 - i : i, whole = quotient(far, period) * period;
  index_t const k = i < 0 ? period - 1 - (far - whole) : i - whole;  // i modulo the period
  return k < n ? k : (rule == border::reflect ? period : period - 1) - k;
}

/// Calls f(c) for every coordinate c outside of 0 … n − 1, at most `radius` away, at which position i stands.
template <class F>
SAGE_HD void for_each_border_coordinate(index_t i, index_t n, index_t radius, border rule, F const& f) {
  if (rule == border::zero) return;
  if (rule == border::replicate || n == 1) {
    for (index_t c = -radius; i == 0 && c < 0; ++c) f(c);
    for (index_t c = n; i == n - 1 && c < n + radius; ++c) f(c);
    return;
  }
  // i + m · period, and its mirror image + m · period: the same where i is an end that is not repeated.
  index_t const period = rule == border::reflect ? 2 * n - 2 : 2 * n;
  index_t const mirrored = rule == border::reflect ? period - i : period - 1 - i;
  for (index_t c = i - period; c >= -radius; c -= period) f(c);
  for (index_t c = i + period; c < n + radius; c += period) f(c);
  if (rule == border::reflect && (i == 0 || i == n - 1)) return;
  for (index_t c = mirrored - period; c >= -radius; c -= period) f(c);
  for (index_t c = mirrored; c < n + radius; c += period) f(c);
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
