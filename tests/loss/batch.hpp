#pragma once

#include "catch.hpp"
#include "reference/batch.hpp"
#include "reference/executors.hpp"
#include "reference/gradient.hpp"
#include "reference/tolerances.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

/// Losses whose samples meet each other, against the reference: the loss is a function of all rows at once.
namespace reference {

/// Rows of numbers that are exact in float.
struct batch_data {
  index_t length;
  std::vector<row> rows;

  /// Rows first … first + count in row-major order.
  std::vector<double> values(index_t first, index_t count) const {
    std::vector<double> v;
    for (index_t i = first; i < first + count; ++i)
      for (real const x : rows[static_cast<std::size_t>(i)]) v.push_back(static_cast<double>(x));
    return v;
  }
};

inline batch_data batch_of(index_t rows, index_t length, std::uint64_t seed, double scale = 1) {
  auto const v = normal_values(rows * length, seed, scale);
  batch_data b{length, {}};
  for (index_t i = 0; i < rows; ++i) b.rows.push_back(row_of(v, length, i));
  return b;
}

/// The gradient of a loss of a whole batch, computed once, and how far another one is from it. For few numbers the
/// whole gradient by differences; for many, where that would take minutes, the derivatives along three random
/// directions, each of which meets all of them.
class batch_gradient {
 public:
  template <class F>
  batch_gradient(F const& f, std::vector<row> const& x) {
    if (x.size() * x[0].size() <= 120) {
      whole_ = gradient(f, x);
      return;
    }
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      random r(seed);
      std::vector<row> above = x, below = x, direction = x;
      real const h = 0x1p-38;  // one difference: truncation h² f‴/6 ≈ 1e-23, cancellation 2^−113/h ≈ 3e-23
      for (std::size_t i = 0; i < x.size(); ++i)
        for (std::size_t j = 0; j < x[i].size(); ++j) {
          direction[i][j] = r.normal();
          above[i][j] += h * direction[i][j];
          below[i][j] -= h * direction[i][j];
        }
      along_.push_back((f(above) - f(below)) / (2 * h));
      directions_.push_back(direction);
    }
  }

  /// ‖g − ∇f‖/‖∇f‖ of a gradient g(i, j).
  template <class G>
  double error(G const& g) const {
    relative_error e;
    if (!whole_.empty()) {
      for (std::size_t i = 0; i < whole_.size(); ++i)
        for (std::size_t j = 0; j < whole_[i].size(); ++j) e.add(g(i, j), whole_[i][j]);
      return e.value();
    }
    for (std::size_t k = 0; k < along_.size(); ++k) {
      real along = 0, squares = 0;
      for (std::size_t i = 0; i < directions_[k].size(); ++i)
        for (std::size_t j = 0; j < directions_[k][i].size(); ++j) {
          along += directions_[k][i][j] * g(i, j);
          squares += g(i, j) * g(i, j);
        }
      // A directional derivative is of the size of the gradient's norm, relative to which its error is taken.
      real const norm = sqrt(squares);
      e.add(along + norm, along_[k] + norm);
    }
    return e.value();
  }

 private:
  std::vector<row> whole_;
  row along_;
  std::vector<std::vector<row>> directions_;
};

}  // namespace reference
