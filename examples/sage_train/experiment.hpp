#pragma once

#include "options.hpp"

namespace sage_train {

/// Trains what the options ask for and writes the report. Returns the exit status: 0, or 128 + signal when it
/// was interrupted and left a checkpoint. Errors: input_error, before anything is trained or written.
int run_experiment(options const& with);

}  // namespace sage_train
