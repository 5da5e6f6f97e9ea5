#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_map.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/widened.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/GradMode.h>

#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// The two augmented copies of a batch of images.
struct augmented_pair {
  at::Tensor plus;   // x⁺: the salient pixels kept, the rest degraded
  at::Tensor minus;  // x⁻: the salient pixels degraded, the rest kept
};

/// x⁺ and x⁻ of images and prepared maps, see sage::saliency_pair, on LibTorch's threads. Augmentation of
/// data: no gradient flows to images or maps.
///
/// Shapes:    images (N, C, H, W) in any memory format, which the copies keep (channels_last too);
///            maps (N, H, W) or (N, 1, H, W) with values in [0, 1]; one element type.
/// Cost:      see sage::saliency_pair; halves by way of float copies.
/// CUDA:      not yet.
/// Errors:    shape_error, argument_error.
/// Example:   auto [plus, minus] = saliency_pair(images, maps, sage::saliency_pair{sage::gaussian_blur{.sigma
///            = 4}});
template <class Degradation = gaussian_blur>
augmented_pair saliency_pair(at::Tensor const& images, at::Tensor const& maps,
                             sage::saliency_pair<Degradation> const& options = {}) {
  c10::NoGradGuard const no_graph;
  detail::require_dense(images, "saliency_pair", "images");
  at::Tensor const x = detail::widened(images), s = detail::widened(maps);
  augmented_pair pair{at::empty_like(x), at::empty_like(x)};
  detail::visit_widened(x, "saliency_pair", "images", [&]<class E>(std::type_identity<E>) {
    options(executor{}, detail::view_as<E const>(x, "saliency_pair", "images"),
            detail::view_as<E const>(s, "saliency_pair", "maps"), view<E>(pair.plus), view<E>(pair.minus));
  });
  return {pair.plus.to(images.scalar_type()), pair.minus.to(images.scalar_type())};
}

/// Maps made ready for saliency_pair, and one weight for each sample: 0 where the map says nothing (empty,
/// constant).
struct prepared_maps {
  at::Tensor maps;     // (N, 1, H, W), float, in [0, 1]
  at::Tensor weights;  // (N), 1 or 0: the weights of sage_loss
};

/// Saliency maps of any resolution resized to the images' and normalised, see sage::saliency_map.
///
/// Shapes:    maps (N, h, w) or (N, 1, h, w) of any element type.
/// Errors:    shape_error, argument_error.
/// Example:   auto [s, w] = prepare_saliency(maps, images.size(2), images.size(3), {.invert = true});
inline prepared_maps prepare_saliency(at::Tensor const& maps, std::int64_t height, std::int64_t width,
                                      sage::saliency_map const& options = {}) {
  detail::require_dense(maps, "saliency_map", "maps");
  if (maps.dim() != 3 && maps.dim() != 4)
    sage::detail::raise<shape_error>("saliency_map: maps has rank ", maps.dim(),
                                     ", expected (N, h, w) or (N, 1, h, w)");
  c10::NoGradGuard const no_graph;
  at::Tensor const given = maps.to(c10::kFloat);
  std::int64_t const n = maps.size(0);
  prepared_maps r{at::empty({n, 1, height, width}, given.options()), at::empty({n}, given.options())};
  options.prepare(executor{}, view<float const>(given), view<float>(r.maps), view<float>(r.weights));
  return r;
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
