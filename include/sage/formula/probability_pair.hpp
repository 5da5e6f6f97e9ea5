#pragma once

#include <sage/core/config.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// One class of two distributions p and q, as a divergence sees it.
template <class V>
struct probability_pair {
  V p, q;
  V difference;  // p − q, to its own relative precision: not the difference of the rounded p and q
  V log_ratio;   // log p − log q, likewise; 0 for a class that neither distribution has
};

SAGE_ABI_END
}  // namespace sage
