#pragma once

#include <sage/augment/arguments.hpp>
#include <sage/augment/device_pair.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/pair_adjoint.hpp>
#include <sage/augment/pair_kernel.hpp>
#include <sage/augment/plane.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/executor.hpp>
#include <sage/exec/row_problem.hpp>

#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// The two augmented copies of images x with saliency maps s, and their adjoint.
///
///   x⁺ = s⊙x + (1−s)⊙A(x)    keeps what is salient and degrades the rest
///   x⁻ = (1−s)⊙x + s⊙A(x)    degrades what is salient and keeps the rest
///
/// Members:   pair(images, maps, x_plus, x_minus),
///            pair.backward(d_plus, d_minus, images, maps, d_images, d_maps); an executor may stand first.
/// Choices:   gaussian_blur (default), constant, channel_mean, gaussian_noise, or a class of the user's with
///            `bind<A>(function, shape)`, which checks its options and returns an object, shared by the
///            threads, with `scratch()`, the elements of A it needs; `degrade<V>(plane, scratch)` → rows
///            with `row<V>(y, out)`; and for backward `adjoint<V>(plane, gradient, scratch)` → rows with
///            `add_row<V>(y, out)`, which adds row y of (∂A/∂x)ᵀ g. Rows are asked for from the first to the
///            last. constant.hpp is a short example. On a device the object has `pixel(x, position)`, A(x) at one
///            pixel, and for backward `pixel_adjoint(x, g, position)`, both marked SAGE_HD.
/// Devices:   pair(sage::exec::cuda{.stream = s}, …) with device_views (sage/exec/cuda.cuh), the same members and
///            options. One launch for a blur of radius ≤ 130 (57 in double), a constant and noise; two or three for
///            a channel's mean. Memory beside the tensors (see workspace_bytes): none; for a channel's mean
///            O(N·C); for a wider blur, and every blur's backward, one and two batches of accumulators.
///            A constant and noise give the bits of the host; the others its results up to the order of sums.
/// Source:    Crum, Sweet and Czajka, "SAGE", arXiv 2511.12744; the choice of A is this library's.
/// Shapes:    images, x_plus, x_minus, d_plus, d_minus, d_images (N,C,H,W), of any strides, also nhwc(t);
///            maps, d_maps (N,H,W) or (N,1,H,W). One element type: float, double, halves.
/// Units:     maps are weights in [0, 1] (saliency_map makes them); others extrapolate. Outputs in those of
///            the image.
/// Precision: each product is rounded once: s = 1 gives x and s = 0 gives A(x) to the bit. Halves are
///            computed in float.
/// Edge:      sage::skip for an output that is not wanted, or for a zero upstream; sage::add_to(d)
///            accumulates. A NaN stays where A leaves it: a NaN of the map in its pixel, a NaN of the image
///            within A's reach.
/// Errors:    shape_error, argument_error (A's options, outputs that overlap anything), before any write.
/// Cost:      1 read of image and map, 2 writes; some rows of scratch per thread, a plane where rows are not
///            dense. Bitwise the same for any number of threads.
/// Example:   tests/augment/saliency_pair.cpp
template <class Degradation = gaussian_blur>
struct saliency_pair {
  Degradation degradation{};

  template <class... Args>
  void operator()(Args&&... args) const {
    detail::with_executor(
        [this](auto const& executor, auto&&... tensors) { this->make(executor, tensors...); },
        std::forward<Args>(args)...);
  }

  /// Bytes that a call on a device with images of element type E needs of an executor's workspace; none for most.
  template <class E>
  index_t workspace_bytes(image_shape const& images) const {
    return detail::device_pair<E, Degradation>(name, degradation, images).bytes();
  }
  template <class E>
  index_t backward_workspace_bytes(image_shape const& images) const {
    return detail::device_pair<E, Degradation>(name, degradation, images).adjoint_bytes();
  }

  template <class... Args>
  void backward(Args&&... args) const {
    detail::with_executor(
        [this](auto const& executor, auto&&... tensors) { this->differentiate(executor, tensors...); },
        std::forward<Args>(args)...);
  }

