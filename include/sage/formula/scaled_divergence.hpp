#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/softmax_divergence.hpp>
#include <sage/formula/two_class_jensen_shannon.hpp>
#include <sage/math/row.hpp>

#include <concepts>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of a divergence times a factor:    l = f D(p, q)
template <class Divergence>
struct scaled_divergence : softmax_divergence<Divergence> {
  using base = softmax_divergence<Divergence>;

  double factor = 1;

  template <class V, class... States>
  SAGE_HD SAGE_INLINE auto finalize(row<V> const& r, States const&... states) const {
    V const f = V(scalar_of<V>(factor));
    row<V> scaled = r;
    scaled.upstream = r.upstream * f;
    auto out = base::finalize(scaled, states...);
    out.loss = out.loss * f;
    return out;
  }

  two_class_jensen_shannon for_two_columns() const noexcept
    requires std::same_as<Divergence, jensen_shannon>
  {
    return {base::temperature, factor};
  }
};

SAGE_ABI_END
}  // namespace sage
