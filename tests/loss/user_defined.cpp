#include "loss/compare.hpp"
#include "reference/dual.hpp"

#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <vector>

// What a user brings without touching the library: a distance, a divergence, an element type.

namespace acme {

/// d(u, v) = Σ √(1 + (u − v)²) − 1: a smooth absolute difference. Its gradient at one position is (u − v)/√(1 + (u − v)²).
struct pseudo_huber {
  template <class V>
  struct sums {
    V s = V(0);
  };
  template <class V>
  struct slope {
    V upstream;
  };
  template <class V>
  SAGE_INLINE static V root(V const& u, V const& v) {
    using namespace sage::math;
    V const t = u - v;
    return sqrt(V(1) + t * t);
  }
  template <class V>
  SAGE_INLINE void accumulate(sums<V>& a, V const& u, V const& v) const {
    a.s = a.s + (root(u, v) - V(1));
  }
  template <class V>
  SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.s = a.s + b.s;
  }
  template <class V>
  SAGE_INLINE V value(sums<V> const& a) const {
    return a.s;
  }
  template <class V>
  SAGE_INLINE slope<V> slope_of(sums<V> const&, V const& upstream) const {
    return {upstream};
  }
  template <class V>
  SAGE_INLINE sage::lanes<V, 2> gradient(V const& u, V const& v, slope<V> const& r) const {
    V const g = r.upstream * (u - v) / root(u, v);
    return {{g, -g}};
  }
};

/// D(p, q) = ½ Σ (p − q)². With logits: ∂D/∂z_p = p ((p − q) − Σ p (p − q)).
struct half_squared_difference {
  template <class V>
  struct sums {
    V value = V(0), along_p = V(0), along_q = V(0);
  };
  template <class V>
  SAGE_INLINE void accumulate(sums<V>& a, sage::probability_pair<V> const& c) const {
    V const t = c.difference;
    a.value = a.value + t * t;
    a.along_p = a.along_p + c.p * t;
    a.along_q = a.along_q + c.q * t;
  }
  template <class V>
  SAGE_INLINE void combine(sums<V>& a, sums<V> const& b) const {
    a.value = a.value + b.value;
    a.along_p = a.along_p + b.along_p;
    a.along_q = a.along_q + b.along_q;
  }
  template <class V>
  SAGE_INLINE V value(sums<V> const& a) const {
    return V(0.5f) * a.value;
  }
  template <class V>
  SAGE_INLINE sage::lanes<V, 2> gradient(sage::probability_pair<V> const& c, sums<V> const& a) const {
    V const t = c.difference;
    return {{c.p * (t - a.along_p), c.q * (a.along_q - t)}};
  }
};

}  // namespace acme

namespace {

using namespace reference;
using autodiff::dual;

// The derivative of a loss along a direction, and its gradient in double.
struct directional {
  double value, derivative;
};

// Evaluates f(operands of duals) along `direction`; operands and directions are row-major matrices.
template <class F>
directional along(std::vector<std::vector<double>> const& x,
                  std::vector<std::vector<double>> const& direction, F const& f) {
  std::vector<std::vector<dual>> d;
  for (std::size_t k = 0; k < x.size(); ++k) {
    d.emplace_back();
    for (std::size_t j = 0; j < x[k].size(); ++j) d[k].emplace_back(x[k][j], direction[k][j]);
  }
  dual const r = f(d);
  return {r.value, r.derivative};
}

double dot(std::vector<std::vector<double>> const& a, std::vector<std::vector<double>> const& b) {
  double s = 0;
  for (std::size_t k = 0; k < a.size(); ++k)
    for (std::size_t j = 0; j < a[k].size(); ++j) s += a[k][j] * b[k][j];
  return s;
}

}  // namespace

TEST_CASE("A user's own distance runs in the triplet loss on every width") {
  auto const d = [](row const& u, row const& v) {
    real s = 0;
    for (std::size_t j = 0; j < u.size(); ++j) s += reference::sqrt(1 + (u[j] - v[j]) * (u[j] - v[j])) - 1;
    return s;
  };
  sage::triplet_margin_loss<acme::pseudo_huber> const loss{.margin = 4};
  for (index_t const length : {2, 17, 40}) {
    auto const p = random_problem(3, 5, length, 3);
    auto const expected = answers_of(
        p, true, [&](std::vector<row> const& x, index_t) { return triplet(d, x[0], x[1], x[2], 4, false); });
    compare<float, 3>(sage::exec::simd{}, loss, p, expected, arrangement::contiguous);
    compare<double, 3>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous);
  }
}

