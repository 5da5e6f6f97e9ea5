#include "loss/compare.hpp"

#include <sage/sage.hpp>

#include <array>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <vector>

// What every loss shares: shapes, reductions, weights, outputs, errors, memory. Shown on the triplet loss, and on
// cross entropy where labels matter.

namespace {

// What this thread has allocated so far.
thread_local long allocations = 0;

}  // namespace

// All forms, so that sanitizers see pairs; not inlined, for GCC takes an inlined free for a mismatch.
#define SAGE_TEST_OUTLINE __attribute__((noinline))
SAGE_TEST_OUTLINE void* operator new(std::size_t bytes, std::nothrow_t const&) noexcept {
  ++allocations;
  return std::malloc(bytes > 0 ? bytes : 1);
}
SAGE_TEST_OUTLINE void* operator new(std::size_t bytes) {
  if (void* p = operator new(bytes, std::nothrow)) return p;
  throw std::bad_alloc();
}
SAGE_TEST_OUTLINE void* operator new[](std::size_t bytes) { return operator new(bytes); }
SAGE_TEST_OUTLINE void* operator new[](std::size_t bytes, std::nothrow_t const&) noexcept {
  return operator new(bytes, std::nothrow);
}
SAGE_TEST_OUTLINE void operator delete(void* p) noexcept { std::free(p); }
SAGE_TEST_OUTLINE void operator delete[](void* p) noexcept { std::free(p); }
SAGE_TEST_OUTLINE void operator delete(void* p, std::size_t) noexcept { std::free(p); }
SAGE_TEST_OUTLINE void operator delete[](void* p, std::size_t) noexcept { std::free(p); }
SAGE_TEST_OUTLINE void operator delete(void* p, std::nothrow_t const&) noexcept { std::free(p); }
SAGE_TEST_OUTLINE void operator delete[](void* p, std::nothrow_t const&) noexcept { std::free(p); }

namespace {

using namespace reference;

// With margin 1 some of the random triplets are active and some are not.
sage::triplet_margin_loss<> const loss{.margin = 1};
constexpr float untouched = 42;

// A batch of triplets with its gradients, and the answers for the sum of the losses.
struct batch {
  index_t rows, length;
  matrix<float> a, p, n, da, dp, dn;

  batch(index_t rows_, index_t length_, std::uint64_t seed = 1)
      : rows(rows_),
        length(length_),
        a(values(seed)),
        p(values(seed + 1)),
        n(values(seed + 2)),
        da(out()),
        dp(out()),
        dn(out()) {}
  auto run(sage::triplet_margin_loss<> const& l) {
    return l.value_and_grad(a.view(), p.view(), n.view(), da.view(), dp.view(), dn.view());
  }
  std::vector<float> gradients() const {
    std::vector<float> all = da.values();
    for (auto const* g : {&dp, &dn})
      for (float const d : g->values()) all.push_back(d);
    return all;
  }
  std::vector<float> losses() const {
    std::vector<float> out(static_cast<std::size_t>(rows));
    loss.per_sample(a.view(), p.view(), n.view(), out);
    return out;
  }

 private:
  matrix<float> values(std::uint64_t seed) const {
    return {rows, length, arrangement::contiguous, normal_values(rows * length, seed)};
  }
  matrix<float> out() const {
    matrix<float> m(rows, length);
    m.fill(untouched);
    return m;
  }
};

sage::triplet_margin_loss<> with(sage::reduction r) {
  auto l = loss;
  l.reduction = r;
  return l;
}

relative_error compare(std::vector<float> const& computed, std::vector<float> const& expected,
                       double factor = 1) {
  relative_error e;
  for (std::size_t i = 0; i < expected.size(); ++i) e.add(computed[i], real(factor) * expected[i]);
  return e;
}

}  // namespace

TEST_CASE("An empty batch has mean NaN, as in PyTorch, sum 0, and writes nothing") {
  float* const none = nullptr;
  sage::strided_view const x{none, sage::extents{0, 5}};
  auto const r = loss.value_and_grad(x, x, x, x, x, x);
  CHECK(std::isnan(r.value));
  CHECK((r.active == 0 && r.non_finite == 0));
  CHECK(with(sage::reduction::sum)(x, x, x).value == 0);
  CHECK(with(sage::reduction::mean_active)(x, x, x).value == 0);
  std::vector<float> out;
  loss.per_sample(x, x, x, out);
}

