#include "experiment.hpp"
#include "input_error.hpp"

#include <cstdio>
#include <exception>

int main(int argc, char** argv) {
  try {
    auto const options = sage_train::parse_options(argc, argv);
    return options ? sage_train::run_experiment(*options) : 0;
  } catch (sage_train::input_error const& error) {
    std::fprintf(stderr, "sage_train: %s\n", error.what());
    return 2;
  } catch (std::exception const& error) {
    std::fprintf(stderr, "sage_train: failed: %s\n", error.what());
    return 1;
  }
}
