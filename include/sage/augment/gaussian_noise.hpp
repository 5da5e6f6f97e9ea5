#pragma once

#include <sage/augment/normal_deviates.hpp>
#include <sage/augment/philox.hpp>
#include <sage/augment/pixel_position.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/pack.hpp>

#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Floats side by side where a value type V of images is at work: as many bytes.
template <class V>
struct float_lanes {
  using type = float;
};
#if SAGE_SIMD
template <class A, int N>
struct float_lanes<pack<A, N>> {
  using type = pack<float, N* static_cast<int>(sizeof(A) / sizeof(float))>;
};
#endif

/// The deviates of Blocks times four neighbouring columns, the first a multiple of four: n[k] those of the columns
/// k, k + 4, …
template <class F, int Blocks>
SAGE_HD SAGE_INLINE void normal_quads(std::uint64_t seed, pixel_position const& first, F (&n)[4]) {
  philox4x32<Blocks> random;
  for (int l = 0; l < Blocks; ++l) {
    random.word[0][l] = static_cast<std::uint32_t>(first.column / 4 + l);
    random.word[1][l] = static_cast<std::uint32_t>(first.row);
    random.word[2][l] = static_cast<std::uint32_t>(first.channel);
    random.word[3][l] = static_cast<std::uint32_t>(first.sample);
  }
  random.randomize(static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
  normal_pairs(random.word[0], random.word[1], n[0], n[1]);
  normal_pairs(random.word[2], random.word[3], n[2], n[3]);
}

}  // namespace detail

/// Degradation: additive noise, A(x) = x + σ n with standard normal n.
///
/// n is a function of (seed, sample, channel, row, column) alone (Philox4x32-10, four columns a counter):
/// the same noise from any number of threads, executor and vector width, and for float and double. Give
/// every step of a training its own seed; `sample` is the number within the batch.
///
/// Units:     sigma in those of the image; the result is not clamped.
/// Precision: n is computed in float, to 2e-6; |n| ≤ 5.77.
/// Errors:    argument_error (sigma < 0 or not finite), before any write.
struct gaussian_noise {
  double sigma = 0.1;
  std::uint64_t seed = 0;

  template <class A>
  gaussian_noise bind(char const* function, image_shape const&) const {
    if (!(sigma >= 0 && sigma <= 1e30))
      detail::raise<argument_error>(function, ": gaussian_noise's sigma is ", sigma,
                                    ", expected a number >= 0");
    return *this;
  }

  index_t scratch() const noexcept { return 0; }

  template <class A>
  struct noisy_rows {
    plane<A const> x;
    A sigma;
    std::uint64_t seed;

    template <class V>
    SAGE_INLINE void row(index_t y, A* out) const {
      using F = typename detail::float_lanes<V>::type;
      constexpr int blocks = lane_traits<F>::width;  // counters at a time, four columns each
      A const* const from = x.row(y);
      for (index_t j = 0; j < x.width; j += 4 * blocks) {
        F n[4];
        detail::normal_quads<F, blocks>(seed, {x.sample, x.channel, y, j}, n);
        float part[4][blocks];
        for (int k = 0; k < 4; ++k) detail::store_lanes<F>(part[k], n[k]);
        index_t const rest = x.width - j < 4 * blocks ? x.width - j : 4 * blocks;
        for (index_t i = 0; i < rest; ++i)
          out[j + i] = from[j + i] + detail::rounded_product(sigma, static_cast<A>(part[i % 4][i / 4]));
      }
    }
  };
  template <class V, class A>
  SAGE_INLINE noisy_rows<A> degrade(plane<A const> const& x, A*) const {
    return {x, static_cast<A>(sigma), seed};
  }

  /// Four neighbouring columns, the first a multiple of four.
  template <class A>
  SAGE_HD void pixels(A const (&x)[4], pixel_position const& first, A (&out)[4]) const {
    float n[4];
    detail::normal_quads<float, 1>(seed, first, n);
    A const scale = static_cast<A>(sigma);
    for (int k = 0; k < 4; ++k) out[k] = x[k] + detail::rounded_product(scale, static_cast<A>(n[k]));
  }
  template <class A>
  SAGE_HD A pixel_adjoint(A, A g, pixel_position const&) const {
    return g;
  }

  /// The noise does not depend on the image: Aᵀ is the identity.
  template <class A>
  struct identity_rows {
    plane<A> g;

    template <class V>
    SAGE_INLINE void add_row(index_t y, A* out) const {
      A const* const row = g.row(y);
      detail::sweep<V>(g.width, [&]<class P>(std::type_identity<P>, index_t j) SAGE_INLINE_LAMBDA {
        detail::store_lanes<P>(out + j, detail::load_lanes<P>(out + j) + detail::load_lanes<P>(row + j));
      });
    }
  };
  template <class V, class A>
  SAGE_INLINE identity_rows<A> adjoint(plane<A const> const&, plane<A> const& g, A*) const {
    return {g};
  }
};

SAGE_ABI_END
}  // namespace sage