TEST_CASE("A tensor of rank 1 is one row") {
  batch one(1, 20);
  std::vector<float> const a = one.a.values(), p = one.p.values(), n = one.n.values();
  std::vector<float> da(20), dp(20), dn(20);
  auto const r = loss.value_and_grad(a, p, n, da, dp, dn);
  CHECK(same_bits(r.value, one.run(loss).value));
  CHECK(same_bits(da, one.da.values()));
}

TEST_CASE("Leading dimensions are rows, in order, whether their strides merge or not") {
  // (2, 3, 4) and (2, 2, 3, 4) seen as matrices of 4 columns; the outer strides of `apart` leave gaps that keep
  // dimensions from merging.
  batch flat(12, 4);
  flat.run(loss);
  auto const test = [&](auto const& extents, auto const& strides, index_t storage) {
    std::vector<float> memory[6];
    for (auto& m : memory) m.assign(static_cast<std::size_t>(storage), untouched);
    auto const view = [&](int k) { return sage::strided_view{memory[k].data(), extents, strides}; };
    auto const each = [&](auto const& f) {
      constexpr std::size_t rank = std::remove_cvref_t<decltype(view(0))>::rank();
      for (index_t i = 0; i < 12; ++i)
        for (index_t j = 0; j < 4; ++j) {
          if constexpr (rank == 3) f(i, j, [&](int k) -> float& { return view(k)(i / 3, i % 3, j); });
          if constexpr (rank == 4)
            f(i, j, [&](int k) -> float& { return view(k)(i / 6, i / 3 % 2, i % 3, j); });
        }
    };
    each([&](index_t i, index_t j, auto const& at) {
      at(0) = flat.a(i, j), at(1) = flat.p(i, j), at(2) = flat.n(i, j);
    });
    auto const r = loss.value_and_grad(view(0), view(1), view(2), view(3), view(4), view(5));
    CHECK(r.active > 0);
    bool same = true;
    each([&](index_t i, index_t j, auto const& at) {
      same = same && same_bits(at(3), flat.da(i, j)) && same_bits(at(4), flat.dp(i, j)) &&
             same_bits(at(5), flat.dn(i, j));
    });
    CHECK(same);
    std::size_t written = 0;
    for (float const x : memory[3]) written += x != untouched;
    CHECK(written == 48);
  };
  using sage::extents, sage::strides;
  flat = batch(12, 4);
  flat.run(loss);
  test(extents{4, 3, 4}, strides{12, 4, 1}, 48);            // merges
  test(extents{4, 3, 4}, strides{20, 5, 1}, 80);            // gaps between all
  test(extents{4, 3, 4}, strides{4, 16, 1}, 60);            // leading dimensions transposed
  test(extents{2, 2, 3, 4}, strides{100, 40, 12, 3}, 190);  // nothing merges, elements apart
  test(extents{2, 2, 3, 4}, strides{12, 24, 4, 1}, 48);
}

TEST_CASE("sum is rows times mean, and mean_active divides by the active rows") {
  batch b(13, 10);
  auto const sum = b.run(with(sage::reduction::sum));
  auto const g = b.gradients();
  auto const losses = b.losses();
  index_t active = 0;
  real total = 0;
  for (float const l : losses) active += l > 0, total += l;
  REQUIRE((active > 0 && active < 13));  // else the test says nothing
  CHECK(relative(sum.value, total) <= tolerances<float>{}.value);
  CHECK(sum.active == active);
  auto const mean = b.run(loss);
  CHECK(relative(mean.value, total / 13) <= tolerances<float>{}.value);
  CHECK(compare(b.gradients(), g, 1.0 / 13).value() <= tolerances<float>{}.gradient);
  auto const by_active = b.run(with(sage::reduction::mean_active));
  CHECK(relative(by_active.value, total / static_cast<int>(active)) <= tolerances<float>{}.value);
  CHECK(compare(b.gradients(), g, 1.0 / static_cast<double>(active)).value() <= tolerances<float>{}.gradient);
}

