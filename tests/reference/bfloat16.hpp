#pragma once

#include <sage/core/accumulator.hpp>

#include <cstdint>
#include <cstring>

/// bfloat16 as a user of the library may bring it: the upper half of a float, rounded to nearest, ties to even.
/// Source: the Intel whitepaper "bfloat16 hardware numerics definition", 2018.
namespace user {

struct bfloat16 {
  std::uint16_t bits = 0;

  bfloat16() = default;
  explicit bfloat16(float x) {
    std::uint32_t b;
    std::memcpy(&b, &x, sizeof b);
    bool const nan = (b & 0x7fffffffu) > 0x7f800000u;
    bits = static_cast<std::uint16_t>(nan ? (b >> 16) | 0x40u : (b + 0x7fffu + ((b >> 16) & 1u)) >> 16);
  }
  explicit operator float() const {
    auto const b = static_cast<std::uint32_t>(bits) << 16;
    float x;
    std::memcpy(&x, &b, sizeof x);
    return x;
  }
};

}  // namespace user

template <>
inline constexpr bool sage::is_half<user::bfloat16> = true;
