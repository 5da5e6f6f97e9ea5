#pragma once

#include "dataset.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sage_train {

/// Which map goes with an image: its own, its own inverted, or that of another image.
enum class map_use { own, inverted, shuffled };

/// Images and maps side by side, as a network wants them.
struct batch {
  std::size_t size = 0;
  std::vector<float> images;   // (N,3,H,W) in [0, 1]
  std::vector<float> maps;     // (N,1,H,W) in [0, 1]
  std::vector<float> weights;  // (N), zero where there is no map
  std::vector<std::int64_t> labels;
};

/// For every sample the sample whose map it uses. Shuffled maps go round among the samples of `members` that
/// have one.
std::vector<std::size_t> map_sources(dataset const& data, std::span<const std::size_t> members, map_use use,
                                     std::uint64_t seed);

/// The samples as they are.
batch assemble(dataset const& data, std::span<const std::size_t> chosen);

/// Samples for training: with the maps of `sources`, and mirrored at random, a function of (seed, epoch,
/// sample).
struct training_batches {
  dataset const& data;
  std::vector<std::size_t> sources;
  map_use use;
  bool flips;
  std::uint64_t seed;

  batch assemble(std::span<const std::size_t> chosen, std::size_t epoch) const;
};

}  // namespace sage_train
