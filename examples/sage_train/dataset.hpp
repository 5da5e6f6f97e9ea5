#pragma once

#include "manifest.hpp"
#include "picture.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sage_train {

/// One image with what is known of it.
struct sample {
  static constexpr int unknown = -1;       // the label of an image of a held-out class
  static constexpr float salient = 0.25f;  // the salient region is where the map is above this

  picture image;                // (3,H,W)
  std::vector<float> saliency;  // (H,W) in [0, 1]
  float weight = 1;             // 0 where there is no usable map
  int label = unknown;
  sage_train::split split = split::train;
  std::string name;
};

/// Images of one size with their maps.
struct dataset {
  std::size_t height = 0, width = 0;
  std::vector<std::string> classes;
  std::optional<std::size_t> normal;  // the class that AUROC tells from all others
  std::vector<sample> samples;

  /// The indices of the samples of one split.
  std::vector<std::size_t> part(split which) const;

  /// Images of held-out classes, and images without a usable map.
  std::size_t unknown_count() const;
  std::size_t mapless_count() const;
};

/// The images of a manifest at the given size; labels in `hold_out` become unknown and stand in the test
/// only. A size of zero means: as the first image, its longer side 128.
/// Errors: input_error, naming the line, for every image or map that cannot be used and for classes that
/// cannot be learned; and for maps of which none exceeds 1, for 255 means salient.
dataset load_dataset(manifest const& list, std::vector<std::string> const& hold_out, std::size_t height,
                     std::size_t width);

/// A number that changes with any pixel, map, label or split.
std::uint64_t fingerprint(dataset const& data);

}  // namespace sage_train
