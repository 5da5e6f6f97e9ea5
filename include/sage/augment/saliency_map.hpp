#pragma once

#include <sage/augment/arguments.hpp>
#include <sage/augment/blur_plan.hpp>
#include <sage/augment/border.hpp>
#include <sage/augment/device_map.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/map_kernel.hpp>
#include <sage/augment/map_values.hpp>
#include <sage/augment/plane.hpp>
#include <sage/augment/resample.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/executor.hpp>
#include <sage/tensor/gradient.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/shape.hpp>

#include <concepts>
#include <cstddef>
#include <optional>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Preparation of human saliency maps: from whatever was recorded to weights in [0, 1] of the images' size.
///
///   s = clamp( N( G_σ ∗ resize(m) ), 0, 1 )^strength,    then 1 − s if inverted
///
/// with N of `normalize`. A map that is empty or constant tells nothing: x⁻ would equal x, and the triplet be
/// meaningless. Such samples get the weight 0, all others 1, for sage::weights(w).
///
/// Members:   prepare(maps_in, maps_out, weights_out); an executor may stand first, sage::skip for the
///            weights.
/// Shapes:    maps_in (N,h,w) or (N,1,h,w); maps_out (N,H,W) or (N,1,H,W); weights_out N elements. Any
///            strides. maps_in: integers (uint8) or floating point; maps_out, weights_out: one
///            floating-point type.
/// Units:     smooth_sigma in pixels of maps_out (4σ wide, mirrored at the edge so that no mass is lost).
///            scale serves normalize::none only: 1.0/255 for maps of bytes. strength > 1 narrows, < 1 widens.
/// Edge:      weight 0 where max − min ≤ guard · largest magnitude before normalisation, or ≤ guard at the
///            end. A constant map becomes 0 under min_max, 1 under max if positive, scale·m under none; all
///            then follow the formula. A map that holds a NaN or an infinity becomes 0 everywhere, inverted
///            or not, with weight 0.
/// Errors:    shape_error, argument_error (options out of range, overlapping outputs), before any write.
///            maps_out may be exactly maps_in.
/// Cost:      some planes of scratch per thread; meant for once per map, not once per step.
/// Devices:   prepare(sage::exec::cuda{.stream = s}, …) with device_views: three launches, four with smoothing, a block
///            to a map; one batch of maps_out in the workspace, two with smoothing, three where it is wider than
///            saliency_pair's blur in one launch.
/// Example:   saliency_map{.normalize = normalize::none, .scale = 1.0 / 255}.prepare(bytes, maps, weights)
struct saliency_map {
  interpolation resize = interpolation::automatic;
  double smooth_sigma = 0;
  sage::normalize normalize = sage::normalize::min_max;
  double scale = 1;
  double strength = 1;
  bool invert = false;
  double guard = 1e-3;

  template <class... Args>
  void prepare(Args&&... args) const {
    detail::with_executor(
        [this](auto const& executor, auto&&... tensors) { this->prepare_with(executor, tensors...); },
        std::forward<Args>(args)...);
  }

  /// Bytes that a call on a device needs of an executor's workspace, for maps (N,1,h,w) in and (N,1,H,W) out of element
  /// type E.
  template <class E>
  index_t workspace_bytes(image_shape const& maps_in, image_shape const& maps_out) const {
    return launches_of<E, E>(maps_in.samples, maps_in.height, maps_in.width, maps_out.height, maps_out.width)
        .bytes();
  }

 private:
  static constexpr char const* name = "saliency_map";

  template <class Executor, class In, class Out, class Weights>
  void prepare_with(Executor const& executor, In const& maps_in, Out&& maps_out,
                    Weights&& weights_out) const {
    detail::with_image_element(name, "maps_out", maps_out, [&]<class E>(std::type_identity<E>) {
      static_assert(!std::integral<E>,
                    "sage: maps_out holds weights in [0, 1]: its elements are floating-point numbers");
      bind<E>(executor, detail::evaluated_images(maps_in), maps_out, weights_out);
    });
  }

