#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <cmath>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// w_k = exp(−k²/2σ²) / Σ for |k| ≤ radius, in double.
class gaussian_weights {
 public:
  gaussian_weights(double sigma, index_t radius) : sigma_(sigma) {
    for (index_t k = 1; k <= radius; ++k) total_ += 2 * gauss(k);
  }
  double operator[](index_t k) const { return gauss(k) / total_; }

 private:
  double gauss(index_t k) const {
    double const t = static_cast<double>(k) / sigma_;
    return std::exp(-0.5 * t * t);
  }

  double sigma_, total_ = 1;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
