#pragma once

#include "method.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace sage_train {

enum class budget { epochs, time };
enum class degradation { mean, blur };
enum class device { cpu, cuda };

/// Everything the command line says; the values are the defaults.
struct options {
  std::filesystem::path data;  // empty: generated images
  std::filesystem::path out = "sage_train_out";
  std::vector<std::string> methods = {"ce", "cyborg", "sage", "sage-inverted"};
  std::size_t seeds = 3;
  std::uint64_t first_seed = 1;
  std::vector<std::string> hold_out;
  std::string normal;                 // empty: none
  std::optional<bool> shortcut;       // unset: planted into generated images only
  std::size_t height = 0, width = 0;  // 0: chosen for the data
  std::size_t generate = 480;

  std::size_t epochs = 30;
  sage_train::budget budget = budget::epochs;
  std::size_t batch_size = 32;
  double learning_rate = 2e-3, weight_decay = 1e-2;
  std::size_t channels = 16;
  bool flips = true;
  int threads = 1;
  sage_train::device device = sage_train::device::cpu;

  double margin = 0.5, temperature = 1;
  double positive_weight = 1, triplet_weight = 1, consistency_weight = 1;
  double cyborg_weight = 0.5;
  sage_train::degradation degradation = degradation::mean;
  double blur_sigma = 5;

  std::size_t panel_rows = 6;
  bool resume = false, restart = false;

  std::string resume_command;  // what to type to go on after an interruption

  bool plants_shortcut() const { return shortcut.value_or(data.empty()); }

  /// All that a run's result depends on, except for its method, its seed and the images, as lines "option value".
  std::string training_text() const;
};

/// What the user asked for, or nothing when that was a help text. Errors: input_error.
std::optional<options> parse_options(int argc, char** argv);

}  // namespace sage_train
