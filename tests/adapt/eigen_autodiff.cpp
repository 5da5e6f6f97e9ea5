#include "loss/every_loss.hpp"

#include <sage/adapt/eigen_autodiff.hpp>

#include <Eigen/Core>

#include <vector>

using namespace every_loss;

// Derivatives along two directions at once, against the gradient that the loss itself gives; see loss/autodiff.cpp.
TEST_CASE("Every loss runs on Eigen::AutoDiffScalar, and its derivatives are our gradient") {
  using scalar = Eigen::AutoDiffScalar<Eigen::Vector2d>;
  auto const check = []<class Subject>(Subject const& s) {
    index_t const rows = 3, length = 5;
    auto const p = random_problem(static_cast<int>(Subject::operands), rows, length, 41);
    auto const first = random_problem(static_cast<int>(Subject::operands), rows, length, 42);
    auto const second = random_problem(static_cast<int>(Subject::operands), rows, length, 43);
    std::vector<std::vector<scalar>> x(Subject::operands);
    for (std::size_t k = 0; k < x.size(); ++k)
      for (std::size_t j = 0; j < p.x[k].size(); ++j)
        x[k].emplace_back(p.x[k][j], Eigen::Vector2d(first.x[k][j], second.x[k][j]));
    auto const ours = s.run(sage::exec::scalar{}, p.x, rows, length);
    auto const theirs = s.run(sage::exec::scalar{}, x, rows, length);
    double along[2] = {0, 0};
    for (std::size_t k = 0; k < x.size(); ++k)
      for (std::size_t j = 0; j < p.x[k].size(); ++j) {
        along[0] += ours.gradients[k][j] * first.x[k][j];
        along[1] += ours.gradients[k][j] * second.x[k][j];
      }
    CAPTURE(s.name);
    CHECK(theirs.value.value() == Approx(ours.value).epsilon(1e-13));
    for (int i = 0; i < 2; ++i) {
      CHECK(std::abs(along[i]) > 1e-3);
      CHECK(theirs.value.derivatives()[i] == Approx(along[i]).epsilon(1e-11));
    }
  };
  for_each_loss(check);
  for_each_variant(check);
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
