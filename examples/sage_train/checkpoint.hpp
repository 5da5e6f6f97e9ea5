#pragma once

#include "record.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace sage_train {

/// A training that is under way: everything that its continuation depends on. Random numbers are functions of
/// (seed, epoch, image), so that epoch and step say which come next.
struct training_state {
  run_record record;                // method, seed, the number of epochs, the curve so far
  std::size_t epoch = 0, step = 0;  // the next step
  std::vector<double> term_sums;    // of the epoch under way
  double best_val_loss = 0;
  std::string model, optimiser, best_model;  // as LibTorch writes them
};

/// The content of a checkpoint file: finished trainings and the one under way.
struct checkpoint {
  std::string settings;  // what the results depend on; another text is another experiment
  std::map<std::string, std::size_t> epochs;  // of every method, as the budget gave them
  bool complete = false;                      // all that was asked for is finished
  std::vector<run_record> finished;
  std::optional<training_state> current;
};

/// Writes the file; it appears complete or not at all. Errors: input_error.
void save_checkpoint(std::filesystem::path const& file, checkpoint const& state);

/// Reads the file. Errors: input_error if it is missing, damaged, or no checkpoint.
checkpoint load_checkpoint(std::filesystem::path const& file);

}  // namespace sage_train