TEST_CASE("Weights make a weighted mean, in value and gradient") {
  batch b(6, 40);
  std::vector<float> const w{1, 0, 0.5f, 3, 0, 0.25f};
  auto const losses = b.losses();
  b.run(with(sage::reduction::sum));
  auto const g = b.gradients();
  std::vector<real> l(losses.begin(), losses.end()), weights(w.begin(), w.end());
  for (auto const reduction : {sage::reduction::mean, sage::reduction::sum, sage::reduction::mean_active}) {
    real sum = 0, total = 0, active = 0;
    for (std::size_t i = 0; i < 6; ++i)
      sum += weights[i] * l[i], total += weights[i], active += l[i] > 0 ? weights[i] : 0;
    real const normalizer = reduction == sage::reduction::mean  ? total
                            : reduction == sage::reduction::sum ? 1
                                                                : active;
    auto const r = with(reduction).value_and_grad(b.a.view(), b.p.view(), b.n.view(), b.da.view(),
                                                  b.dp.view(), b.dn.view(), sage::weights(w));
    CHECK(relative(r.value, sum / normalizer) <= tolerances<float>{}.value);
    relative_error e;
    auto const computed = b.gradients();
    for (std::size_t i = 0; i < g.size(); ++i) e.add(computed[i], g[i] * weights[i / 40 % 6] / normalizer);
    CHECK(e.value() <= tolerances<float>{}.gradient);
  }
  CHECK(relative(loss(b.a.view(), b.p.view(), b.n.view(), sage::weights(w)).value,
                 weighted_mean(l, weights)) <= tolerances<float>{}.value);
}

TEST_CASE("Rows of weight zero contribute exactly nothing, even if they hold NaN") {
  for (index_t const length : {3, 50}) {
    batch b(5, length);
    std::vector<float> const w{1, 0, 2, 1, 0};
    auto const run = [&] {
      return loss.value_and_grad(b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(), b.dn.view(),
                                 sage::weights(w));
    };
    auto const clean = run();
    auto const g = b.gradients();
    for (index_t j = 0; j < length; ++j) b.a(1, j) = b.n(4, j) = std::numeric_limits<float>::quiet_NaN();
    auto const r = run();
    CHECK(same_bits(r.value, clean.value));
    CHECK(r.non_finite == 0);
    CHECK(same_bits(b.gradients(), g));
    for (index_t j = 0; j < length; ++j) CHECK((b.da(1, j) == 0 && b.dn(4, j) == 0));
    std::vector<float> out(5, untouched);
    loss.per_sample(b.a.view(), b.p.view(), b.n.view(), out, sage::weights(w));
    CHECK((out[1] == 0 && out[4] == 0));
    CHECK(out[2] == 2 * b.losses()[2]);
    auto const none = loss.value_and_grad(b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(),
                                          b.dn.view(), sage::weights(std::vector<float>(5)));
    CHECK((none.value == 0 && none.active == 0));
    for (float const d : b.gradients()) CHECK(d == 0);
  }
}

TEST_CASE("backward multiplies by an upstream number, or by one value for each sample") {
  batch b(7, 12);
  b.run(loss);
  auto const mean = b.gradients();
  b.run(with(sage::reduction::sum));
  auto const sum = b.gradients();
  loss.backward(-2.5, b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(), b.dn.view());
  CHECK(compare(b.gradients(), mean, -2.5).value() <= tolerances<float>{}.gradient);
  std::vector<float> const upstream{1, 0, -1, 2, 0.5f, 3, -4}, w{1, 2, 0, 1, 4, 1, 1};
  for (bool const weighted : {false, true}) {
    if (weighted)
      loss.backward(upstream, b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(), b.dn.view(),
                    sage::weights(w));
    else
      loss.backward(upstream, b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(), b.dn.view());
    auto const g = b.gradients();
    relative_error e;
    for (std::size_t i = 0; i < g.size(); ++i)
      e.add(g[i], real(upstream[i / 12 % 7]) * sum[i] * (weighted ? real(w[i / 12 % 7]) : real(1)));
    CHECK(e.value() <= tolerances<float>{}.gradient);
  }
}

