#pragma once

#include <sage/core/config.hpp>

#include <cstdint>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Philox4x32-10: a random function of a 128-bit counter and a 64-bit key, N counters at a time.
///
/// Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011; bits equal Random123's
///         philox4x32.
template <int N>
struct philox4x32 {
  std::uint32_t word[4][N];  // counters, then random bits

  SAGE_HD SAGE_INLINE void randomize(std::uint32_t key0, std::uint32_t key1) noexcept {
    for (int round = 0; round < 10; ++round) {
      for (int l = 0; l < N; ++l) {
        std::uint64_t const a = std::uint64_t{word[0][l]} * 0xD2511F53u;
        std::uint64_t const b = std::uint64_t{word[2][l]} * 0xCD9E8D57u;
        word[0][l] = static_cast<std::uint32_t>(b >> 32) ^ word[1][l] ^ key0;
        word[2][l] = static_cast<std::uint32_t>(a >> 32) ^ word[3][l] ^ key1;
        word[1][l] = static_cast<std::uint32_t>(b);
        word[3][l] = static_cast<std::uint32_t>(a);
      }
      key0 += 0x9E3779B9u;  // Weyl sequences: the golden ratio, √3 − 1
      key1 += 0xBB67AE85u;
    }
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
