#pragma once

namespace sage {

/// What is wrong with an option of a distance, a divergence or a check: "beta is 2, expected between 0 and 1". Without a
/// name nothing is wrong.
struct option_defect {
  char const* name = nullptr;
  double got = 0;
  char const* expected = "";
};

}  // namespace sage