TEST_CASE("skip computes and writes nothing, add_to accumulates, and neither changes the other outputs") {
  for (index_t const length : {5, 48}) {
    batch b(9, length), c(9, length);
    b.run(loss);
    auto const r = loss.value_and_grad(c.a.view(), c.p.view(), c.n.view(), sage::skip,
                                       sage::add_to(c.dp.view()), c.dn.view());
    CHECK(r.value > 0);
    for (float const d : c.da.values()) CHECK(d == untouched);
    CHECK(same_bits(c.dn.values(), b.dn.values()));
    bool added = true;
    for (index_t i = 0; i < 9; ++i)
      for (index_t j = 0; j < length; ++j) added = added && same_bits(c.dp(i, j), untouched + b.dp(i, j));
    CHECK(added);
    auto const only_value =
        loss.value_and_grad(c.a.view(), c.p.view(), c.n.view(), sage::skip, sage::skip, sage::skip);
    CHECK(same_bits(only_value.value, loss(c.a.view(), c.p.view(), c.n.view()).value));
  }
}

TEST_CASE("Gradients may be written over their own inputs, bit for bit the same") {
  for (index_t const length : {5, 48})
    for (bool const swap : {false, true}) {
      auto l = loss;
      l.swap = swap;
      batch b(9, length), c(9, length);
      auto const apart = b.run(l);
      auto const r = l.value_and_grad(c.a.view(), c.p.view(), c.n.view(), c.a.view(), c.p.view(), c.n.view());
      CHECK(same_bits(r.value, apart.value));
      CHECK(same_bits(c.a.values(), b.da.values()));
      CHECK(same_bits(c.p.values(), b.dp.values()));
      CHECK(same_bits(c.n.values(), b.dn.values()));
    }
}

TEST_CASE("Gradients may be interleaved columns of one buffer") {
  batch b(9, 10);
  b.run(loss);
  std::vector<float> buffer(9 * 64, untouched);
  auto const columns = [&](index_t first) {
    return sage::strided_view{buffer.data() + first, sage::extents{9, 10}, sage::strides{64, 1}};
  };
  loss.value_and_grad(b.a.view(), b.p.view(), b.n.view(), columns(0), columns(10), columns(54));
  bool same = true;
  for (index_t i = 0; i < 9; ++i)
    for (index_t j = 0; j < 10; ++j)
      same = same && same_bits(columns(0)(i, j), b.da(i, j)) && same_bits(columns(54)(i, j), b.dn(i, j));
  CHECK(same);
  CHECK(buffer[20] == untouched);
}

TEST_CASE("Outputs that overlap are refused in a whole sentence, before anything is written") {
  batch b(4, 6);
  auto const before = b.a.values();
  auto const shifted = sage::strided_view{b.a.view().data_handle() + 1, sage::extents{4, 6}};
  CHECK_THROWS_WITH(
      loss.value_and_grad(b.a.view(), b.p.view(), b.n.view(), shifted, b.dp.view(), b.dn.view()),
      "triplet_margin_loss: d_anchor overlaps anchor, expected separate memory or exactly the same elements");
  CHECK_THROWS_WITH(
      loss.value_and_grad(b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.da.view(), b.dn.view()),
      "triplet_margin_loss: d_positive overlaps d_anchor, expected separate memory");
  CHECK(same_bits(b.a.values(), before));
  for (float const d : b.gradients()) CHECK(d == untouched);
}

TEST_CASE("A gradient written over another operand's memory is refused: it may be read after it is written") {
  // d_anchor exactly in the place of positive: rows are worked in groups, yet element by element both are read
  // before the first is written. Supported or refused, never wrong.
  for (index_t const length : {5, 48}) {
    batch b(9, length), c(9, length);
    b.run(loss);
    try {
      loss.value_and_grad(c.a.view(), c.p.view(), c.n.view(), c.p.view(), sage::skip, c.dn.view());
      CHECK(same_bits(c.p.values(), b.da.values()));
      CHECK(same_bits(c.dn.values(), b.dn.values()));
    } catch (sage::argument_error const&) {
      CHECK(same_bits(c.p.values(), batch(9, length).p.values()));
    }
  }
}

