#pragma once

#include <sage/adapt/libtorch.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_map.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/operands.hpp>
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

namespace detail {

/// Throws argument_error unless t can be augmented in this source.
inline void require_images(at::Tensor const& t, char const* function, char const* name) {
  require_strided(t, function, name);
  require_device(t, function, name);
}

/// The same of what stands beside another tensor.
inline void require_beside(at::Tensor const& t, at::Tensor const& other, char const* function,
                           char const* name) {
  require_strided(t, function, name);
  if (t.device() != other.device())
    sage::detail::raise<argument_error>(function, ": ", name, " lives on ", t.device().str(), ", images on ",
                                        other.device().str(), ", expected one device");
}

}  // namespace detail

/// x⁺ and x⁻ of images and prepared maps, see sage::saliency_pair, on LibTorch's threads, or on a CUDA device's current
/// stream. Augmentation of data: no gradient flows to images or maps.
///
/// Shapes:    images (N, C, H, W) in any memory format, which the copies keep (channels_last too);
///            maps (N, H, W) or (N, 1, H, W) with values in [0, 1]; one element type.
/// Cost:      see sage::saliency_pair; on the CPU halves by way of float copies.
/// Errors:    shape_error, argument_error.
/// Example:   auto [plus, minus] = saliency_pair(images, maps, sage::saliency_pair{sage::gaussian_blur{.sigma
///            = 4}});
template <class Degradation = gaussian_blur>
augmented_pair saliency_pair(at::Tensor const& images, at::Tensor const& maps,
                             sage::saliency_pair<Degradation> const& options = {}) {
  using namespace detail;
  constexpr char const* name = "saliency_pair";
  c10::NoGradGuard const no_graph;
  require_images(images, name, "images");
  require_beside(maps, images, name, "maps");
  if constexpr (has_accelerator)
    if (accelerator::takes(images.device())) {
      augmented_pair const pair{at::empty_like(images), at::empty_like(images)};
      accelerator::visit(images, name, "images", [&]<class E>(std::type_identity<E>) {
        constexpr auto space = accelerator::space;
        auto const x = view_as<E const, space>(images, name, "images"),
                   s = view_as<E const, space>(maps, name, "maps");
        index_t const bytes =
            x.rank() == 4
                ? options.template workspace_bytes<E>({x.extent(0), x.extent(1), x.extent(2), x.extent(3)})
                : 0;  // an error, told below
        accelerator const device(images.device(), bytes);
        options(device.executor(), x, s, view_as<E, space>(pair.plus, name, "x_plus"),
                view_as<E, space>(pair.minus, name, "x_minus"));
      });
      return pair;
    }
  at::Tensor const x = widened(images), s = widened(maps);
  augmented_pair pair{at::empty_like(x), at::empty_like(x)};
  visit_widened(x, name, "images", [&]<class E>(std::type_identity<E>) {
    options(executor{}, view_as<E const>(x, name, "images"), view_as<E const>(s, name, "maps"),
            view<E>(pair.plus), view<E>(pair.minus));
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
/// Shapes:    maps (N, h, w) or (N, 1, h, w) of any element type, of the CPU or of a CUDA device.
/// Errors:    shape_error, argument_error.
/// Example:   auto [s, w] = prepare_saliency(maps, images.size(2), images.size(3), {.invert = true});
template <class Options = sage::saliency_map>
prepared_maps prepare_saliency(at::Tensor const& maps, std::int64_t height, std::int64_t width,
                               std::type_identity_t<Options> const& options = {}) {
  using namespace detail;
  constexpr char const* name = "saliency_map";
  require_images(maps, name, "maps");
  if (maps.dim() != 3 && maps.dim() != 4)
    sage::detail::raise<shape_error>(name, ": maps has rank ", maps.dim(),
                                     ", expected (N, h, w) or (N, 1, h, w)");
  c10::NoGradGuard const no_graph;
  at::Tensor const given = maps.to(c10::kFloat);
  std::int64_t const n = maps.size(0);
  prepared_maps const r{at::empty({n, 1, height, width}, given.options()), at::empty({n}, given.options())};
  auto const prepare = [&]<memory_space Space>(auto const& on) {
    options.prepare(on, view_as<float const, Space>(given, name, "maps"),
                    view_as<float, Space>(r.maps, name, "maps"),
                    view_as<float, Space>(r.weights, name, "weights"));
  };
  if constexpr (has_accelerator)
    if (accelerator::takes(maps.device())) {
      accelerator const device(maps.device(), options.template workspace_bytes<float>(
                                                  image_shape{n, 1, maps.size(-2), maps.size(-1)},
                                                  image_shape{n, 1, height, width}));
      prepare.template operator()<accelerator::space>(device.executor());
      return r;
    }
  prepare.template operator()<memory_space::host>(executor{});
  return r;
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
