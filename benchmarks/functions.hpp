#pragma once

#include "provider.hpp"

#include <span>
#include <string>

namespace bench {

/// exp, log, log1p and expm1 of floats in the first-level cache: the library's packs on each instruction set beside the
/// C library's vector functions (libmvec) and its scalar ones. The best exp is the limit of the softmax losses.
struct function_benchmark {
  std::string name;  // "function/exp/float/4096"
  providers list;
  std::span<float const> x, y;  // arguments and results
  double (*exact)(double);
};

inline constexpr std::size_t function_arguments = 4096;

std::vector<function_benchmark> function_benchmarks();

}  // namespace bench
