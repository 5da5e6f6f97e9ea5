#include "adapt/raw.hpp"
#include "catch.hpp"

#include <sage/adapt/eigen.hpp>
#include <sage/core/half_format.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <Eigen/Core>

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace {

using raw::columns;
using raw::rows;
using sage::index_t;

template <class T, int Order>
using matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Order>;

auto const coefficient = [](auto& m, index_t i, index_t j) -> auto& { return m(i, j); };

template <class T>
constexpr std::size_t rank_of = sage::tensor_traits<T>::rank;

static_assert(rank_of<Eigen::VectorXf> == 1 && rank_of<Eigen::RowVectorXd> == 1 &&
              rank_of<Eigen::Vector3f> == 1);
static_assert(rank_of<Eigen::MatrixXf> == 2 && rank_of<Eigen::ArrayXXd> == 2 &&
              rank_of<Eigen::Matrix4f> == 2);
static_assert(sage::tensor<Eigen::Ref<Eigen::MatrixXf const>> && sage::tensor<Eigen::Block<Eigen::MatrixXf>>);
static_assert(!sage::tensor<decltype(Eigen::MatrixXf() + Eigen::MatrixXf())>);

}  // namespace

TEMPLATE_TEST_CASE("Eigen matrices and arrays of either storage order give the bits that raw pointers give",
                   "", float, double) {
  raw::triplets<TestType> const expected;
  std::array<matrix<TestType, Eigen::ColMajor>, 3> column_major, d_column_major;
  std::array<matrix<TestType, Eigen::RowMajor>, 3> row_major, d_row_major;
  std::array<Eigen::Array<TestType, rows, columns>, 3> fixed, d_fixed;
  for (std::size_t k = 0; k < 3; ++k) {
    for (auto* m : {&column_major[k], &d_column_major[k]}) m->resize(rows, columns);
    for (auto* m : {&row_major[k], &d_row_major[k]}) m->resize(rows, columns);
  }
  expected.compare(column_major, d_column_major, coefficient);
  expected.compare(row_major, d_row_major, coefficient);
  expected.compare(fixed, d_fixed, coefficient);
}

TEST_CASE("Eigen maps, blocks, references and transposes are read and written at their strides") {
  raw::triplets<float> const expected;
  auto const gap = std::numeric_limits<float>::quiet_NaN();

  SECTION("maps with inner and outer strides") {
    using strided =
        Eigen::Map<matrix<float, Eigen::ColMajor>, 0, Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;
    std::vector<float> memory(6 * 2 * (rows + 1) * columns, gap);
    auto const map = [&](index_t k) {
      return strided(memory.data() + k * 2 * (rows + 1) * columns, rows, columns, {2 * (rows + 1), 2});
    };
    std::array<strided, 3> in{map(0), map(1), map(2)}, out{map(3), map(4), map(5)};
    expected.compare(in, out, coefficient);
    CHECK(std::count_if(memory.begin(), memory.end(), [](float v) { return v == v; }) == 6 * rows * columns);
  }
  SECTION("blocks") {
    matrix<float, Eigen::ColMajor> whole =
        matrix<float, Eigen::ColMajor>::Constant(6 * (rows + 1), columns + 2, gap);
    auto const block = [&](index_t k) { return whole.block(k * (rows + 1), 1, rows, columns); };
    std::array in{block(0), block(1), block(2)}, out{block(3), block(4), block(5)};
    expected.compare(in, out, coefficient);
    CHECK((whole.array() == whole.array()).count() == 6 * rows * columns);
  }
  SECTION("references, and transposes of references") {
    matrix<float, Eigen::ColMajor> whole(columns, 6 * rows);
    using reference = Eigen::Ref<matrix<float, Eigen::ColMajor>>;
    std::vector<reference> parts;
    for (index_t k = 0; k < 6; ++k) parts.emplace_back(whole.middleCols(k * rows, rows));
    std::array in{parts[0].transpose(), parts[1].transpose(), parts[2].transpose()};
    std::array out{parts[3].transpose(), parts[4].transpose(), parts[5].transpose()};
    expected.compare(in, out, coefficient);
    CHECK(expected.loss(parts[0], parts[1], parts[2]).value != expected.result.value);  // columns are no rows
  }
}