 private:
  static constexpr char const* name = "saliency_pair";

  template <class Executor, class Images, class Maps, class Plus, class Minus>
  void make(Executor const& executor, Images const& images, Maps const& maps, Plus&& x_plus,
            Minus&& x_minus) const {
    detail::with_image_element(name, "images", images, [&]<class E>(std::type_identity<E>) {
      make_as<E>(executor, detail::evaluated_images(images), detail::evaluated_images(maps), x_plus, x_minus);
    });
  }

  template <class E, class Executor, class Images, class Maps, class Plus, class Minus>
  void make_as(Executor const& executor, Images const& images, Maps const& maps, Plus& x_plus,
               Minus& x_minus) const {
    static_assert(!is_add_to<std::remove_cv_t<Plus>> && !is_add_to<std::remove_cv_t<Minus>>,
                  "sage: x_plus and x_minus are images, not gradients: they are written, not added to");
    auto const x = detail::images_of<E, Executor>(name, "images", images);
    auto const s = maps_of<E, Executor>(maps, x);
    auto const plus = detail::image_gradient_of<E, Executor, false>(name, "x_plus", x_plus).to;
    auto const minus = detail::image_gradient_of<E, Executor, false>(name, "x_minus", x_minus).to;
    require_output("x_plus", plus, x, s);
    require_output("x_minus", minus, x, s);
    detail::require_separate(name, "x_minus", minus, "x_plus", plus);
    if constexpr (exec::device_executor<Executor>) {
      detail::require_reachable(executor, name, "images", x);
      detail::require_reachable(executor, name, "maps", s);
      if (plus.data != nullptr) detail::require_reachable(executor, name, "x_plus", plus);
      if (minus.data != nullptr) detail::require_reachable(executor, name, "x_minus", minus);
      detail::device_pair<E, Degradation> const launches(name, degradation, shape_of(x));
      with_workspace(executor, x, launches.bytes(), [&](unsigned char* memory) {
        launches.make(executor, memory, detail::pair_sink<E>{x, s, plus, minus});
      });
    } else {
      run(executor, x, [&](auto const& bound) {
        return detail::pair_kernel<E, std::remove_cvref_t<decltype(bound)>>{
            bound, x, s, plus, minus, x.extent[0] * x.extent[1], x.extent[2] * x.extent[3]};
      });
    }
  }

  template <class Executor, class Plus, class Minus, class Images, class Maps, class DImages, class DMaps>
  void differentiate(Executor const& executor, Plus const& d_plus, Minus const& d_minus, Images const& images,
                     Maps const& maps, DImages&& d_images, DMaps&& d_maps) const {
    detail::with_image_element(name, "images", images, [&]<class E>(std::type_identity<E>) {
      differentiate_as<E>(executor, detail::evaluated_images(d_plus), detail::evaluated_images(d_minus),
                          detail::evaluated_images(images), detail::evaluated_images(maps), d_images, d_maps);
    });
  }

