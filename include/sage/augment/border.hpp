#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

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
inline index_t border_index(index_t i, index_t n, border rule) noexcept {
  if (i >= 0 && i < n) return i;
  if (rule == border::zero) return -1;
  if (rule == border::replicate || n == 1) return i < 0 ? 0 : n - 1;
  index_t const period = rule == border::reflect ? 2 * n - 2 : 2 * n;
  index_t const k = (i % period + period) % period;
  return k < n ? k : (rule == border::reflect ? period : period - 1) - k;
}

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