TEST_CASE("an Eigen row or column is one row of its elements") {
  matrix<float, Eigen::ColMajor> const m = matrix<float, Eigen::ColMajor>::Random(4, 6);
  auto const third = m.row(2);
  auto const row = sage::as_view(third);
  static_assert(decltype(row)::rank() == 1);
  CHECK(row.extent(0) == 6);
  CHECK(row.stride(0) == 4);
  CHECK(&row(3) == &m(2, 3));

  Eigen::VectorXf const a = m.row(0), p = m.row(1), n = m.row(2);
  sage::triplet_margin_loss<> const loss{.margin = 10};
  CHECK(loss(m.row(0), m.row(1), m.row(2)).value == loss(a, p, n).value);
}

TEST_CASE("a lazy Eigen expression is evaluated exactly once per element") {
  matrix<float, Eigen::ColMajor> const m = matrix<float, Eigen::ColMajor>::Random(4, 6);
  matrix<float, Eigen::ColMajor> d(4, 6);
  int count = 0;
  auto const counted = m.unaryExpr([&count](float v) { return ++count, 2 * v; });
  sage::triplet_margin_loss<> const loss{.margin = 10};
  auto const r = loss.value_and_grad(counted, m, -m, d, sage::skip, sage::skip);
  CHECK(count == 24);
  matrix<float, Eigen::ColMajor> const twice = 2 * m, minus = -m;
  CHECK(r.value == loss(twice, m, minus).value);
  CHECK(loss(sage::exec::simd{}, 2 * m, m, -m).value == r.value);  // behind an executor, too
}

TEST_CASE("labels, weights and per-sample values are Eigen vectors of any kind") {
  matrix<double, Eigen::RowMajor> const z = matrix<double, Eigen::RowMajor>::Random(3, 4);
  Eigen::VectorXi const labels{{0, 3, 1}};
  Eigen::Array<std::int64_t, 1, 3> const wide_labels(0, 3, 1);
  Eigen::Vector3d const weights(1, 0, 2);
  Eigen::RowVectorXd values(3);
  sage::cross_entropy_loss const loss;
  loss.per_sample(z, labels, values);
  CHECK(loss(z, wide_labels, sage::weights(weights)).value ==
        Approx((values[0] + 2 * values[2]) / 3).epsilon(1e-14));
  auto const weighted = loss(z, labels, sage::weights(weights)).value;
  CHECK(loss(z, labels, sage::weights(3 * weights)).value == Approx(weighted));
}

TEST_CASE("a gradient may stand exactly in the place of its Eigen input, and nowhere else over it") {
  raw::triplets<float> const expected;
  matrix<float, Eigen::ColMajor> a(rows, columns + 1), p(rows, columns), n(rows, columns);
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < columns; ++j)
      a(i, j) = expected.at(0, i, j), p(i, j) = expected.at(1, i, j), n(i, j) = expected.at(2, i, j);
  auto in_place = a.leftCols(columns);
  CHECK_THROWS_AS(expected.loss.value_and_grad(in_place, p, n, a.rightCols(columns), sage::skip, sage::skip),
                  sage::argument_error);
  expected.loss.value_and_grad(in_place, p, n, in_place, sage::skip, sage::skip);
  for (index_t i = 0; i < rows; ++i)
    for (index_t j = 0; j < columns; ++j)
      REQUIRE(a(i, j) == expected.gradient[0][static_cast<std::size_t>(i * columns + j)]);
}

// Both round the same float result once; only the inputs are rounded to the half type before.
TEMPLATE_TEST_CASE("Eigen's half types are computed in float and rounded once", "", Eigen::half,
                   Eigen::bfloat16) {
  static_assert(sage::is_half<TestType>);
  static_assert(sage::half_format_of<TestType> != sage::half_format::unknown);
  using halves = matrix<TestType, Eigen::RowMajor>;
  using floats = matrix<float, Eigen::RowMajor>;
  halves const a = floats::Random(4, 33).cast<TestType>(), p = floats::Random(4, 33).cast<TestType>(),
               n = floats::Random(4, 33).cast<TestType>();
  floats const af = a.template cast<float>(), pf = p.template cast<float>(), nf = n.template cast<float>();
  halves d(4, 33);
  floats df(4, 33);
  sage::triplet_margin_loss<> const loss{.margin = 1};
  auto const r = loss.value_and_grad(a, p, n, d, sage::skip, sage::skip);
  auto const f = loss.value_and_grad(af, pf, nf, df, sage::skip, sage::skip);
  static_assert(std::is_same_v<decltype(r.value), float>);
  REQUIRE(f.active > 0);
  CHECK(r.value == f.value);
  CHECK((d.array() == df.cast<TestType>().array()).all());
}
