#include "math/pack_error.hpp"
#include "math/restricted_error.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>
#include <vector>

// Measures the largest error of every pack function over all floats of its range, for every instruction set of this
// processor; exits with 1 if one exceeds what is documented. Takes minutes: not part of the default tests.
//
//   sage_exhaustive [step [name]]     only every step-th float, only the functions whose names begin so

#if SAGE_SIMD
namespace {

using sage::exec::isa;
using table = std::array<pack_error::worst, 4>;  // by isa

/// Prints the worst of sweep(first, last, step, each) over all floats for each instruction set; is it within the bound?
template <class Sweep>
bool is_within(char const* name, char const* unit, double bound, std::uint64_t step, Sweep const& sweep) {
  unsigned const threads = std::max(1u, std::thread::hardware_concurrency());
  std::vector<table> found(threads);
  std::vector<std::thread> workers;
  std::uint64_t const all = std::uint64_t(1) << 32, share = all / threads;
  for (unsigned t = 0; t < threads; ++t)
    workers.emplace_back([&, t] {
      sweep(t * share, t + 1 == threads ? all : (t + 1) * share, step, [&](isa level, double error, float x) {
        found[t][static_cast<std::size_t>(level)].see(error, x);
      });
    });
  for (auto& w : workers) w.join();
  bool within = true;
  for (auto const& [level, isa_name] : {std::pair{isa::baseline, "baseline"}, std::pair{isa::avx2, "avx2"},
                                        std::pair{isa::avx512, "avx512"}}) {
    if (!sage::exec::has_isa(level)) continue;
    pack_error::worst w;
    for (auto const& each : found)
      w.see(each[static_cast<std::size_t>(level)].error, each[static_cast<std::size_t>(level)].at);
    std::printf("%-21s %-9s %.4f %s at %.9g, %.4g documented\n", name, isa_name, w.error, unit,
                static_cast<double>(w.at), bound);
    std::fflush(stdout);
    within = within && w.error > 0 && w.error <= bound;
  }
  return within;
}

}  // namespace
#endif

int main(int argc, char** argv) {
#if SAGE_SIMD
  std::uint64_t const step = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 1;
  std::string_view const name = argc > 2 ? argv[2] : "";
  bool within = true;
  for (int f = 0; f < pack_error::function_count; ++f)
    if (std::string_view(pack_error::functions[f].name).starts_with(name))
      within &= is_within(pack_error::functions[f].name, "ulp", pack_error::functions[f].bound, step,
                          [f](auto... arguments) { pack_error::sweep(f, arguments...); });
  for (int f = 0; f < restricted_error::function_count; ++f)
    if (std::string_view(restricted_error::functions[f].name).starts_with(name))
      within &= is_within(restricted_error::functions[f].name, "2^-24", restricted_error::functions[f].bound,
                          step, [f](auto... arguments) { restricted_error::sweep(f, arguments...); });
  return within ? 0 : 1;
#else
  static_cast<void>(argc), static_cast<void>(argv);
  std::puts("built without packs: nothing to measure");
  return 0;
#endif
}
