#pragma once

#include <sage/augment/channel_mean.hpp>
#include <sage/augment/device_blur.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/pair_works.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/plane_means.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/workspace_pieces.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

template <class Device, class T, class Degraded>
void launch_pair(Device const& device, pair_sink<T> const& to, Degraded const& degraded) {
  pair_work<T, Degraded> const work{to.images, to.maps,  to.plus,
                                    to.minus,  degraded, quad_loop::over(to.images)};
  device.launch(work.loop.blocks(), work.most_threads, 0, work);
}

template <class Device, class T, class Degraded>
void launch_map_gradient(Device const& device, image_view<T const> const& x, pair_upstream<T> const& d,
                         image_gradient<T> const& to, Degraded const& degraded) {
  if (to.mode == gradient_mode::skip) return;
  map_gradient_work<T, Degraded> const work{x, d, to, degraded, quad_loop::over(to.to)};
  device.launch(work.loop.blocks(), work.most_threads, 0, work);
}

template <class Device, class T, class Adjoint>
void launch_image_gradient(Device const& device, image_view<T const> const& x, pair_upstream<T> const& d,
                           image_gradient<T> const& to, Adjoint const& adjoint) {
  if (to.mode == gradient_mode::skip) return;
  image_gradient_work<T, Adjoint> const work{x, d, to, adjoint, quad_loop::over(x)};
  device.launch(work.loop.blocks(), work.most_threads, 0, work);
}

/// The launches of a pair and of its adjoint on a device, for degradations that give a pixel from itself and its
/// position. A call takes `bytes()` of memory, or `adjoint_bytes()`, until its launches are done.
template <class T, class Degradation>
class device_pair {
  using A = accumulator_t<T>;

 public:
  device_pair(char const* function, Degradation const& d, image_shape const& shape)
      : bound_(d.template bind<A>(function, shape)) {}

  template <class Bound>
  static constexpr bool is_known = degrades_quads<Bound, A> || degrades_pixels<Bound, A>;
  using bound = decltype(std::declval<Degradation const&>().template bind<A>("", image_shape{}));

  index_t bytes() const noexcept { return 0; }
  index_t adjoint_bytes() const noexcept { return 0; }

  template <class Device>
  void make(Device const& device, unsigned char*, pair_sink<T> const& to) const {
    static_assert(
        is_known<bound>,
        "sage: this degradation is for the host; on a device a degradation has `pixel(x, position)`, see "
        "sage::saliency_pair");
    if constexpr (is_known<bound>) launch_pair(device, to, degraded_by_pixel<bound>{bound_});
  }
  template <class Device>
  void differentiate(Device const& device, unsigned char*, image_view<T const> const& x,
                     pair_upstream<T> const& d, image_gradient<T> const& to_x,
                     image_gradient<T> const& to_s) const {
    static_assert(is_known<bound> && has_pixel_adjoint<bound, A>,
                  "sage: this degradation's adjoint is for the host; on a device a degradation has "
                  "`pixel(x, position)` and `pixel_adjoint(x, gradient, position)`, see sage::saliency_pair");
    if constexpr (is_known<bound> && has_pixel_adjoint<bound, A>) {
      launch_map_gradient(device, x, d, to_s, degraded_by_pixel<bound>{bound_});
      launch_image_gradient(device, x, d, to_x, adjoint_by_pixel<bound>{bound_});
    }
  }

 private:
  bound bound_;
};

/// The mean of the channel: a reduction, then the pair. The adjoint has two reductions.
template <class T>
class device_pair<T, channel_mean> {
  using A = accumulator_t<T>;

 public:
  device_pair(char const*, channel_mean const&, image_shape const& s)
      : shape_(s),
        planes_(s.samples * s.channels),
        parts_(plane_means<A, image_source<T>>::parts_of(planes_, s.height, s.width)) {
    means_ = pieces_.add<A>(planes_);
    sums_ = pieces_.add<plane_sum<A>>(parts_ > 1 ? planes_ * parts_ : 0);
  }

  index_t bytes() const noexcept { return pieces_.bytes(); }
  index_t adjoint_bytes() const noexcept { return pieces_.bytes(); }