  template <class E, class Executor, class In, class Out, class Weights>
  void bind(Executor const& executor, In const& maps_in, Out& maps_out, Weights& weights_out) const {
    validate();
    auto const in = detail::read_only(
        detail::as_maps(name, "maps_in", detail::image_input<E, Executor>(name, "maps_in", maps_in)));
    auto const out =
        detail::as_maps(name, "maps_out", detail::image_output<E, Executor>(name, "maps_out", maps_out));
    if (in.extent[0] != out.extent[0])
      detail::raise<shape_error>(name, ": maps_out holds ", out.extent[0], " maps, maps_in ", in.extent[0]);
    if (in.extent[0] > 0 && (in.extent[2] < 1 || in.extent[3] < 1))
      detail::raise<shape_error>(name, ": maps_in has maps of ", in.extent[2], " x ", in.extent[3],
                                 ", expected at least 1 x 1");
    auto const weights = weights_of<E, Executor>(weights_out, in.extent[0]);
    detail::require_own_elements(name, "maps_out", out);
    detail::require_own_elements(name, "weights_out", weights);
    bool const in_place = std::is_same_v<std::remove_const_t<std::remove_pointer_t<decltype(in.data)>>, E> &&
                          detail::same_elements(detail::as_blocks(out), detail::as_blocks(in));
    if (!in_place) detail::require_separate(name, "maps_out", out, "maps_in", in);
    detail::require_separate(name, "weights_out", weights, "maps_in", in);
    detail::require_separate(name, "weights_out", weights, "maps_out", out);
    if (out.extent[0] > 0 && out.extent[2] > 0 && out.extent[3] > 0) run(executor, in, out, weights);
  }

  template <class Executor, class M, class E>
  void run(Executor const& executor, detail::image_view<M const> const& in, detail::image_view<E> const& out,
           detail::image_view<E> const& weights) const {
    using A = accumulator_t<E>;
    detail::map_values<A> const values{normalize, static_cast<A>(scale), static_cast<A>(strength),
                                       static_cast<A>(guard), invert};
    if constexpr (exec::device_executor<Executor>) {
      detail::require_reachable(executor, name, "maps_in", in);
      detail::require_reachable(executor, name, "maps_out", out);
      if (weights.data != nullptr) detail::require_reachable(executor, name, "weights_out", weights);
      auto const launches =
          launches_of<M, E>(in.extent[0], in.extent[2], in.extent[3], out.extent[2], out.extent[3]);
      auto const memory = executor.memory(launches.bytes());
      launches.prepare(executor, memory.data, in, out, weights, values);
    } else {
      detail::resampled_axis<A> const rows(in.extent[2], out.extent[2], resize),
          columns(in.extent[3], out.extent[3], resize);
      std::optional<detail::blur_plan<A>> smoothing;
      if (smooth_sigma > 0)
        smoothing =
            blur().template bind<A>(name, image_shape{out.extent[0], 1, out.extent[2], out.extent[3]});
      executor(detail::map_kernel<M, E>{in, out, weights.data, weights.stride[0], rows, columns,
                                        smoothing ? &*smoothing : nullptr, values, out.extent[0],
                                        out.extent[2] * out.extent[3]});
    }
  }

  gaussian_blur blur() const noexcept { return {.sigma = smooth_sigma, .border = border::symmetric}; }

  template <class M, class E>
  detail::device_map<M, E> launches_of(index_t maps, index_t from_height, index_t from_width, index_t height,
                                       index_t width) const {
    std::optional<detail::device_blur<accumulator_t<E>>> smoothing;
    if (smooth_sigma > 0)
      smoothing =
          detail::device_blur<accumulator_t<E>>{smooth_sigma, blur().checked_radius(name), border::symmetric};
    return {maps, {from_height, height, resize}, {from_width, width, resize}, smoothing};
  }

  // The weights as a column of N numbers.
  template <class E, class Executor, class Weights>
  static detail::image_view<E> weights_of(Weights& weights, index_t samples) {
    detail::image_view<E> r;
    if constexpr (!std::is_same_v<std::remove_cv_t<Weights>, skip_t>) {
      auto const v = detail::image_output<E, Executor>(name, "weights_out", weights);
      detail::require_rank(name, "weights_out", v);
      detail::require_one_per_row(name, "weights_out", v, samples);
      r.data = v.data_handle();
      for (int d = 0; d < 4; ++d) r.extent[d] = 1;
      r.extent[0] = samples;
      for (std::size_t d = 0; d < v.rank(); ++d) {  // (N), (N,1), …: the one dimension that counts
        if (v.extent(d) == 1) continue;
        if (v.extent(d) != samples)
          detail::raise<shape_error>(name, ": weights_out has shape ", detail::shape_text(v), ", expected (",
                                     samples, ")");
        r.stride[0] = v.stride(d);
      }
    }
    return r;
  }

  void validate() const {
    if (!(smooth_sigma >= 0 && smooth_sigma <= 10000))
      detail::raise<argument_error>(name, ": smooth_sigma is ", smooth_sigma, ", expected 0 to 10000");
    if (!(scale > 0 && scale <= 1e30))
      detail::raise<argument_error>(name, ": scale is ", scale, ", expected > 0");
    if (!(strength > 0 && strength <= 1e6))
      detail::raise<argument_error>(name, ": strength is ", strength, ", expected > 0");
    if (!(guard >= 0 && guard < 1))
      detail::raise<argument_error>(name, ": guard is ", guard, ", expected 0 <= guard < 1");
  }
};

SAGE_ABI_END
}  // namespace sage
