#pragma once

#include <sage/core/config.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/row.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Row program of the mean squared error of two rows of logits at a temperature, operands z, z⁺:
///
///   l = f/K Σ_k ((z_k − z⁺_k)/T)²,   ∂l/∂z = 2f/(K T²) (z − z⁺) = −∂l/∂z⁺
///
/// Edge: equal logits, also infinite ones, contribute 0.
struct squared_error_formula {
  static constexpr int inputs = 2, gradients = 2;
  static constexpr bool hinged = false;
  static constexpr bool uses_column = false;

  double temperature = 1;
  double factor = 1;

  template <class V>
  struct sums {
    V s = V(0);  // Σ ((z − z⁺)/T)²
  };
  template <class V>
  struct result {
    V loss;
    V scale;  // 2 · upstream · f/(K T)
  };
  template <class V>
  using passes = pass_list<sums<V>>;

  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, lanes<V, 2> const& z, row<V> const&) const {
    V const d = difference(z);
    a.s = a.s + d * d;
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE result<V> finalize(row<V> const& r, sums<V> const& a) const {
    using T = scalar_of<V>;
    return {a.s * V(T(factor)) / r.length, r.upstream * V(T(2 * factor / temperature)) / r.length};
  }
  template <class V>
  SAGE_HD SAGE_INLINE lanes<V, 2> gradient(lanes<V, 2> const& z, row<V> const&, result<V> const& r) const {
    V const g = r.scale * difference(z);
    return opposite(g);
  }

 private:
  template <class V>
  SAGE_HD SAGE_INLINE V difference(lanes<V, 2> const& z) const {
    return math::select(z[0] == z[1], V(0), (z[0] - z[1]) * V(scalar_of<V>(1 / temperature)));
  }
};

/// Squared error of the logits themselves, not of their distributions: it sees a shift of all logits, too.
///
///   1/K Σ ((z − z⁺)/T)²
///
/// Source: torch.nn.functional.mse_loss(z/T, z⁺/T); for distillation Kim et al., IJCAI 2021.
struct squared_error {
  using row_program = squared_error_formula;
};

SAGE_ABI_END
}  // namespace sage