  template <class Device>
  void make(Device const& device, unsigned char* memory, pair_sink<T> const& to) const {
    launch_pair(device, to, mean_of(device, memory, image_source<T>{to.images}));
  }
  template <class Device>
  void differentiate(Device const& device, unsigned char* memory, image_view<T const> const& x,
                     pair_upstream<T> const& d, image_gradient<T> const& to_x,
                     image_gradient<T> const& to_s) const {
    if (to_s.mode != gradient_mode::skip)
      launch_map_gradient(device, x, d, to_s, mean_of(device, memory, image_source<T>{x}));
    if (to_x.mode != gradient_mode::skip)
      launch_image_gradient(device, x, d, to_x, mean_of(device, memory, through_source<T>{d}));
  }

 private:
  template <class Device, class Source>
  mean_of_plane<A> mean_of(Device const& device, unsigned char* memory, Source const& source) const {
    auto* const means = exec::detail::piece_at<A>(memory, means_);
    auto* const sums = exec::detail::piece_at<plane_sum<A>>(memory, sums_);
    plane_means<A, Source> const work{source,  shape_.channels, shape_.height, shape_.width,
                                      planes_, parts_,          sums,          means};
    device.launch(work.blocks(), work.most_threads, 0, work);
    if (parts_ > 1) {
      joined_means<A> const join{sums, planes_, parts_, shape_.height * shape_.width, means};
      device.launch(join.blocks(), join.most_threads, 0, join);
    }
    return {means, shape_.channels};
  }

  image_shape shape_;
  index_t planes_, parts_, means_ = 0, sums_ = 0;
  exec::detail::workspace_pieces pieces_{};
};

/// A blur: one launch where it is tiled. The adjoint has A(x) and g in memory, and goes along lines.
template <class T>
class device_pair<T, gaussian_blur> {
  using A = accumulator_t<T>;

 public:
  device_pair(char const* function, gaussian_blur const& d, image_shape const& s)
      : blur_{d.sigma, d.checked_radius(function), d.border},
        size_(s.samples * s.channels * s.height * s.width) {
    taps_ = adjoint_pieces_.add<A>(blur_.taps_size());
    first_ = adjoint_pieces_.add<A>(size_);
    second_ = adjoint_pieces_.add<A>(size_);
  }

  /// Taps and the batch between two passes.
  index_t bytes() const noexcept { return blur_.is_tiled() ? 0 : second_; }
  index_t adjoint_bytes() const noexcept { return adjoint_pieces_.bytes(); }

  template <class Device>
  void make(Device const& device, unsigned char* memory, pair_sink<T> const& to) const {
    if (blur_.is_tiled()) return blur_.by_tiles(device, to.images, to);
    auto const taps = blur_.store_taps(device, exec::detail::piece_at<A>(memory, taps_));
    blur_.by_lines(device, taps, to.images, exec::detail::piece_at<A>(memory, first_), to);
  }
  template <class Device>
  void differentiate(Device const& device, unsigned char* memory, image_view<T const> const& x,
                     pair_upstream<T> const& d, image_gradient<T> const& to_x,
                     image_gradient<T> const& to_s) const {
    auto const taps = blur_.store_taps(device, exec::detail::piece_at<A>(memory, taps_));
    auto const batch = dense_like(x, exec::detail::piece_at<A>(memory, first_));
    auto* const between = exec::detail::piece_at<A>(memory, second_);
    if (to_s.mode != gradient_mode::skip) {
      if (blur_.is_tiled()) {
        blur_.by_tiles(device, x, memory_sink<A>{batch});
      } else {
        blur_.by_lines(device, taps, x, between, memory_sink<A>{batch});
      }
      launch_map_gradient(device, x, d, to_s, degraded_in_memory<A>{read_only(batch)});
    }
    if (to_x.mode != gradient_mode::skip) {
      through_work<T> const g{{d}, batch, quad_loop::over(x)};
      device.launch(g.loop.blocks(), g.most_threads, 0, g);
      blur_.adjoint(device, taps, read_only(batch), between, image_gradient_sink<T>{d, to_x});
    }
  }

 private:
  device_blur<A> blur_;
  index_t size_, taps_ = 0, first_ = 0, second_ = 0;
  exec::detail::workspace_pieces adjoint_pieces_{};
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
