#include "adapt/raw.hpp"
#include "catch.hpp"

#include <sage/adapt/xtensor.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#if __has_include(<xtensor/views/xview.hpp>)
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/views/xstrided_view.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xstrided_view.hpp>
#include <xtensor/xview.hpp>
#endif

#include <array>
#include <vector>

namespace {

using raw::columns;
using raw::rows;
using sage::index_t;

auto const element = [](auto& t, index_t i, index_t j) -> auto& { return t(i, j); };

template <class T, xt::layout_type Layout = xt::layout_type::row_major>
using matrix = xt::xtensor<T, 2, Layout>;

static_assert(sage::tensor_traits<matrix<float>>::rank == 2);
static_assert(sage::tensor_traits<xt::xarray<float>>::rank == sage::dynamic_rank);
static_assert(!sage::tensor<decltype(std::declval<matrix<float>&>() + std::declval<matrix<float>&>())>);
static_assert(
    !sage::exec::executor<decltype(std::declval<matrix<float>&>() + std::declval<matrix<float>&>())>);
static_assert(!sage::exec::executor<matrix<float>>);

template <class Tensor>
std::array<Tensor, 3> three() {
  std::array<Tensor, 3> t;
  for (auto& x : t) x.resize({static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)});
  return t;
}

}  // namespace

TEMPLATE_TEST_CASE("xtensor containers of either layout give the bits that raw pointers give", "", float,
                   double) {
  raw::triplets<TestType> const expected;
  auto const both = [&]<class Tensor>(std::type_identity<Tensor>) {
    auto in = three<Tensor>(), out = three<Tensor>();
    expected.compare(in, out, element);
  };
  both(std::type_identity<matrix<TestType>>{});
  both(std::type_identity<matrix<TestType, xt::layout_type::column_major>>{});
  both(std::type_identity<xt::xarray<TestType>>{});
  both(std::type_identity<xt::xarray<TestType, xt::layout_type::column_major>>{});
}

TEST_CASE("xtensor views and adaptors are read and written at their strides") {
  raw::triplets<float> const expected;
  matrix<float> whole({6 * rows, 2 * columns + 1}, -7.0f);
  SECTION("xt::view") {
    auto const part = [&](index_t k) {
      return xt::view(whole, xt::range(k * rows, (k + 1) * rows), xt::range(1, 2 * columns + 1, 2));
    };
    std::array in{part(0), part(1), part(2)}, out{part(3), part(4), part(5)};
    expected.compare(in, out, element);
    index_t others = 0;
    for (float const v : whole) others += v == -7.0f;
    CHECK(others == 6 * rows * (columns + 1));
  }
  SECTION("xt::strided_view, backwards") {
    auto const part = [&](index_t k) {
      return xt::strided_view(whole, {xt::range(k * rows, (k + 1) * rows), xt::range(columns, 0, -1)});
    };
    std::array in{part(0), part(1), part(2)}, out{part(3), part(4), part(5)};
    expected.compare(in, out, element);
  }
  SECTION("xt::adapt") {
    std::array<std::vector<float>, 6> memory;
    for (auto& m : memory) m.resize(rows * columns);
    std::array<std::size_t, 2> const shape{static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)};
    auto const part = [&](std::size_t k) { return xt::adapt(memory[k], shape); };
    std::array in{part(0), part(1), part(2)}, out{part(3), part(4), part(5)};
    expected.compare(in, out, element);
    CHECK(reference::same_bits(memory[3], expected.gradient[0]));
  }
}

TEST_CASE("a lazy xtensor expression is evaluated exactly once per element, also as the first argument") {
  raw::triplets<float> expected;
  auto t = three<xt::xarray<float>>(), d = three<xt::xarray<float>>();
  expected.compare(t, d, element);
  int count = 0;
  auto const counted = xt::make_lambda_xfunction([&count](float v) { return ++count, v; }, t[0]);
  CHECK(expected.loss(counted, t[1] + 0.0f, t[2]).value == expected.result.value);
  CHECK(count == rows * columns);
  CHECK(expected.loss(sage::exec::simd{}, t[0] * 1.0f, t[1], t[2]).value == expected.result.value);
}

TEST_CASE("an xt::xarray of three dimensions is rows of its last") {
  raw::triplets<float> const expected;
  std::array<xt::xarray<float>, 3> t;
  for (std::size_t k = 0; k < 3; ++k) {
    t[k].resize({1, static_cast<std::size_t>(rows), static_cast<std::size_t>(columns)});
    std::copy(expected.x[k].begin(), expected.x[k].end(), t[k].storage().begin());
  }
  CHECK(expected.loss(t[0], t[1], t[2]).value == expected.result.value);
  t[2] = xt::view(t[2], xt::all(), xt::range(0, 4));
  CHECK_THROWS_WITH(expected.loss(t[0], t[1], t[2]),
                    "triplet_margin_loss: negative has shape (1, 4, 37), anchor (1, 5, 37)");
}

TEST_CASE("an xt::xarray of more than eight dimensions is a shape_error") {
  xt::xarray<float> const t(std::vector<std::size_t>(9, 1));
  CHECK_THROWS_AS(sage::triplet_margin_loss<>{}(t, t, t), sage::shape_error);
}

TEST_CASE("labels of xtensor are integers of any width") {
  xt::xarray<double> const z{{1.0, 2.0}, {0.5, -1.0}};
  xt::xtensor<int, 1> const labels{1, 0};
  xt::xarray<std::uint8_t> const narrow{1, 0};
  CHECK(sage::cross_entropy_loss{}(z, labels).value == sage::cross_entropy_loss{}(z, narrow).value);
}
