#pragma once

#include <array>

namespace sage_train {

/// The parts of a training loss, in the order of the columns of curves.csv; a method leaves at zero what it
/// has not. `active` is the share of triplets that violate the margin.
struct loss_terms {
  static constexpr std::array names = {"loss", "classification", "positive", "triplet", "consistency",
                                       "cam",  "active"};
  std::array<double, names.size()> values{};
};

}  // namespace sage_train
