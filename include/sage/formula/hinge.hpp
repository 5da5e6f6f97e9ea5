#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// What a loss makes of the amount x by which a margin is violated: h(x) and h′(x), a policy of the embedding
/// losses.
///
///   clamp     max(0, x)        the gradient passes at x = 0, as in torch.clamp_min
///   squared   ½ max(0, x)²
///   softplus  log(1 + e^x)     never 0 until it underflows; e^−|x| is all that is formed
namespace hinge {

struct clamp {
  template <class V>
  SAGE_HD SAGE_INLINE static V value(V const& x) {
    return math::select(x < V(0), V(0), x);  // NaN stays NaN
  }
  template <class V>
  SAGE_HD SAGE_INLINE static V slope(V const& x) {
    return math::select(x < V(0), V(0), V(1));
  }
};

struct squared {
  template <class V>
  SAGE_HD SAGE_INLINE static V value(V const& x) {
    return math::select(x < V(0), V(0), V(scalar_of<V>(0.5)) * x * x);
  }
  template <class V>
  SAGE_HD SAGE_INLINE static V slope(V const& x) {
    return math::select(x < V(0), V(0), x);
  }
};

struct softplus {
  template <class V>
  SAGE_HD SAGE_INLINE static V value(V const& x) {
    using math::exp, math::log1p;
    return math::larger(x, V(0)) + log1p(exp(-math::magnitude(x)));
  }
  template <class V>
  SAGE_HD SAGE_INLINE static V slope(V const& x) {
    using math::exp;
    V const e = exp(-math::magnitude(x));
    return math::select(x < V(0), e, V(1)) / (V(1) + e);
  }
};

}  // namespace hinge

SAGE_ABI_END
}  // namespace sage
