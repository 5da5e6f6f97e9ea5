#include "catch.hpp"
#include "exec/layouts.hpp"
#include "reference/batch.hpp"
#include "reference/tolerances.hpp"

#include <sage/exec/emulated.hpp>
#include <sage/exec/scalar.hpp>
#include <sage/loss/binary_consistency.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/contrastive.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/degradation.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/tensor/gradient.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

// The evaluation of a whole batch as a device does it, on memory of the host: labels and weights that nobody has checked,
// sums in blocks, the value left in a place of the caller's. What the members of a loss give there must be what they give
// on an executor of the host.

namespace {

using namespace reference;
using layouts::any_layout;
using layouts::for_each_layout;
using device = sage::exec::emulated_device<any_layout>;
using result = sage::loss_result<float>;

struct rows_of {
  index_t rows, length;
  std::vector<float> x;

  rows_of(index_t rows_, index_t length_, std::uint64_t seed)
      : rows(rows_), length(length_), x(to<float>(normal_values(rows_ * length_, seed))) {}
  auto view() { return sage::strided_view{x.data(), sage::extents{rows, length}}; }
};

bool near(float x, float y) { return x == y || std::abs(x - y) <= 64 * 6e-8f * std::abs(y); }

bool near(std::vector<float> const& x, std::vector<float> const& y) {
  relative_error e;
  bool zero = true;
  for (std::size_t i = 0; i < x.size(); ++i) e.add(x[i], y[i]), zero = zero && x[i] == 0 && y[i] == 0;
  return zero || e.value() <= tolerances<float>{}.gradient;
}

bool same(result const& r, result const& expected) {
  return near(r.value, expected.value) && r.active == expected.active && r.non_finite == expected.non_finite;
}

constexpr sage::reduction all_reductions[] = {sage::reduction::mean, sage::reduction::sum,
                                              sage::reduction::mean_active};

}  // namespace

