#include "saliency.hpp"

#include <sage/sage.hpp>

namespace sage_train {

namespace {

/// Maps (N,H,W) in memory of the program.
template <class T>
auto maps_view(T* values, std::size_t count, std::size_t height, std::size_t width) {
  return sage::strided_view{
      values, sage::extents{static_cast<sage::index_t>(count), static_cast<sage::index_t>(height),
                            static_cast<sage::index_t>(width)}};
}

}  // namespace

void prepare_map(picture const& map, std::size_t height, std::size_t width, sample& of) {
  of.saliency.resize(height * width);
  sage::saliency_map const prepared{.normalize = sage::normalize::none, .scale = 1.0 / 255};
  prepared.prepare(maps_view(map.values.data(), 1, map.height, map.width),
                   maps_view(of.saliency.data(), 1, height, width),
                   sage::strided_view{&of.weight, sage::extents{1}});
}

void invert_maps(std::vector<float>& maps, std::size_t height, std::size_t width) {
  auto const all = maps_view(maps.data(), maps.size() / (height * width), height, width);
  sage::saliency_map{.normalize = sage::normalize::none, .invert = true}.prepare(all, all, sage::skip);
}

}  // namespace sage_train