TEST_CASE("A user's own divergence runs in the consistency loss on every width") {
  sage::consistency_loss<acme::half_squared_difference> const loss{.temperature = 2};
  for (index_t const classes : {2, 17, 40}) {
    auto const p = random_problem(2, 5, classes, 4);
    auto const expected = answers_of(p, false, [](std::vector<row> const& x, index_t) {
      row const a = softmax(x[0], 2), b = softmax(x[1], 2);
      real s = 0;
      for (std::size_t j = 0; j < a.size(); ++j) s += (a[j] - b[j]) * (a[j] - b[j]) / 2;
      return s;
    });
    compare<float, 2>(sage::exec::simd{}, loss, p, expected, arrangement::contiguous);
    compare<double, 2>(sage::exec::scalar{}, loss, p, expected, arrangement::contiguous);
  }
}

TEST_CASE("long double elements are computed in long double") {
  auto const p = random_problem(3, 2, 21, 5);
  std::vector<long double> x[3], g[3];
  for (std::size_t k = 0; k < 3; ++k) x[k] = to<long double>(p.x[k]), g[k].resize(42);
  auto const view = [](auto& v) { return sage::strided_view{v.data(), sage::extents{2, 21}}; };
  auto const expected = answers_of(p, true, [](std::vector<row> const& o, index_t) {
    return triplet([](row const& u, row const& v) { return euclidean(u, v, real(1e-6)); }, o[0], o[1], o[2],
                   2, false);
  });
  auto const r = sage::triplet_margin_loss<>{.margin = 2}.value_and_grad(view(x[0]), view(x[1]), view(x[2]),
                                                                         view(g[0]), view(g[1]), view(g[2]));
  static_assert(std::is_same_v<decltype(r.value), long double>);
  CHECK(relative(r.value, (expected.losses[0] + expected.losses[1]) / 2) <= tolerances<long double>{}.value);
  for (std::size_t k = 0; k < 3; ++k) {
    relative_error e;
    for (std::size_t i = 0; i < 42; ++i) e.add(g[k][i], expected.gradients[i / 21][k][i % 21] / 2);
    CHECK(e.value() <= tolerances<long double>{}.gradient);
  }
}

TEST_CASE("An autodiff scalar runs through the triplet loss, and its derivative is our gradient") {
  auto const p = random_problem(3, 4, 7, 6);
  auto const direction = random_problem(3, 4, 7, 7).x;
  auto const view = [](auto& v) { return sage::strided_view{v.data(), sage::extents{4, 7}}; };
  auto const test = [&](auto const& loss) {
    auto const d = along(p.x, direction, [&](auto& x) {
      return loss(sage::exec::scalar{}, view(x[0]), view(x[1]), view(x[2])).value;
    });
    auto g = p.x;
    auto x = p.x;
    double const value = loss.value_and_grad(sage::exec::scalar{}, view(x[0]), view(x[1]), view(x[2]),
                                             view(g[0]), view(g[1]), view(g[2]))
                             .value;
    CHECK(value > 0);
    CHECK(d.value == Approx(value).epsilon(tolerances<double>{}.value));
    CHECK(d.derivative == Approx(dot(g, direction)).epsilon(1e-12));
  };
  test(sage::triplet_margin_loss<sage::euclidean>{.margin = 4, .swap = true});
  test(sage::triplet_margin_loss<sage::normalized_euclidean>{.margin = 2});
}

TEST_CASE(
    "An autodiff scalar runs through Jensen-Shannon and cross entropy, with weights, and its derivative is "
    "our gradient") {
  for (double const perturbation : {1e-3, 1.0}) {
    auto p = random_problem(2, 3, 6, 8);
    for (std::size_t j = 0; j < 18; ++j) p.x[1][j] = p.x[0][j] + perturbation * p.x[1][j];
    auto const direction = random_problem(2, 3, 6, 9).x;
    auto const view = [](auto& v) { return sage::strided_view{v.data(), sage::extents{3, 6}}; };
    std::vector<dual> const w{1, 0.5, 2};
    std::vector<double> const w_double{1, 0.5, 2};
    std::vector<int> const y{1, 5, 0};

    sage::consistency_loss<> const js{.temperature = 2};
    sage::cross_entropy_loss const entropy{.label_smoothing = 0.1};
    auto g = p.x, x = p.x;
    double value =
        js.value_and_grad(view(x[0]), view(x[1]), view(g[0]), view(g[1]), sage::weights(w_double)).value;
    auto d =
        along(p.x, direction, [&](auto& z) { return js(view(z[0]), view(z[1]), sage::weights(w)).value; });
    CHECK(d.value == Approx(value).epsilon(1e-12));
    CHECK(d.derivative == Approx(dot(g, direction)).epsilon(1e-10));

    value = entropy.value_and_grad(view(x[0]), y, view(g[0])).value;
    d = along(p.x, direction, [&](auto& z) { return entropy(view(z[0]), y).value; });
    g[1].assign(18, 0);
    CHECK(d.value == Approx(value).epsilon(1e-12));
    CHECK(d.derivative == Approx(dot(g, direction)).epsilon(1e-12));
  }
}