TEST_CASE(
    "On a device every reduction of triplets gives the value, the counts and the gradients of the host") {
  for (index_t const rows : {1, 5, 1100}) {  // one block of sums, and two
    rows_of a(rows, 6, 1), p(rows, 6, 2), n(rows, 6, 3);
    std::vector<double> w(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<double>(i % 4) / 2;
    for (auto const how : all_reductions)
      for (bool const weighted : {false, true}) {
        sage::triplet_margin_loss<> const loss{.margin = 0.5, .reduction = how};
        rows_of g(rows, 6, 4), h(rows, 6, 4);
        result r, s, value;
        if (weighted) {
          loss.value_and_grad(device{}, a.view(), p.view(), n.view(), g.view(), sage::skip, sage::skip,
                              sage::weights(w), sage::into(&r));
          s = loss.value_and_grad(sage::exec::scalar{}, a.view(), p.view(), n.view(), h.view(), sage::skip,
                                  sage::skip, sage::weights(w));
          loss(device{}, a.view(), p.view(), n.view(), sage::weights(w), sage::into(&value));
        } else {
          loss.value_and_grad(device{}, a.view(), p.view(), n.view(), g.view(), sage::skip, sage::skip,
                              sage::into(&r));
          s = loss.value_and_grad(sage::exec::scalar{}, a.view(), p.view(), n.view(), h.view(), sage::skip,
                                  sage::skip);
          loss(device{}, a.view(), p.view(), n.view(), sage::into(&value));
        }
        CAPTURE(rows, static_cast<int>(how), weighted, r.value, s.value, r.active, s.active);
        CHECK(same(r, s));
        CHECK(same(value, s));
        CHECK(near(g.x, h.x));
      }
  }
}

TEST_CASE("On a device labels may be of any integer type, and ignored ones count for nothing") {
  index_t const rows = 7, classes = 5;
  rows_of z(rows, classes, 1), g(rows, classes, 2), h(rows, classes, 2);
  z.x[2 * 5] = std::numeric_limits<float>::quiet_NaN();  // of an ignored row
  sage::cross_entropy_loss const loss{.label_smoothing = 0.1, .ignore_index = 100};
  std::vector<int> const labels{0, 4, 100, 2, 100, 1, 3};
  auto const expected = loss.value_and_grad(sage::exec::scalar{}, z.view(), labels, h.view());
  auto const check = [&]<class L>(L) {
    std::vector<L> const of_type(labels.begin(), labels.end());
    for_each_layout([&] {
      result r;
      loss.value_and_grad(device{}, z.view(), of_type, g.view(), sage::into(&r));
      CAPTURE(any_layout::name(), sizeof(L));
      CHECK(same(r, expected));
      CHECK(near(g.x, h.x));
    });
  };
  check(std::int8_t{});
  check(std::uint8_t{});
  check(std::int16_t{});
  check(std::uint16_t{});
  check(std::int32_t{});
  check(std::uint32_t{});
  check(std::int64_t{});
  check(std::uint64_t{});
}

TEST_CASE(
    "On a device weights of classes weigh losses, gradients and the divisor of the mean as on the host") {
  index_t const rows = 7, classes = 5;
  rows_of z(rows, classes, 1), t(rows, classes, 6), g(rows, classes, 2), h(rows, classes, 2),
      w(1, classes, 5);
  for (float& x : w.x) x = std::abs(x);
  w.x[1] = 0;
  std::vector<int> const labels{0, 4, 100, 2, 1, 1, 3};
  std::vector<float> const samples{1, 0.5f, 1, 0, 2, 1, 1};
  auto const weights =
      sage::class_weights(sage::strided_view<float const, 1>{w.x.data(), sage::extents{classes}});
  for (auto const how : all_reductions) {
    sage::cross_entropy_loss const loss{.label_smoothing = 0.1, .ignore_index = 100, .reduction = how};
    auto const expected = loss.value_and_grad(sage::exec::scalar{}, z.view(), labels, h.view(), weights,
                                              sage::weights(samples));
    auto const with_probabilities =
        loss(sage::exec::scalar{}, z.view(), t.view(), weights, sage::weights(samples));
    for_each_layout([&] {
      result r;
      CAPTURE(any_layout::name(), static_cast<int>(how));
      loss.value_and_grad(device{}, z.view(), labels, g.view(), weights, sage::weights(samples),
                          sage::into(&r));
      CHECK(same(r, expected));
      CHECK(near(g.x, h.x));
      loss(device{}, z.view(), t.view(), weights, sage::weights(samples), sage::into(&r));
      CHECK(same(r, with_probabilities));
    });
  }
  std::vector<int> const no_class{0, 4, 5, 2, 1, 1, 3};
  result r;
  sage::cross_entropy_loss{}(device{}, z.view(), no_class, weights, sage::into(&r));
  CHECK((std::isnan(r.value) && r.non_finite == 1));
}

TEST_CASE("On a device a label that is no class makes its own row NaN, and no other") {
  index_t const rows = 4, classes = 3;
  rows_of z(rows, classes, 1), g(rows, classes, 2);
  for (int const bad : {-1, 3, 1000000, -100000}) {
    std::vector<int> const labels{0, bad, 2, 1};
    for_each_layout([&] {
      result r;
      std::vector<float> values(4);
      sage::cross_entropy_loss const loss;
      loss.value_and_grad(device{}, z.view(), labels, g.view(), sage::into(&r));
      loss.per_sample(device{}, z.view(), labels, values);
      CAPTURE(bad, any_layout::name());
      CHECK(std::isnan(r.value));
      CHECK(r.non_finite == 1);
      for (std::size_t i = 0; i < 4; ++i) {
        CHECK(std::isnan(values[i]) == (i == 1));
        for (std::size_t k = 0; k < 3; ++k) CHECK(std::isnan(g.x[i * 3 + k]) == (i == 1));
      }
    });
  }
  // Pairs have two classes.
  rows_of u(rows, 3, 3), v(rows, 3, 4);
  std::vector<int> const pairs{0, 1, 2, 0};
  std::vector<float> values(4);
  sage::contrastive_loss<>{}.per_sample(device{}, u.view(), v.view(), pairs, values);
  for (std::size_t i = 0; i < 4; ++i) CHECK(std::isnan(values[i]) == (i == 2));
}

TEST_CASE(
    "On a device per_sample and backward give what they give on the host, with weights and upstream values") {
  index_t const rows = 300, classes = 9;
  rows_of z(rows, classes, 1), other(rows, classes, 2), g(rows, classes, 3), h(rows, classes, 3),
      upstream(rows, 1, 4);
  std::vector<unsigned char> mask(300);
  for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = i % 3 != 0;
  std::vector<float> values(300), expected(300);
  sage::consistency_loss<> const loss{.temperature = 2};
  for_each_layout([&] {
    CAPTURE(any_layout::name());
    loss.per_sample(device{}, z.view(), other.view(), values, sage::weights(mask));
    loss.per_sample(sage::exec::scalar{}, z.view(), other.view(), expected, sage::weights(mask));
    CHECK(near(values, expected));
    loss.backward(device{}, 3, z.view(), other.view(), sage::skip, g.view(), sage::weights(mask));
    loss.backward(sage::exec::scalar{}, 3, z.view(), other.view(), sage::skip, h.view(), sage::weights(mask));
    CHECK(near(g.x, h.x));
    loss.backward(device{}, upstream.view(), z.view(), other.view(), g.view(), sage::skip,
                  sage::weights(mask));
    loss.backward(sage::exec::scalar{}, upstream.view(), z.view(), other.view(), h.view(), sage::skip,
                  sage::weights(mask));
    CHECK(near(g.x, h.x));
    loss.backward(device{}, 0.5, z.view(), other.view(), sage::add_to(g.view()), sage::skip);
    loss.backward(sage::exec::scalar{}, 0.5, z.view(), other.view(), sage::add_to(h.view()), sage::skip);
    CHECK(near(g.x, h.x));
  });
}

TEST_CASE("On a device a gradient may stand in the place of its input") {
  for_each_layout([] {
    for (index_t const length : {3, 70}) {
      rows_of a(3, length, 1), p(3, length, 2), n(3, length, 3), g(3, length, 4);
      result r, s;
      sage::triplet_margin_loss<sage::normalized_euclidean> const loss{.margin = 2};
      loss.value_and_grad(device{}, a.view(), p.view(), n.view(), g.view(), sage::skip, sage::skip,
                          sage::into(&r));
      loss.value_and_grad(device{}, a.view(), p.view(), n.view(), a.view(), sage::skip, sage::skip,
                          sage::into(&s));
      CAPTURE(any_layout::name(), length);
      CHECK(same_bits(r.value, s.value));
      CHECK(same_bits(a.x, g.x));
    }
  });
}

TEST_CASE("On a device the value of a batch has the same bits in every run") {
  rows_of a(1500, 5, 1), p(1500, 5, 2), n(1500, 5, 3);
  result first, second;
  sage::triplet_margin_loss<>{}(device{}, a.view(), p.view(), n.view(), sage::into(&first));
  sage::triplet_margin_loss<>{}(device{}, a.view(), p.view(), n.view(), sage::into(&second));
  CHECK(same_bits(first.value, second.value));
  CHECK(first.active > 0);
}

TEST_CASE("On a device an empty batch has the mean NaN, and one without weight the mean 0, as on the host") {
  rows_of none(0, 4, 1), z(3, 4, 1), g(3, 4, 2);
  result r{1, 1, 1};
  sage::degradation_loss<> const loss;
  loss(device{}, none.view(), sage::into(&r));
  CHECK(std::isnan(r.value));
  CHECK((r.active == 0 && r.non_finite == 0));
  std::vector<int> const mask{0, 0, 0};
  loss.value_and_grad(device{}, z.view(), g.view(), sage::weights(mask), sage::into(&r));
  CHECK(r.value == 0);
  CHECK(g.x == std::vector<float>(12, 0.0f));
  sage::binary_consistency_loss<> const none_active{.reduction = sage::reduction::mean_active};
  none_active(device{}, z.view(), z.view(), sage::into(&r));
  CHECK(r.value == 0);
}

TEST_CASE("On a device shapes and options are refused as on the host, before anything is written") {
  rows_of a(3, 4, 1), p(3, 5, 2);
  result r{7, 7, 7};
  CHECK_THROWS_WITH(sage::consistency_loss<>{}(device{}, a.view(), p.view(), sage::into(&r)),
                    "consistency_loss: other logits has shape (3, 5), logits (3, 4)");
  CHECK_THROWS_AS(sage::consistency_loss<>{.temperature = 0}(device{}, a.view(), a.view(), sage::into(&r)),
                  sage::argument_error);
  std::vector<int> const labels{0, 1};
  CHECK_THROWS_AS(sage::cross_entropy_loss{}(device{}, a.view(), labels, sage::into(&r)), sage::shape_error);
  CHECK(r.value == 7);
}
