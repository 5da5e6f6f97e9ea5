#pragma once

#include "batch.hpp"

#include <array>
#include <string>
#include <string_view>

namespace sage_train {

/// What a method adds to the cross entropy of the images.
enum class supervision { none, positive, cam, contrast };

/// A way to train.
struct method {
  std::string_view name, summary;
  sage_train::supervision supervision;
  map_use maps;
};

inline constexpr std::array methods = {
    method{"ce", "cross entropy", supervision::none, map_use::own},
    method{"ce-aug", "cross entropy of the image and of x+", supervision::positive, map_use::own},
    method{"cyborg", "cross entropy and the distance of the class activation map from the map",
           supervision::cam, map_use::own},
    method{"sage", "the SAGE loss", supervision::contrast, map_use::own},
    method{"sage-inverted", "the SAGE loss with inverted maps (sanity check: must be worse)",
           supervision::contrast, map_use::inverted},
    method{"sage-shuffled", "the SAGE loss with the maps of other images (sanity check)",
           supervision::contrast, map_use::shuffled},
};

/// The method of that name, or null.
constexpr method const* find_method(std::string_view name) {
  for (method const& m : methods)
    if (m.name == name) return &m;
  return nullptr;
}

}  // namespace sage_train
