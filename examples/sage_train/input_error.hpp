#pragma once

#include <stdexcept>
#include <string>

namespace sage_train {

/// What the user gave cannot be used. The message is one sentence that names the file and, where there is
/// one, the line; the program prints it and exits with status 2.
struct input_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace sage_train
