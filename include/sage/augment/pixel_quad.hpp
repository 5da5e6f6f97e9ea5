#pragma once

#include <sage/augment/image_view.hpp>
#include <sage/augment/pixel_position.hpp>
#include <sage/augment/row_loops.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// What a thread of a GPU works on at a time: up to four neighbouring pixels of a row, the first at a multiple of four.
/// They are one access where they are neighbours in memory and aligned.
struct pixel_quad {
  pixel_position first;
  int count;
};

template <class T>
struct four_elements {
  T value[4];
};

#if defined(__CUDA_ARCH__)
/// Their bytes as a GPU loads and stores them at once.
template <class T>
using words_of_four = std::conditional_t<sizeof(T) == 2, uint2, uint4>;
#endif

/// Four neighbours at their own alignment. (Of double two would be one access; a warp reads whole lines anyway.)
template <class T>
SAGE_HD four_elements<T> load_four(T const* from) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(T) <= 4) {
    return __builtin_bit_cast(four_elements<T>, *reinterpret_cast<words_of_four<T> const*>(from));
  } else {
    return {{from[0], from[1], from[2], from[3]}};
  }
#else
  return {{from[0], from[1], from[2], from[3]}};
#endif
}
template <class T>
SAGE_HD void store_four(T* to, four_elements<T> const& x) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(T) <= 4) {
    *reinterpret_cast<words_of_four<T>*>(to) = __builtin_bit_cast(words_of_four<T>, x);
  } else {
    to[0] = x.value[0], to[1] = x.value[1], to[2] = x.value[2], to[3] = x.value[3];
  }
#else
  to[0] = x.value[0], to[1] = x.value[1], to[2] = x.value[2], to[3] = x.value[3];
#endif
}
template <class T>
SAGE_HD bool is_one_access(T const* p, index_t stride, int count) noexcept {
  return sizeof(T) <= 4 && count == 4 && stride == 1 &&
         reinterpret_cast<std::uintptr_t>(p) % (4 * sizeof(T)) == 0;
}

template <class T, class A>
SAGE_HD void load_quad(image_view<T const> const& v, pixel_quad const& q, A (&to)[4]) {
  T const* const p = v.row(q.first.sample, q.first.channel, q.first.row) + q.first.column * v.stride[3];
  if (is_one_access(p, v.stride[3], q.count)) {
    four_elements<T> const x = load_four(p);
    SAGE_UNROLL
    for (int k = 0; k < 4; ++k) to[k] = static_cast<A>(x.value[k]);
  } else {
    SAGE_UNROLL
    for (int k = 0; k < 4; ++k) to[k] = k < q.count ? static_cast<A>(p[k * v.stride[3]]) : A(0);
  }
}

/// Writes the pixels of the quad, or adds to them.
template <class T, class A>
SAGE_HD void store_quad(image_view<T> const& v, pixel_quad const& q, A const (&from)[4], bool add = false) {
  T* const p = v.row(q.first.sample, q.first.channel, q.first.row) + q.first.column * v.stride[3];
  A x[4] = {from[0], from[1], from[2], from[3]};
  if (add) {
    SAGE_UNROLL
    for (int k = 0; k < 4; ++k)
      if (k < q.count) x[k] = static_cast<A>(p[k * v.stride[3]]) + x[k];
  }
  if (is_one_access<T>(p, v.stride[3], q.count)) {
    store_four(p, four_elements<T>{{static_cast<T>(x[0]), static_cast<T>(x[1]), static_cast<T>(x[2]),
                                    static_cast<T>(x[3])}});
  } else {
    SAGE_UNROLL
    for (int k = 0; k < 4; ++k)
      if (k < q.count) p[k * v.stride[3]] = static_cast<T>(x[k]);
  }
}

/// s·u + (1 − s)·v, each product rounded: exact at s = 0 and s = 1 for finite u and v.
template <class A>
SAGE_HD A blended(A s, A u, A v) {
  return rounded_product(s, u) + rounded_product(A(1) - s, v);
}

/// Calls f(quad) for every quad of the images, by all threads of a launch. Block b has `each` quads of one plane.
struct quad_loop {
  static constexpr int threads = 256;
  static constexpr index_t most_blocks = index_t(1) << 20;
  static constexpr index_t quads_of_thread = 4;

  index_t samples, channels, height, width;
  index_t quads_per_row, parts;  // of a plane

  template <class T>
  static quad_loop over(image_view<T> const& v) noexcept {
    quad_loop r{v.extent[0], v.extent[1], v.extent[2], v.extent[3], (v.extent[3] + 3) / 4, 0};
    index_t const quads = v.extent[2] * r.quads_per_row;
    r.parts = (quads + threads * quads_of_thread - 1) / (threads * quads_of_thread);
    return r;
  }

  index_t blocks() const noexcept {
    index_t const wanted = samples * channels * parts;
    return wanted < most_blocks ? wanted : most_blocks;
  }

  template <class Group, class F>
  SAGE_HD void operator()(Group const& group, index_t block, index_t blocks, F const& f) const {
    index_t const planes = samples * channels, quads = height * quads_per_row;
    for (index_t b = block; b < planes * parts; b += blocks) {
      index_t const p = quotient(b, parts), n = quotient(p, channels), c = p - n * channels;
      index_t const from = (b - p * parts) * (threads * quads_of_thread);
      group.for_each([&](int rank) {
        for (index_t i = 0; i < quads_of_thread; ++i) {
          index_t const q = from + i * threads + rank;
          if (q >= quads) return;
          index_t const y = quotient(q, quads_per_row), x = 4 * (q - y * quads_per_row);
          f(pixel_quad{{n, c, y, x}, static_cast<int>(width - x < 4 ? width - x : 4)});
        }
      });
    }
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
