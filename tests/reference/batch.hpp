#pragma once

#include "reference/losses.hpp"

#include <sage/tensor/strided_view.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

/// Data for tests: reproducible random values, and matrices that lie in memory in every possible way.
namespace reference {

using sage::index_t;

/// splitmix64: the same numbers with every standard library. Source: Steele, Lea, Flood, OOPSLA 2014.
class random {
 public:
  explicit random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  /// Mean 0, variance 1: the sum of twelve uniform numbers.
  double normal() {
    double s = -6;
    for (int i = 0; i < 12; ++i) s += uniform();
    return s;
  }

 private:
  std::uint64_t state_;
};

/// Normal numbers that are exact in float, so that float and double tests have the same inputs.
inline std::vector<double> normal_values(index_t count, std::uint64_t seed, double scale = 1) {
  random r(seed);
  std::vector<double> v(static_cast<std::size_t>(count));
  for (auto& x : v) x = static_cast<float>(scale * r.normal());
  return v;
}

template <class T>
std::vector<T> to(std::vector<double> const& v) {
  return std::vector<T>(v.begin(), v.end());
}

/// Row i of a row-major matrix.
template <class T>
row row_of(std::vector<T> const& v, index_t length, index_t i) {
  auto const first = v.begin() + static_cast<std::ptrdiff_t>(i * length);
  return row(first, first + static_cast<std::ptrdiff_t>(length));
}

/// How a matrix lies in memory.
enum class arrangement {
  contiguous,
  misaligned,
  pitched,
  strided,
  reversed,
  transposed,
  broadcast_rows,
  broadcast_columns
};
inline constexpr arrangement all_arrangements[] = {
    arrangement::contiguous,     arrangement::misaligned,       arrangement::pitched,
    arrangement::strided,        arrangement::reversed,         arrangement::transposed,
    arrangement::broadcast_rows, arrangement::broadcast_columns};
inline constexpr arrangement writable_arrangements[] = {arrangement::contiguous, arrangement::misaligned,
                                                        arrangement::pitched,    arrangement::strided,
                                                        arrangement::reversed,   arrangement::transposed};

/// A rows × length matrix in one of those arrangements. What lies between its elements is NaN of a known pattern:
/// reading it spoils the result, writing it is noticed.
template <class T>
class matrix {
 public:
  matrix(index_t rows, index_t length, arrangement how = arrangement::contiguous)
      : rows_(rows), length_(length) {
    index_t lead = 0;
    switch (how) {
      case arrangement::contiguous:
        strides_ = {length, 1};
        break;
      case arrangement::misaligned:
        strides_ = {length, 1};
        lead = 1;
        break;
      case arrangement::pitched:
        strides_ = {length + 3, 1};
        break;
      case arrangement::strided:
        strides_ = {2 * length + 1, 2};
        break;
      case arrangement::reversed:
        strides_ = {-length, -1};
        lead = rows * length - 1;
        break;
      case arrangement::transposed:
        strides_ = {1, rows};
        break;
      case arrangement::broadcast_rows:
        strides_ = {0, 1};
        break;
      case arrangement::broadcast_columns:
        strides_ = {1, 0};
        break;
    }
    storage_.assign(static_cast<std::size_t>(2 * (rows + 1) * (length + 3) + 2), gap());
    lead_ = lead < 0 ? 0 : lead;
  }
  /// Copies row-major values; broadcast matrices keep the last that falls on an element.
  template <class U>
  matrix(index_t rows, index_t length, arrangement how, std::vector<U> const& values)
      : matrix(rows, length, how) {
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < length; ++j)
        (*this)(i, j) = static_cast<T>(values[static_cast<std::size_t>(i * length + j)]);
  }

  sage::strided_view<T, 2> view() {
    return {storage_.data() + lead_, sage::extents{rows_, length_}, sage::strides{strides_[0], strides_[1]}};
  }
  sage::strided_view<T const, 2> view() const {
    return {storage_.data() + lead_, sage::extents{rows_, length_}, sage::strides{strides_[0], strides_[1]}};
  }
  T& operator()(index_t i, index_t j) { return view()(i, j); }
  T const& operator()(index_t i, index_t j) const { return view()(i, j); }
  void fill(T x) {
    for (index_t i = 0; i < rows_; ++i)
      for (index_t j = 0; j < length_; ++j) (*this)(i, j) = x;
  }

  /// The elements in row-major order, and one row.
  std::vector<T> values() const {
    std::vector<T> v;
    for (index_t i = 0; i < rows_; ++i)
      for (index_t j = 0; j < length_; ++j) v.push_back((*this)(i, j));
    return v;
  }
  row row_at(index_t i) const {
    row r;
    for (index_t j = 0; j < length_; ++j) r.push_back((*this)(i, j));
    return r;
  }

  /// Is everything between the elements as it was?
  bool gaps_are_untouched() const {
    matrix copy(*this);
    copy.fill(gap());
    T const pattern = gap();
    for (auto const& x : copy.storage_)
      if (std::memcmp(&x, &pattern, sizeof(T)) != 0) return false;
    return true;
  }

 private:
  static T gap() { return std::numeric_limits<T>::quiet_NaN(); }

  index_t rows_, length_, lead_ = 0;
  std::array<index_t, 2> strides_{};
  std::vector<T> storage_;
};

/// Bit for bit the same, NaN included.
template <class T>
bool same_bits(std::vector<T> const& a, std::vector<T> const& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}
template <class T>
bool same_bits(T const& a, T const& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}

/// Row lengths around every vector width W (4, 8, 16 floats; 2, 4, 8 doubles): W − 1, W, W + 1 and 8 W + 2; and around
/// the tile of short rows, 32.
inline constexpr index_t edge_lengths[] = {1,  2,  3,  4,  5,  7,  8,  9,  15, 16, 17,
                                           18, 31, 32, 33, 34, 63, 64, 65, 66, 130};

}  // namespace reference
