#include "sage_adapted.hpp"

#include <sage/adapt/eigen.hpp>

#include <Eigen/Core>

void bench::add_sage_eigen(providers& list, batch<float>& b) {
  add_adapted(list, "sage via Eigen", b, [](auto const& x) {
    using matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    return Eigen::Map<matrix>(const_cast<float*>(x.data), x.rows, x.columns);
  });
}
