#pragma once

#include "provider.hpp"

#include <span>
#include <string>

namespace bench {

/// exp, log, log1p and expm1 of floats in the first-level cache: the library's packs on each instruction set beside the
/// C library's vector functions (libmvec) and its scalar ones. The best exp and log are a limit of the softmax losses.
struct function_benchmark {
  std::string name;  // "function/exp/float/4096"
  providers list;
  std::span<float const> x, y;  // arguments and results
  double (*exact)(double);
};

inline constexpr std::size_t function_arguments = 4096;

std::vector<function_benchmark> function_benchmarks();

/// Elementary functions a second, by the fastest provider found.
struct rates {
  double exp = 0, log = 0;
};

/// Seconds that the elementary functions take which a loss cannot do without, whatever its formula, at the rates of
/// floats: p and q, hence one exp each, and log m, for log p and log q are linear in the logits. In the complete loss the
/// cross entropies' exp is the square of the consistency's, whose temperature is 2. Those of a row (the softmax's log)
/// are left out, and so are doubles, whose rates are not measured.
double seconds_of_functions(workload const& w, rates const& r);

}  // namespace bench
