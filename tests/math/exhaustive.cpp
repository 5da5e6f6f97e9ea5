#include "math/pack_error.hpp"

#include <array>
#include <cstdio>
#include <thread>
#include <vector>

// Measures the largest error of exp, expm1, log and log1p of packs over all 2^32 floats, for every instruction set
// of this processor; exits with 1 if one exceeds what is documented. Takes minutes: not part of the default tests.

int main() {
#if SAGE_SIMD
  using sage::exec::isa;
  using table = std::array<pack_error::worst, 4>;  // by isa
  bool within = true;
  unsigned const threads = std::max(1u, std::thread::hardware_concurrency());
  for (int f = 0; f < pack_error::function_count; ++f) {
    std::vector<table> found(threads);
    std::vector<std::thread> workers;
    std::uint64_t const share = (std::uint64_t(1) << 32) / threads;
    for (unsigned t = 0; t < threads; ++t)
      workers.emplace_back([&, t] {
        pack_error::sweep(f, t * share, t + 1 == threads ? std::uint64_t(1) << 32 : (t + 1) * share, 1,
                          [&](isa level, double error, float x) {
                            found[t][static_cast<std::size_t>(level)].see(error, x);
                          });
      });
    for (auto& w : workers) w.join();
    for (auto const& [level, name] : {std::pair{isa::baseline, "baseline"}, std::pair{isa::avx2, "avx2"},
                                      std::pair{isa::avx512, "avx512"}}) {
      if (!sage::exec::has_isa(level)) continue;
      pack_error::worst w;
      for (auto const& each : found)
        w.see(each[static_cast<std::size_t>(level)].error, each[static_cast<std::size_t>(level)].at);
      auto const& function = pack_error::functions[f];
      std::printf("%-6s %-9s %.4f ulp at %.9g\n", function.name, name, w.error, static_cast<double>(w.at));
      std::fflush(stdout);
      within = within && w.error <= function.bound;
    }
  }
  return within ? 0 : 1;
#else
  std::puts("built without packs: nothing to measure");
  return 0;
#endif
}
