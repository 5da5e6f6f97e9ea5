// A distance of one's own in the embedding losses: five functions, on every vector width, with every
// executor.
#include <sage/sage.hpp>

#include <cstdio>
#include <vector>

/// Pseudo-Huber: d(u, v) = Σ δ² (√(1 + (t/δ)²) − 1), t = u − v: quadratic for near rows, linear for far ones.
struct pseudo_huber {
  double delta = 1;

  // V is a scalar, a pack of them, or an autodiff scalar; the members of a state all are V.
  template <class V>
  struct sums {
    V s = V(0);
  };
  template <class V>
  struct slope {
    V upstream;
  };

  template <class V>
  SAGE_HD SAGE_INLINE V root(V const& t) const {
    using sage::math::sqrt;
    V const r = t / V(sage::scalar_of<V>(delta));
    return sqrt(V(1) + r * r);
  }

  /// One position of the two rows, and the sums of two parts of them.
  template <class V>
  SAGE_HD SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v) const {
    a.s = a.s + (root(V(u - v)) - V(1));
  }
  template <class V>
  SAGE_HD SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_HD SAGE_INLINE V value(sums<V> const& a) const {
    return V(sage::scalar_of<V>(delta * delta)) * a.s;
  }
  /// What upstream · ∂d needs of the whole rows, and upstream · (∂d/∂u, ∂d/∂v) at one position.
  template <class V>
  SAGE_HD SAGE_INLINE slope<V> slope_of(sums<V> const&, V const& upstream) const {
    return {upstream};
  }
  template <class V>
  SAGE_HD SAGE_INLINE sage::lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const g = r.upstream * (u - v) / root(V(u - v));
    return {{g, -g}};
  }
  sage::option_defect defect() const {
    return delta > 0 ? sage::option_defect{} : sage::option_defect{"delta", delta, "> 0"};
  }
};

int main() {
  std::vector<float> a{0, 0}, p{0, 0.75f}, n{4, 3}, d_a(2), d_p(2), d_n(2);
  sage::triplet_margin_loss<pseudo_huber> const triplet{.margin = 6};
  auto const r = triplet.value_and_grad(a, p, n, d_a, d_p, d_n);
  std::printf("triplet %.3f, gradient of the anchor %.3f %.3f\n", r.value, d_a[0], d_a[1]);

  // The same distance where the triplets are found in the batch: rows (N = 4, D = 2) with class labels.
  std::vector<float> x{0, 0, 0, 0.75f, 4, 3, 4, 3.75f};
  std::vector<int> const y{0, 0, 1, 1};
  auto const mined = sage::mined_triplet_loss<sage::batch_hard, pseudo_huber>{.margin = 6}(
      sage::strided_view{x.data(), sage::extents{4, 2}}, y);
  std::printf("batch-hard %.3f of %d triplets\n", mined.value, int(mined.triplets));
}
