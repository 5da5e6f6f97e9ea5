#include "framework/torch.hpp"

#include "adapt/raw.hpp"

#include <sage/adapt/libtorch.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <array>

namespace {

using Catch::Matchers::ContainsSubstring;
using raw::columns;
using raw::rows;

template <class T>
at::Tensor tensor(std::vector<T> const& v) {
  return at::from_blob(const_cast<T*>(v.data()), {rows, columns}, c10::CppTypeToScalarType<T>::value).clone();
}

template <class T>
void compare(raw::triplets<T> const& expected, std::array<at::Tensor, 3> const& in,
             std::array<at::Tensor, 3> const& out) {
  for (std::size_t k = 0; k < 3; ++k) in[k].copy_(tensor(expected.x[k]));
  auto const r = expected.loss.value_and_grad(in[0], in[1], in[2], out[0], out[1], out[2]);
  static_assert(std::is_same_v<decltype(r.value), double>);  // one type for all that may come
  CHECK(r.value == static_cast<double>(expected.result.value));
  CHECK(r.active == expected.result.active);
  for (std::size_t k = 0; k < 3; ++k) CHECK(at::equal(out[k], tensor(expected.gradient[k])));
}

}  // namespace

TEMPLATE_TEST_CASE("an at::Tensor of any strides gives the bits that raw pointers give", "", float, double) {
  raw::triplets<TestType> const expected;
  constexpr auto type = c10::CppTypeToScalarType<TestType>::value;
  auto const both = [&](auto const& make) {
    compare(expected, {make(), make(), make()}, {make(), make(), make()});
  };
  both([&] { return at::empty({rows, columns}, type); });
  both([&] { return at::empty({columns, rows}, type).t(); });
  both([&] {
    return at::empty({2 * rows, 3 * columns}, type).slice(0, 1, at::nullopt, 2).slice(1, 2, at::nullopt, 3);
  });
}

TEST_CASE("sage::libtorch::view gives the tensor's own elements") {
  auto const t = at::arange(12, at::kFloat).view({3, 4}).t();
  auto const v = sage::libtorch::view<float, 2>(t);
  CHECK(v.extent(0) == 4);
  CHECK(v.stride(1) == 4);
  CHECK(v(3, 2) == 11);
  v(3, 2) = -1;
  CHECK(t[3][2].item<float>() == -1);
  static_assert(std::is_same_v<decltype(sage::libtorch::view<std::int64_t const>(t)),
                               sage::strided_view<std::int64_t const, sage::dynamic_rank>>);
}

TEST_CASE("what does not fit is named: element type, rank, device, layout") {
  auto const t = at::zeros({3, 4}, at::kDouble);
  CHECK_THROWS_WITH((sage::libtorch::view<float, 2>(t)),
                    "sage::libtorch::view: the tensor has element type Double, expected Float");
  CHECK_THROWS_WITH((sage::libtorch::view<double, 1>(t, "labels")),
                    "sage::libtorch::view: labels has shape (3, 4), expected rank 1");
  CHECK_THROWS_WITH((sage::libtorch::view<float>({})),
                    "sage::libtorch::view: the tensor is an undefined tensor");
  auto const meta = at::zeros({3, 4}, at::TensorOptions().dtype(at::kDouble).device(at::kMeta));
  CHECK_THROWS_WITH((sage::libtorch::view<double>(meta)),
                    "sage::libtorch::view: the tensor lives on meta, expected a CPU tensor");
  CHECK_THROWS_WITH((sage::libtorch::view<double>(t.to_sparse())),
                    ContainsSubstring("expected a dense tensor"));
  CHECK_THROWS_AS(sage::libtorch::view<double>(at::zeros(std::vector<int64_t>(9, 1), at::kDouble)),
                  sage::shape_error);

  sage::triplet_margin_loss<> const loss;
  CHECK_THROWS_WITH(loss(t, t, t.to(at::kFloat)),
                    "triplet_margin_loss: negative has element type Float, expected Double");
  CHECK_THROWS_WITH(
      loss(t.to(at::kLong), t, t),
      "triplet_margin_loss: anchor has element type Long, expected Float, Double, Half or BFloat16");
  CHECK_THROWS_WITH(loss(t, t.slice(1, 0, 3), t),
                    "triplet_margin_loss: positive has shape (3, 3), anchor (3, 4)");
  CHECK_THROWS_WITH(sage::cross_entropy_loss{}(t, t),
                    "cross_entropy_loss: labels has element type Double, expected an integer type");
}

TEST_CASE("labels are integers of any width") {
  auto const z = at::randn({4, 3}, at::kDouble);
  auto const labels = at::tensor({0, 2, 1, 1}, at::kLong);
  double const expected = sage::cross_entropy_loss{}(z, labels).value;
  for (auto const type : {at::kInt, at::kShort, at::kChar, at::kByte})
    CHECK(sage::cross_entropy_loss{}(z, labels.to(type)).value == expected);
}

TEST_CASE("weights are numbers or a mask: floating, integers of any width, truth values") {
  auto const a = at::randn({4, 3}, at::kDouble), p = at::randn({4, 3}, at::kDouble),
             n = at::randn({4, 3}, at::kDouble);
  auto const mask = at::tensor({1, 0, 1, 1}, at::kInt);
  sage::triplet_margin_loss<> const loss{.margin = 9};
  double const expected = loss(a, p, n, sage::weights(mask.to(at::kDouble))).value;
  CHECK(expected > 0);
  for (auto const type : {at::kBool, at::kByte, at::kInt, at::kLong, at::kFloat})
    CHECK(loss(a, p, n, sage::weights(mask.to(type))).value == expected);
  CHECK_THROWS_WITH(loss(a, p, n, sage::weights(-mask)),
                    "triplet_margin_loss: weights[0] is -1, expected finite and >= 0");
}

TEST_CASE("at::Half and at::BFloat16 are computed in float and rounded once") {
  auto const type = GENERATE(at::kHalf, at::kBFloat16);
  auto const a = at::randn({4, 33}).to(type), p = at::randn({4, 33}).to(type),
             n = at::randn({4, 33}).to(type);
  auto d = at::empty_like(a), df = at::empty({4, 33});
  sage::triplet_margin_loss<> const loss{.margin = 9};
  auto const r = loss.value_and_grad(a, p, n, d, sage::skip, sage::skip);
  auto const f =
      loss.value_and_grad(a.to(at::kFloat), p.to(at::kFloat), n.to(at::kFloat), df, sage::skip, sage::skip);
  REQUIRE(f.active == 4);
  CHECK(r.value == f.value);
  CHECK(at::equal(d, df.to(type)));
}
