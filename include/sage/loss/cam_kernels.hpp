#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/lane_traits.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/pack.hpp>
#include <sage/tensor/rows.hpp>

#include <cstddef>
#include <type_traits>

/// The work of cam_alignment_loss: first all activation maps, one task per sample; then, with the gradients
/// of the maps known, all gradients, one task per channel, so that no two tasks write to one place.
namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Planes (…,H,W) as `runs` rows of `length` elements each; one run where neighbouring rows form one stride.
template <class T>
struct plane_runs {
  rows_view<T> rows{};
  index_t height = 0, runs = 0, length = 0, stride = 1;

  SAGE_INLINE T* run(index_t plane, index_t i) const noexcept { return rows.row(plane * height + i); }
};

template <class T>
plane_runs<T> as_planes(rows_view<T> const& rows, index_t height) noexcept {
  plane_runs<T> p{rows, height, height, rows.length, rows.stride};
  if (height == 0 || rows.rows == 0) return p;
  index_t const pitch = height > 1 ? rows.row(1) - rows.row(0) : 0;
  if (height == 1 || rows.length == 1 || pitch == rows.length * rows.stride) {
    p.runs = 1;
    p.length = height * rows.length;
    if (rows.length == 1) p.stride = pitch;
  }
  return p;
}

/// to[j] += w · from[j · stride]
template <class V, class A, class T>
SAGE_INLINE void add_scaled(A* to, A const& w, T const* from, index_t stride, index_t n) {
  index_t j = 0;
#if SAGE_SIMD
  if constexpr (lane_traits<V>::width > 1 && std::is_same_v<A, std::remove_const_t<T>>)
    if (stride == 1)
      for (; j + lane_traits<V>::width <= n; j += lane_traits<V>::width)
        store_pack(to + j, load_pack<V>(static_cast<A const*>(to) + j) + V(w) * load_pack<V>(from + j));
#endif
  for (; j < n; ++j) to[j] = to[j] + w * static_cast<A>(from[j * stride]);
}

/// Σ x[j] · y[j · stride]; lanes are joined in their order.
template <class V, class A, class T>
SAGE_INLINE A product_sum(A const* x, T const* y, index_t stride, index_t n) {
  A sum = A(0);
  index_t j = 0;
#if SAGE_SIMD
  if constexpr (lane_traits<V>::width > 1 && std::is_same_v<A, std::remove_const_t<T>>)
    if (stride == 1 && n >= lane_traits<V>::width) {
      V lanes_of = V(A(0));
      for (; j + lane_traits<V>::width <= n; j += lane_traits<V>::width)
        lanes_of = lanes_of + load_pack<V>(x + j) * load_pack<V>(y + j);
      for (int l = 0; l < lane_traits<V>::width; ++l) sum = sum + lanes_of.v[l];
    }
#endif
  for (; j < n; ++j) sum = sum + x[j] * static_cast<A>(y[j * stride]);
  return sum;
}

/// to[j · stride] = w · from[j], or added to what stands there.
template <class A, class T>
SAGE_INLINE void store_scaled(T* to, index_t stride, A const& w, A const* from, index_t n, bool add) {
  for (index_t j = 0; j < n; ++j) {
    A const x = w * from[j];
    to[j * stride] = static_cast<T>(add ? static_cast<A>(to[j * stride]) + x : x);
  }
}

/// Saliency maps of any type of numbers, times a scale, read as A. The type stands behind a pointer to a function: the
/// kernels, to which maps are one plane beside C of features, are compiled once for all types.
template <class A>
class target_maps {
 public:
  target_maps() = default;
  template <class M>
  target_maps(plane_runs<M const> const& maps, A const& scale) noexcept : scale_(scale) {
    constexpr index_t size = sizeof(M);
    rows_view<unsigned char const>& bytes = maps_.rows;
    bytes.data = reinterpret_cast<unsigned char const*>(maps.rows.data);
    bytes.outer_rank = maps.rows.outer_rank;
    for (std::size_t d = 0; d < bytes.outer_rank; ++d)
      bytes.outer[d] = {maps.rows.outer[d].extent, maps.rows.outer[d].stride * size};
    maps_.height = maps.height;
    maps_.runs = maps.runs;
    maps_.length = maps.length;
    maps_.stride = maps.stride * size;
    read_ = [](unsigned char const* from, index_t stride, A const& factor, A* to, index_t n) {
      for (index_t j = 0; j < n; ++j) to[j] = factor * static_cast<A>(*reinterpret_cast<M const*>(from + j * stride));
    };
  }

  index_t runs() const noexcept { return maps_.runs; }
  index_t length() const noexcept { return maps_.length; }  // of a run
  /// Elements first … first + n − 1 of a run of sample i.
  void read(index_t i, index_t run, index_t first, A* to, index_t n) const {
    read_(maps_.run(i, run) + first * maps_.stride, maps_.stride, scale_, to, n);
  }

 private:
  plane_runs<unsigned char const> maps_{};  // strides in bytes
  A scale_ = A(1);
  void (*read_)(unsigned char const*, index_t, A const&, A*, index_t) = nullptr;
};

/// One call, every argument bound.
template <class T>
struct cam_problem {
  using A = accumulator_t<T>;

  plane_runs<T const> features;                           // (N·C) planes of H·W
  rows_view<T const> class_weights;                       // (K,C)
  target_maps<A> maps;                                    // (N) planes
  index_t rows = 0, channels = 0, classes = 0, area = 0;  // N, C, K, H·W
  double guard = 0;
  gradient_mode features_mode = gradient_mode::skip;
  plane_runs<T> d_features{};
  gradient_rows<T> d_class_weights{};

