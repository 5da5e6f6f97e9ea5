#include "loss/autodiff.hpp"

#include <sage/adapt/eigen_autodiff.hpp>

#include <Eigen/Core>

#include <array>
#include <cstddef>

TEST_CASE("Every loss runs on Eigen::AutoDiffScalar, and its derivatives are our gradient") {
  using scalar = Eigen::AutoDiffScalar<Eigen::Vector2d>;
  every_loss::check_autodiff<2>(
      [](double x, std::array<double, 2> const& d) { return scalar(x, Eigen::Vector2d(d[0], d[1])); },
      [](scalar const& s) { return s.value(); },
      [](scalar const& s, std::size_t i) { return s.derivatives()[static_cast<Eigen::Index>(i)]; });
}

TEST_CASE(
    "Eigen matrices of autodiff scalars with derivatives of run-time length are tensors like any other") {
  using scalar = Eigen::AutoDiffScalar<Eigen::VectorXd>;
  Eigen::Matrix<scalar, 1, 3, Eigen::RowMajor> z, other;
  for (int j = 0; j < 3; ++j) {
    z[j] = scalar(j * 0.5, 3, j);  // ∂/∂z_j is the j-th derivative
    other[j] = scalar(1 - j * 0.25);
  }
  sage::consistency_loss<> const loss;
  auto const r = loss(sage::exec::scalar{}, z, other);
  Eigen::RowVector3d x, y, d;
  for (int j = 0; j < 3; ++j) x[j] = z[j].value(), y[j] = other[j].value();
  CHECK(r.value.value() == Approx(loss.value_and_grad(x, y, d, sage::skip).value).epsilon(1e-13));
  for (int j = 0; j < 3; ++j) CHECK(r.value.derivatives()[j] == Approx(d[j]).epsilon(1e-11));
  // A weight that is no weight is named by its value.
  Eigen::Matrix<scalar, 1, 1> weight(scalar(-2.0));
  CHECK_THROWS_WITH(loss(sage::exec::scalar{}, z, other, sage::weights(weight)),
                    "consistency_loss: weights[0] is -2, expected finite and >= 0");
}
