#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <numeric>
#include <utility>
#include <vector>

namespace sage_train {

/// A stream of random numbers that is a function of its keys alone, such as (seed, epoch, image).
///
/// Nothing has to be saved to continue a training: the position in it names every stream.
/// Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014 (splitmix64).
class random_stream {
 public:
  explicit random_stream(std::initializer_list<std::uint64_t> keys) {
    for (std::uint64_t key : keys) state_ = mix(state_ ^ mix(key + 0x9e3779b97f4a7c15u));
  }

  std::uint64_t bits() { return mix(state_ += 0x9e3779b97f4a7c15u); }

  /// Uniform in [0, 1).
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }

  /// Uniform in {0, ..., n − 1}, n > 0.
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(uniform() * static_cast<double>(n)); }

  bool coin() { return (bits() & 1u) != 0; }

  /// Standard normal (Box and Muller).
  double normal() {
    double const radius = std::sqrt(-2 * std::log(1 - uniform()));
    return radius * std::cos(2 * std::numbers::pi * uniform());
  }

  /// 0, ..., n − 1 in random order (Fisher and Yates).
  std::vector<std::size_t> permutation(std::size_t n) {
    std::vector<std::size_t> order(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t i = n; i > 1; --i) std::swap(order[i - 1], order[below(i)]);
    return order;
  }

 private:
  static std::uint64_t mix(std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  std::uint64_t state_ = 0;
};

}  // namespace sage_train