  template <class E, class Executor, class Plus, class Minus, class Images, class Maps, class DImages,
            class DMaps>
  void differentiate_as(Executor const& executor, Plus const& d_plus, Minus const& d_minus,
                        Images const& images, Maps const& maps, DImages& d_images, DMaps& d_maps) const {
    auto const x = detail::images_of<E, Executor>(name, "images", images);
    auto const s = maps_of<E, Executor>(maps, x);
    auto const up = detail::images_of<E, Executor>(name, "d_plus", d_plus),
               down = detail::images_of<E, Executor>(name, "d_minus", d_minus);
    if (up.data != nullptr) detail::require_image_shape(name, "d_plus", up, x);
    if (down.data != nullptr) detail::require_image_shape(name, "d_minus", down, x);
    auto const to_x = detail::image_gradient_of<E, Executor, false>(name, "d_images", d_images);
    auto const to_s = detail::image_gradient_of<E, Executor, true>(name, "d_maps", d_maps);
    require_output("d_images", to_x.to, x, s);
    detail::require_separate(name, "d_images", to_x.to, "d_plus", up);
    detail::require_separate(name, "d_images", to_x.to, "d_minus", down);
    if (to_s.to.data != nullptr) detail::require_map_shape(name, "d_maps", to_s.to, x);
    detail::require_own_elements(name, "d_maps", to_s.to);
    detail::require_separate(name, "d_maps", to_s.to, "images", x);
    detail::require_separate(name, "d_maps", to_s.to, "maps", s);
    detail::require_separate(name, "d_maps", to_s.to, "d_plus", up);
    detail::require_separate(name, "d_maps", to_s.to, "d_minus", down);
    detail::require_separate(name, "d_maps", to_s.to, "d_images", to_x.to);
    if constexpr (exec::device_executor<Executor>) {
      detail::require_reachable(executor, name, "images", x);
      detail::require_reachable(executor, name, "maps", s);
      if (up.data != nullptr) detail::require_reachable(executor, name, "d_plus", up);
      if (down.data != nullptr) detail::require_reachable(executor, name, "d_minus", down);
      if (to_x.to.data != nullptr) detail::require_reachable(executor, name, "d_images", to_x.to);
      if (to_s.to.data != nullptr) detail::require_reachable(executor, name, "d_maps", to_s.to);
      detail::device_pair<E, Degradation> const launches(name, degradation, shape_of(x));
      with_workspace(executor, x, launches.adjoint_bytes(), [&](unsigned char* memory) {
        launches.differentiate(executor, memory, x, detail::pair_upstream<E>{s, up, down}, to_x, to_s);
      });
    } else {
      run(executor, x, [&](auto const& bound) {
        return detail::pair_adjoint<E, std::remove_cvref_t<decltype(bound)>>{
            bound, x, s, up, down, to_x, to_s, x.extent[0], x.extent[1] * x.extent[2] * x.extent[3]};
      });
    }
  }

  template <class E>
  static image_shape shape_of(detail::image_view<E const> const& x) noexcept {
    return {x.extent[0], x.extent[1], x.extent[2], x.extent[3]};
  }

  // Calls f with the memory of a device for one call, unless there is nothing to do.
  template <class Executor, class E, class F>
  static void with_workspace(Executor const& executor, detail::image_view<E const> const& x, index_t bytes,
                             F const& f) {
    if (detail::elements_of(x) == 0) return;
    if (bytes == 0) return f(nullptr);
    auto const memory = executor.memory(bytes);
    f(memory.data);
  }

  // Binds the degradation, and runs the problem made for it.
  template <class Executor, class E, class Problem>
  void run(Executor const& executor, detail::image_view<E const> const& x, Problem const& problem) const {
    auto const bound = degradation.template bind<accumulator_t<E>>(name, shape_of(x));
    auto const p = problem(bound);
    if (p.rows > 0 && p.length > 0) executor(p);
  }

  template <class E, class Executor, class Maps>
  static detail::image_view<E const> maps_of(Maps const& maps, detail::image_view<E const> const& x) {
    auto const v = detail::image_input<E, Executor>(name, "maps", maps);
    static_assert(std::is_same_v<typename decltype(v)::value_type, E>,
                  "sage: maps have the element type of the images; saliency_map converts them");
    detail::image_view<E const> const s = detail::read_only(detail::as_maps(name, "maps", v));
    detail::require_map_shape(name, "maps", s, x);
    return s;
  }

  template <class E>
  static void require_output(char const* output, detail::image_view<E> const& v,
                             detail::image_view<E const> const& x, detail::image_view<E const> const& s) {
    if (v.data != nullptr) detail::require_image_shape(name, output, v, x);
    detail::require_own_elements(name, output, v);
    detail::require_separate(name, output, v, "images", x);
    detail::require_separate(name, output, v, "maps", s);
  }
};
template <class Degradation>
saliency_pair(Degradation) -> saliency_pair<Degradation>;

SAGE_ABI_END
}  // namespace sage