TEST_CASE("Shapes and options that do not fit are named in a whole sentence, before anything is written") {
  using sage::extents;
  std::vector<float> memory(4096, untouched);
  auto const view = [&](auto const& e) { return sage::strided_view{memory.data(), e}; };
  auto const out = [&](auto const& e) { return sage::strided_view{memory.data() + 2048, e}; };
  auto const x = view(extents{32, 8});
  CHECK_THROWS_WITH(loss(x, x, view(extents{32, 7})),
                    "triplet_margin_loss: negative has shape (32, 7), anchor (32, 8)");
  CHECK_THROWS_WITH(loss(x, view(extents{8, 32}), x),
                    "triplet_margin_loss: positive has shape (8, 32), anchor (32, 8)");
  CHECK_THROWS_WITH(loss(x, view(extents{2, 16, 8}), x),
                    "triplet_margin_loss: positive has shape (2, 16, 8), anchor (32, 8)");
  CHECK_THROWS_WITH(loss.value_and_grad(x, x, x, sage::skip, sage::skip, out(extents{31, 8})),
                    "triplet_margin_loss: d_negative has shape (31, 8), negative (32, 8)");
  CHECK_THROWS_WITH(loss.per_sample(x, x, x, out(extents{31})),
                    "triplet_margin_loss: out has shape (31), expected one element for each of 32 rows");
  CHECK_THROWS_WITH(loss.backward(view(extents{3}), x, x, x, sage::skip, sage::skip, sage::skip),
                    "triplet_margin_loss: upstream has shape (3), expected one element for each of 32 rows");
  CHECK_THROWS_WITH(
      loss(x, x, x, sage::weights(view(extents{2, 8}))),
      "triplet_margin_loss: weights has shape (2, 8), expected one element for each of 32 rows");
  std::vector<float> negative(32, 1.0f);
  negative[3] = -0.5f;
  CHECK_THROWS_WITH(
      loss.value_and_grad(x, x, x, out(extents{32, 8}), sage::skip, sage::skip, sage::weights(negative)),
      "triplet_margin_loss: weights[3] is -0.5, expected finite and >= 0");
  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    negative[3] = bad;
    CHECK_THROWS_AS(loss(x, x, x, sage::weights(negative)), sage::argument_error);
  }
  CHECK_THROWS_WITH((sage::triplet_margin_loss<>{.margin = -0.25}(x, x, x)),
                    "triplet_margin_loss: margin is -0.25, expected >= 0");
  CHECK_THROWS_AS((sage::triplet_margin_loss<>{.margin = std::nan("")}(x, x, x)), sage::argument_error);
  CHECK_THROWS_AS((sage::triplet_margin_loss<>{.distance = {.eps = -1}}(x, x, x)), sage::argument_error);
  CHECK_THROWS_AS(loss(x, x, view(extents{32, 7})), sage::shape_error);
  CHECK_THROWS_AS(loss(x, x, view(extents{32, 7})), std::invalid_argument);

  sage::cross_entropy_loss const entropy;
  CHECK_THROWS_WITH(entropy(x, std::vector<int>(31)),
                    "cross_entropy_loss: labels has shape (31), expected one element for each of 32 rows");
  std::vector<int> labels(32);
  labels[30] = 8;
  CHECK_THROWS_WITH(entropy.value_and_grad(x, labels, out(extents{32, 8})),
                    "cross_entropy_loss: labels[30] is 8, expected 0 <= label < 8 or the ignored index -100");
  labels[30] = -1;
  CHECK_THROWS_AS(entropy(x, labels), sage::argument_error);
  CHECK_THROWS_WITH(entropy(view(extents{4, 0}), std::vector<int>(4)),
                    "cross_entropy_loss: logits has shape (4, 0), expected rows of at least 1 elements");
  CHECK_THROWS_WITH((sage::cross_entropy_loss{.label_smoothing = 1.5}(x, std::vector<int>(32))),
                    "cross_entropy_loss: label_smoothing is 1.5, expected between 0 and 1");
  for (float const m : memory) CHECK(m == untouched);
}

