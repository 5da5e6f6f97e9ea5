#include "loss/half_units.hpp"
#include "reference/bfloat16.hpp"

#include <sage/loss/cam_alignment.hpp>
#include <sage/loss/contrastive.hpp>
#include <sage/loss/info_nce.hpp>
#include <sage/loss/nt_xent.hpp>

#if defined(__FLT16_MANT_DIG__)
TEST_CASE("On _Float16 every loss and gradient is within one unit of the definition, rounded once") {
  half_units::check_every_loss<_Float16>();
}

TEST_CASE("A gradient below the smallest half number is zero: the mean of many rows needs a loss scale") {
  // d_positive of one active triplet is 1/N: 2^−26 for N = 2^26, below half of the smallest _Float16, 2^−24.
  _Float16 const zero = 0, one = 1;
  _Float16 d = one;
  auto const row = [](auto& x) { return sage::strided_view{&x, sage::extents{1, 1}}; };
  sage::triplet_margin_loss<> const loss{.distance = {.eps = 0}};
  loss.backward(0x1p-26, row(zero), row(one), row(zero), sage::skip, row(d), sage::skip);
  CHECK(d == 0);
  loss.backward(0x1p-24, row(zero), row(one), row(zero), sage::skip, row(d), sage::skip);
  CHECK(static_cast<float>(d) == 0x1p-24f);
}
#endif

TEST_CASE(
    "On a bfloat16 of the user every loss and gradient is within one unit of the definition, rounded once") {
  half_units::check_every_loss<user::bfloat16>();
}

#if defined(__FLT16_MANT_DIG__)
// Pairs, candidates and activation maps, whose operands have several shapes: against the same numbers in double, whose
// loss the tests of these losses hold to its definition.
TEST_CASE(
    "On _Float16 the losses of pairs, candidates and activation maps are those of double, rounded once") {
  using half = _Float16;
  using reference::normal_values;
  auto const as = [](auto& v, auto... n) { return sage::strided_view{v.data(), sage::extents{n...}}; };
  auto const halves = [](std::vector<double> const& v) {
    std::vector<half> h;
    for (double const x : v) h.push_back(static_cast<half>(x));
    return h;
  };
  auto const wide = [](std::vector<half> const& v) { return std::vector<double>(v.begin(), v.end()); };
  auto const near = [](std::vector<half> const& computed, std::vector<double> const& expected) {
    for (std::size_t j = 0; j < computed.size(); ++j)
      CHECK(half_units::units_between(computed[j], static_cast<half>(expected[j])) <= 1);
  };
  auto const a = halves(normal_values(20, 61)), b = halves(normal_values(20, 62)),
             map = halves(normal_values(20, 63));
  auto const x = wide(a), y = wide(b), m = wide(map);
  std::vector<half> da(20), db(20);
  std::vector<double> dx(20), dy(20);
  std::vector<int> const labels{0, 1, 1, 0};
  sage::exec::scalar const scalar;

  sage::contrastive_loss<> const contrastive{.margin = 4};
  contrastive.value_and_grad(scalar, as(a, 4, 5), as(b, 4, 5), labels, as(da, 4, 5), as(db, 4, 5));
  contrastive.value_and_grad(scalar, as(x, 4, 5), as(y, 4, 5), labels, as(dx, 4, 5), as(dy, 4, 5));
  near(da, dx), near(db, dy);

  sage::info_nce_loss<> const info_nce{.temperature = 1};
  info_nce.value_and_grad(scalar, as(a, 4, 5), as(b, 4, 5), as(da, 4, 5), as(db, 4, 5));
  info_nce.value_and_grad(scalar, as(x, 4, 5), as(y, 4, 5), as(dx, 4, 5), as(dy, 4, 5));
  near(da, dx), near(db, dy);

  sage::nt_xent_loss<> const nt_xent{.temperature = 1};
  nt_xent.value_and_grad(scalar, as(a, 4, 5), labels, as(da, 4, 5));
  nt_xent.value_and_grad(scalar, as(x, 4, 5), labels, as(dx, 4, 5));
  near(da, dx);

  // One picture of five channels and four pixels, two classes.
  std::vector<int> const label{1};
  std::vector<half> dw(10);
  std::vector<double> dv(10);
  std::vector<half> const w(b.begin(), b.begin() + 10);
  std::vector<double> const v(y.begin(), y.begin() + 10);
  sage::cam_alignment_loss const cam;
  cam.value_and_grad(scalar, as(a, 1, 5, 2, 2), as(w, 2, 5), label, as(map, 1, 2, 2), as(da, 1, 5, 2, 2),
                     as(dw, 2, 5));
  cam.value_and_grad(scalar, as(x, 1, 5, 2, 2), as(v, 2, 5), label, as(m, 1, 2, 2), as(dx, 1, 5, 2, 2),
                     as(dv, 2, 5));
  near(da, dx), near(dw, dv);
}
#endif
