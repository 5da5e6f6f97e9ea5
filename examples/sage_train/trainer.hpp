#pragma once

#include "checkpoint.hpp"
#include "dataset.hpp"
#include "method.hpp"
#include "options.hpp"

#include <cstddef>
#include <functional>
#include <span>

namespace sage_train {

/// What a training tells about itself while it runs.
struct training_events {
  /// After every step. Returns true to stop here.
  std::function<bool(std::size_t epoch, std::size_t step, std::size_t images)> stepped;
  /// Keeps the state; called now and then, and before stopping.
  std::function<void(training_state const&)> keep;
};

/// Throws input_error unless there is the device that the options ask for.
void require_device(options const& with);

/// Sets the number of threads LibTorch uses (0: as many as the machine has) and returns it.
int use_threads(int threads);

/// Seconds per training step of a method, measured on a few steps of a network that is thrown away.
double measure_step(method const& how, dataset const& data, options const& with);

/// Steps of one epoch.
std::size_t steps_per_epoch(dataset const& data, options const& with);

/// Trains one network, from the start or from `state`, keeps the epoch that is best on the validation split,
/// and tests it; a training that diverges ends at once, and its record says so. Returns nothing when `stepped`
/// asked to stop. `panel` are the images whose activation maps go into the record.
std::optional<run_record> train(method const& how, dataset const& data, options const& with,
                                training_state state, std::span<const std::size_t> panel,
                                training_events const& events);

/// The images x⁺ and x⁻ of some samples, as pictures.
struct picture_pair {
  picture plus, minus;
};
std::vector<picture_pair> make_view_pictures(dataset const& data, std::span<const std::size_t> chosen,
                                             options const& with);

}  // namespace sage_train