TEST_CASE(
    "Every option that is no number, infinite, out of its range or too large for float is refused by name") {
  constexpr double inf = std::numeric_limits<double>::infinity(),
                   nan = std::numeric_limits<double>::quiet_NaN();
  // For options of one kind: what none takes, and the limits of what all take.
  struct kind {
    std::vector<double> refused, taken;
  };
  kind const non_negative{{nan, inf, -inf, -1e-9, 1.1e18}, {0, 1e-300, 0.5, 1e18}},
      temperature{{nan, inf, -inf, 0, -1, 1e200, 1e-200, 1.1e18, 0.9e-18}, {1e-18, 1, 1e18}},
      divisor{{nan, inf, -inf, 0, -1, 1.1e18, 0.9e-37}, {1e-37, 1e-8, 1e18}},
      share{{nan, inf, -inf, -1e-9, 1.0000001}, {0, 0.5, 1}},
      inner_share{{nan, inf, -inf, 0, 1}, {1e-9, 0.5}}, power{{nan, -inf, 0.999, 1e200}, {1, 2, 1e37, inf}};
  auto const test = [](kind const& k, char const* option, auto const& make) {
    auto const sentence = [&](double x) -> std::string {
      try {
        sage::detail::with_options(make(x), [](auto const& options) { options.validate(); });
        return "";
      } catch (sage::argument_error const& e) {
        return e.what();
      }
    };
    for (double const x : k.refused) {
      CAPTURE(option, x);
      CHECK_THAT(sentence(x), Catch::Matchers::ContainsSubstring(std::string("_loss: ") + option + " is ") &&
                                  Catch::Matchers::ContainsSubstring(", expected "));
    }
    for (double const x : k.taken) {
      CAPTURE(option, x);
      CHECK(sentence(x) == "");
    }
  };
  test(non_negative, "margin", [](double x) { return sage::triplet_margin_loss<>{.margin = x}; });
  test(non_negative, "margin", [](double x) { return sage::mined_triplet_loss<>{.margin = x}; });
  test(non_negative, "margin", [](double x) { return sage::contrastive_loss<>{.margin = x}; });
  test(non_negative, "positive_margin",
       [](double x) { return sage::contrastive_loss<>{.positive_margin = x}; });
  test(non_negative, "margin",
       [](double x) { return sage::degradation_loss<sage::repel<>>{.check = {.margin = x}}; });
  test(non_negative, "margin",
       [](double x) { return sage::degradation_loss<sage::rank<>>{.check = {.margin = x}}; });
  test(temperature, "temperature", [](double x) { return sage::degradation_loss<>{.temperature = x}; });
  test(temperature, "temperature", [](double x) { return sage::info_nce_loss<>{.temperature = x}; });
  test(temperature, "temperature", [](double x) { return sage::nt_xent_loss<>{.temperature = x}; });
  test(temperature, "temperature", [](double x) { return sage::consistency_loss<>{.temperature = x}; });
  test(temperature, "logit_scale", [](double x) { return sage::consistency_loss<>{.logit_scale = x}; });
  test(temperature, "temperature",
       [](double x) { return sage::binary_consistency_loss<>{.temperature = x}; });
  test(temperature, "logit_scale",
       [](double x) { return sage::binary_consistency_loss<>{.logit_scale = x}; });
  test(share, "label_smoothing", [](double x) { return sage::cross_entropy_loss{.label_smoothing = x}; });
  test(share, "label_smoothing",
       [](double x) { return sage::binary_cross_entropy_loss{.label_smoothing = x}; });
  test(inner_share, "beta",
       [](double x) { return sage::consistency_loss<sage::skewed_jensen_shannon>{.divergence = {x}}; });
  test(inner_share, "beta", [](double x) {
    return sage::binary_consistency_loss<sage::skewed_jensen_shannon>{.divergence = {x}};
  });
  test(inner_share, "beta", [](double x) {
    return sage::degradation_loss<sage::toward_uniform<sage::skewed_jensen_shannon>>{
        .check = {.divergence = {x}}};
  });
  test(share, "beta",
       [](double x) { return sage::consistency_loss<sage::generalized_jensen_shannon>{.divergence = {x}}; });
  test(power, "p", [](double x) { return sage::triplet_margin_loss<sage::lp>{.distance = {.p = x}}; });
  test(non_negative, "eps",
       [](double x) { return sage::triplet_margin_loss<sage::lp>{.distance = {.eps = x}}; });
  test(non_negative, "eps", [](double x) { return sage::contrastive_loss<>{.distance = {.eps = x}}; });
  test(divisor, "eps", [](double x) { return sage::mined_triplet_loss<>{.distance = {.eps = x}}; });
  test(divisor, "eps", [](double x) { return sage::info_nce_loss<>{.distance = {.eps = x}}; });
  test(non_negative, "margin", [](double x) { return sage::sage_loss<>{.margin = x}; });
  test(temperature, "temperature", [](double x) { return sage::sage_loss<>{.temperature = x}; });
  test(share, "label_smoothing", [](double x) { return sage::sage_loss<>{.label_smoothing = x}; });
  test(non_negative, "positive_classification_weight",
       [](double x) { return sage::sage_loss<>{.positive_classification_weight = x}; });
  test(non_negative, "triplet_weight", [](double x) { return sage::sage_loss<>{.triplet_weight = x}; });
  test(non_negative, "consistency_weight",
       [](double x) { return sage::sage_loss<>{.consistency_weight = x}; });
  test(non_negative, "degradation_weight",
       [](double x) { return sage::sage_loss<>{.degradation_weight = x}; });
  test(divisor, "eps", [](double x) { return sage::sage_loss<>{.distance = {.eps = x}}; });
  test(inner_share, "beta", [](double x) {
    return sage::sage_loss<sage::normalized_euclidean, sage::skewed_jensen_shannon>{.divergence = {x}};
  });
  test({{nan, inf, -inf, -1e-9, 1}, {0, 0.5}}, "guard",
       [](double x) { return sage::cam_alignment_loss{.guard = x}; });
  test(divisor, "map_scale", [](double x) { return sage::cam_alignment_loss{.map_scale = x}; });
}

