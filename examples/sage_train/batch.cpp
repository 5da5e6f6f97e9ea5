#include "batch.hpp"

#include "random.hpp"
#include "saliency.hpp"

#include <numeric>

namespace sage_train {

namespace {

batch empty_batch(dataset const& data, std::size_t size) {
  const std::size_t area = data.height * data.width;
  return {size, std::vector<float>(3 * size * area), std::vector<float>(size * area),
          std::vector<float>(size), std::vector<std::int64_t>(size)};
}

/// Copies a plane, mirrored if asked for; `value` turns an element into a float.
template <class T, class Value>
void copy_plane(const T* from, float* to, std::size_t height, std::size_t width, bool down, bool across,
                Value value) {
  for (std::size_t y = 0; y < height; ++y) {
    const T* row = from + (down ? height - 1 - y : y) * width;
    for (std::size_t x = 0; x < width; ++x) to[y * width + x] = value(row[across ? width - 1 - x : x]);
  }
}

void put(dataset const& data, sample const& s, sample const& map_of, batch& b, std::size_t n, bool down,
         bool across) {
  const std::size_t area = data.height * data.width;
  auto const unit = [](std::uint8_t v) { return static_cast<float>(v) / 255.0f; };
  for (std::size_t c = 0; c < 3; ++c)
    copy_plane(&s.image.values[c * area], &b.images[(3 * n + c) * area], data.height, data.width, down,
               across, unit);
  copy_plane(map_of.saliency.data(), &b.maps[n * area], data.height, data.width, down, across,
             [](float v) { return v; });
  b.weights[n] = map_of.weight;
  b.labels[n] = s.label;
}

}  // namespace

std::vector<std::size_t> map_sources(dataset const& data, std::span<const std::size_t> members, map_use use,
                                     std::uint64_t seed) {
  std::vector<std::size_t> sources(data.samples.size());
  std::iota(sources.begin(), sources.end(), std::size_t{0});
  if (use != map_use::shuffled) return sources;
  std::vector<std::size_t> with_map;
  for (std::size_t i : members)
    if (data.samples[i].weight > 0) with_map.push_back(i);
  auto const order = random_stream{seed, 0x3a}.permutation(with_map.size());
  for (std::size_t k = 0; k < order.size(); ++k)
    sources[with_map[order[k]]] = with_map[order[(k + 1) % order.size()]];
  return sources;
}

batch assemble(dataset const& data, std::span<const std::size_t> chosen) {
  batch b = empty_batch(data, chosen.size());
  for (std::size_t n = 0; n < chosen.size(); ++n)
    put(data, data.samples[chosen[n]], data.samples[chosen[n]], b, n, false, false);
  return b;
}

batch training_batches::assemble(std::span<const std::size_t> chosen, std::size_t epoch) const {
  batch b = empty_batch(data, chosen.size());
  for (std::size_t n = 0; n < chosen.size(); ++n) {
    random_stream random{seed, 0xf1, epoch, chosen[n]};
    bool const down = flips && random.coin(), across = flips && random.coin();
    put(data, data.samples[chosen[n]], data.samples[sources[chosen[n]]], b, n, down, across);
  }
  if (use == map_use::inverted) invert_maps(b.maps, data.height, data.width);
  return b;
}

}  // namespace sage_train
