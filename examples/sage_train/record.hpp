#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace sage_train {

/// One epoch of a training: the mean of the loss terms, and the validation split.
struct epoch_record {
  std::vector<double> terms;  // as loss_terms
  double val_loss = 0, val_accuracy = 0;
};

/// A finished training, as it goes into the table, the CSV files and the panel. One that diverged has no results:
/// its accuracy is NaN, its curve ends before the epoch in which a loss was no finite number.
struct run_record {
  std::string method;
  std::uint64_t seed = 0;
  std::size_t epochs = 0, steps = 0, best_epoch = 0;
  double accuracy = 0, auroc = 0, known_auroc = 0, cam_inside = 0, active = 0;
  double train_seconds = 0;
  std::vector<epoch_record> curve;
  std::size_t cam_height = 0, cam_width = 0;
  std::vector<float> cams;  // of the panel's images: (rows, cam_height, cam_width)

  bool diverged() const { return std::isnan(accuracy); }
  double step_seconds() const { return train_seconds / static_cast<double>(steps); }
};

/// Text that gives back the very same record.
std::string to_text(std::vector<run_record> const& runs);
std::vector<run_record> runs_from_text(std::string const& text);

}  // namespace sage_train