TEST_CASE("Up to 512 rows nothing is allocated, beyond that as often for any row length") {
  for (index_t const length : {2, 64, 300}) {
    batch small(512, length), large(513, length);
    std::vector<float> const w(513, 1.0f);
    sage::strided_view const w_small{w.data(), sage::extents{512}}, w_large{w.data(), sage::extents{513}};
    auto const count = [&](batch& b, auto const& weights) {
      long const before = allocations;
      loss(b.a.view(), b.p.view(), b.n.view());
      b.run(loss);
      loss.value_and_grad(b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(), b.dn.view(),
                          sage::weights(weights));
      loss.backward(weights, b.a.view(), b.p.view(), b.n.view(), b.da.view(), b.dp.view(), b.dn.view());
      return allocations - before;
    };
    CHECK(count(small, w_small) == 0);
    long const n = count(large, w_large);
    CHECK(n > 0);
    CHECK(n <= 8);  // two O(rows) buffers for each of four calls
  }
}

TEST_CASE("Results are bitwise the same from run to run, for any number of threads and any order of blocks") {
  // Rows enough for many blocks of 16384 elements, of both schedules, and not a multiple of anything.
  for (index_t const length : {3, 20, 33, 200}) {
    index_t const rows = 200000 / length + 7;
    batch b(rows, length);
    std::vector<float> w(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<float>(i % 5);
    auto const run = [&](auto const& executor) {
      auto const r = loss.value_and_grad(executor, b.a.view(), b.p.view(), b.n.view(), b.da.view(),
                                         b.dp.view(), b.dn.view(), sage::weights(w));
      auto all = b.gradients();
      all.push_back(r.value);
      return all;
    };
    auto const once = run(sage::exec::simd{});
    CHECK(same_bits(run(sage::exec::simd{}), once));
    for (int const threads : {1, 2, 3, 4}) {
      CAPTURE(length, threads);
      CHECK(same_bits(run(sage::exec::threads{threads}), once));
    }
    CHECK(same_bits(run(sage::exec::parallel{descending{}}), once));
  }
}

#if SAGE_HAS_FLOAT16
TEST_CASE("Half numbers are computed in float and rounded once, at the store") {
  index_t const rows = 3, length = 37;
  std::vector<_Float16> half[6];
  std::vector<float> single[6];
  for (std::size_t k = 0; k < 6; ++k)
    for (double const x : normal_values(rows * length, k)) {
      half[k].push_back(static_cast<_Float16>(x));
      single[k].push_back(static_cast<float>(half[k].back()));
    }
  auto const view = [&](auto& v) { return sage::strided_view{v.data(), sage::extents{rows, length}}; };
  auto const r = loss.value_and_grad(view(half[0]), view(half[1]), view(half[2]), view(half[3]),
                                     view(half[4]), view(half[5]));
  auto const s = loss.value_and_grad(view(single[0]), view(single[1]), view(single[2]), view(single[3]),
                                     view(single[4]), view(single[5]));
  static_assert(std::is_same_v<decltype(r.value), decltype(s.value)>);
  CHECK(same_bits(r.value, s.value));
  bool rounded_once = true;
  for (std::size_t k = 3; k < 6; ++k)
    for (std::size_t i = 0; i < half[k].size(); ++i)
      rounded_once = rounded_once && half[k][i] == static_cast<_Float16>(single[k][i]);
  CHECK(rounded_once);
}
#endif