  A* losses = nullptr;                            // (N)
  A* cams = nullptr;                              // (N,H·W) activation maps, then ∂loss/∂map
  row_parameters<A> const* parameters = nullptr;  // (N)
  row_parameters<A> uniform{};

  bool wants_gradient() const noexcept {
    return features_mode != gradient_mode::skip || d_class_weights.mode != gradient_mode::skip;
  }
  SAGE_INLINE A class_weight(index_t k, index_t c) const noexcept {
    return static_cast<A>(class_weights.row(k)[c * class_weights.stride]);
  }
};

/// Activation maps, losses and the losses' gradients to the maps; one task per sample.
template <class T>
struct cam_maps {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  cam_problem<T> const& of;
  index_t rows, length;

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    for (index_t n = first; n < last; ++n) {
      A* const cam = of.cams + n * of.area;
      for (index_t j = 0; j < of.area; ++j) cam[j] = A(0);
      of.losses[n] = A(0);
      if (of.parameters[n].skipped) continue;
      activation<V>(n, cam);
      align(n, cam);
    }
  }

 private:
  template <class V>
  SAGE_INLINE void activation(index_t n, A* cam) const {
    auto const& f = of.features;
    for (index_t c = 0; c < of.channels; ++c)
      for (index_t i = 0; i < f.runs; ++i)
        add_scaled<V>(cam + i * f.length, of.class_weight(of.parameters[n].label, c),
                      f.run(n * of.channels + c, i), f.stride, f.length);
  }

  // From here on O(H·W) per sample, which is nothing beside the C planes: no lanes.
  void align(index_t n, A* cam) const {
    A low = cam[0], high = cam[0];
    for (index_t j = 1; j < of.area; ++j) {
      if (cam[j] < low) low = cam[j];
      if (cam[j] > high) high = cam[j];
    }
    A const largest = high > -low ? high : -low;
    bool const constant = !(high - low > static_cast<A>(of.guard) * largest);
    A const factor = constant ? A(0) : A(1) / (high - low);
    A squares = A(0), slope = A(0), slope_cam = A(0), lowest = A(0), highest = A(0);
    each(n, cam, [&](A const& c, A const& map) {
      A const normalized = (c - low) * factor, error = normalized - map;
      squares = squares + error * error;
      slope = slope + error;
      slope_cam = slope_cam + error * normalized;
      if (c == low) lowest = lowest + A(1);
      if (c == high) highest = highest + A(1);
    });
    A const size = static_cast<A>(static_cast<double>(of.area));
    of.losses[n] = squares / size;
    // The extremes move all of the map; ties share what falls to them.
    A const to_low = (slope_cam - slope) / lowest, to_high = -slope_cam / highest;
    A const scale = A(2) * factor / size;
    each(n, cam, [&](A& c, A const& map) {
      A d = (c - low) * factor - map;
      if (!constant) {
        if (c == low) d = d + to_low;
        if (c == high) d = d + to_high;
      }
      c = scale * d;
    });
  }

  // f(activation, map) at every place.
  template <class F>
  void each(index_t n, A* cam, F const& f) const {
    constexpr index_t most = 64;
    A map[most];
    index_t const run_length = of.maps.length();
    for (index_t i = 0; i < of.maps.runs(); ++i)
      for (index_t first = 0; first < run_length; first += most) {
        index_t const count = run_length - first < most ? run_length - first : most;
        of.maps.read(n, i, first, map, count);
        for (index_t j = 0; j < count; ++j) f(cam[i * run_length + first + j], map[j]);
      }
  }
};

/// ∂/∂features and ∂/∂class weights from those to the maps; one task per channel.
template <class T>
struct cam_gradients {
  using element = T;
  using accumulator = accumulator_t<T>;
  using A = accumulator;

  cam_problem<T> const& of;
  A* sums;  // (C,K), zero
  index_t rows, length;

  template <class V>
  SAGE_INLINE void run(index_t first, index_t last) const {
    for (index_t c = first; c < last; ++c) {
      A* const of_class = sums + c * of.classes;
      for (index_t n = 0; n < of.rows; ++n) {
        auto const& r = of.parameters[n];
        A const* const d_cam = of.cams + n * of.area;
        index_t const plane = n * of.channels + c;
        if (of.d_class_weights.mode != gradient_mode::skip && !r.skipped) {
          A sum = A(0);
          auto const& f = of.features;
          for (index_t i = 0; i < f.runs; ++i)
            sum = sum + product_sum<V>(d_cam + i * f.length, f.run(plane, i), f.stride, f.length);
          of_class[r.label] = of_class[r.label] + r.upstream * sum;
        }
        if (of.features_mode != gradient_mode::skip) {
          A const w = r.skipped ? A(0) : r.upstream * of.class_weight(r.label, c);
          auto const& g = of.d_features;
          for (index_t i = 0; i < g.runs; ++i)
            store_scaled(g.run(plane, i), g.stride, w, d_cam + i * g.length, g.length,
                         of.features_mode == gradient_mode::add);
        }
      }
      if (of.d_class_weights.mode != gradient_mode::skip)
        for (index_t k = 0; k < of.classes; ++k)
          store_scaled(of.d_class_weights.to.row(k) + c * of.d_class_weights.to.stride, 1, A(1),
                       static_cast<A const*>(of_class) + k, 1, of.d_class_weights.mode == gradient_mode::add);
    }
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
