#include "catch.hpp"
#include "exec/layouts.hpp"
#include "exec/threaded_launch.hpp"
#include "reference/batch.hpp"
#include "reference/bfloat16.hpp"
#include "reference/tolerances.hpp"

#include <sage/exec/emulated.hpp>
#include <sage/exec/scalar.hpp>
#include <sage/formula/cosine.hpp>
#include <sage/formula/squared_error.hpp>
#include <sage/loss/sage.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <vector>

// The complete SAGE loss as a device evaluates it, in one launch, on memory of the host: it must be what the host's
// executors give in double, which sage.cpp holds to the definitions.

namespace {

using namespace reference;
using layouts::any_layout;
using layouts::for_each_layout;

/// The emulated device, and what calls have asked of it.
struct device : sage::exec::emulated_device<any_layout> {
  static inline int launches = 0, clears = 0;
  static inline index_t most_memory = 0;
  static inline bool descending = false;  // are blocks run from the last to the first?

  template <class Work>
  void launch(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    ++launches;
    if (!descending) return emulated_device::launch(blocks, threads, shared_bytes, work);
    std::vector<unsigned char> shared(static_cast<std::size_t>(shared_bytes) + 16);
    for (index_t b = blocks; b-- > 0;)
      work(sage::exec::detail::emulated_block(b, blocks, threads, shared.data()));
  }
  void clear(void* data, index_t bytes) const {
    ++clears;
    emulated_device::clear(data, bytes);
  }
  static memory_block memory(index_t bytes) {
    most_memory = std::max(most_memory, bytes);
    return emulated_device::memory(bytes);
  }
};

/// The same with a thread for every member of a block.
struct threaded_device : sage::exec::emulated_device<any_layout> {
  template <class Work>
  void launch(index_t blocks, int threads, index_t shared_bytes, Work const& work) const {
    threaded_launch{}(blocks, threads, shared_bytes, work);
  }
};

struct shape {
  index_t rows, classes, length;
};

/// Operands 0, 1, 2 are the logits of x, x⁺, x⁻, 3, 4, 5 the embeddings; labels of which some are ignored, and weights of
/// which some are 0, both where there is more than one row.
template <class T>
struct batch {
  shape of;
  std::vector<matrix<T>> x, g;
  std::vector<int> labels;
  std::vector<double> weights;

  explicit batch(shape const& s, arrangement how = arrangement::contiguous) : of(s) {
    for (std::uint64_t k = 0; k < 6; ++k) {
      x.emplace_back(s.rows, columns(k), how, normal_values(s.rows * columns(k), 40 + k, k < 3 ? 2 : 1));
      g.emplace_back(s.rows, columns(k), how);
    }
    for (index_t i = 0; i < s.rows; ++i) {
      labels.push_back(i % 5 == 3 ? -100 : static_cast<int>(i % s.classes));
      weights.push_back(s.rows > 1 ? static_cast<double>((i + 2) % 4) / 2 : 0.5);
    }
  }
  index_t columns(std::size_t k) const { return k < 3 ? of.classes : of.length; }
  auto z() { return sage::views(x[0].view(), x[1].view(), x[2].view()); }
  auto e() { return sage::views(x[3].view(), x[4].view(), x[5].view()); }
  auto dz() { return sage::views(g[0].view(), g[1].view(), g[2].view()); }
  auto de() { return sage::views(g[3].view(), g[4].view(), g[5].view()); }
  std::vector<T> gradients() const {
    std::vector<T> all;
    for (auto const& m : g)
      for (T const& d : m.values()) all.push_back(d);
    return all;
  }
};

bool near(double x, double expected, double tolerance) {
  return x == expected || (std::isnan(x) && std::isnan(expected)) || relative(x, expected) <= tolerance;
}

template <class T>
void check_result(sage::sage_result<T> const& r, sage::sage_result<double> const& expected) {
  double const tolerance = tolerances<T>{}.value;
  CHECK(near(r.value, expected.value, tolerance));
  CHECK(near(r.classification, expected.classification, tolerance));
  CHECK(near(r.positive_classification, expected.positive_classification, tolerance));
  CHECK(near(r.triplet, expected.triplet, tolerance));
  CHECK(near(r.consistency, expected.consistency, tolerance));
  CHECK(near(r.degradation, expected.degradation, tolerance));
  CHECK(r.active == expected.active);
  CHECK(r.non_finite == expected.non_finite);
}

template <class T>
void check_gradients(batch<T> const& b, batch<double> const& expected) {
  for (std::size_t k = 0; k < 6; ++k) {
    auto const x = b.g[k].values();
    auto const y = expected.g[k].values();
    relative_error e;
    bool all_zero = true;
    for (std::size_t i = 0; i < x.size(); ++i) {
      e.add(static_cast<double>(x[i]), y[i]);
      all_zero = all_zero && x[i] == T(0) && y[i] == 0;
    }
    CAPTURE(k);
    CHECK((all_zero || e.value() <= tolerances<T>{}.gradient));
    CHECK(b.g[k].gaps_are_untouched());
  }
}

/// Value, terms, counts and gradients in the element types T, with weights and without, against the host's in double.
template <class... T, class Loss>
void check_against_host(Loss const& loss, shape const& s, arrangement how = arrangement::contiguous) {
  for (bool const weighted : {false, true}) {
    batch<double> d(s);
    auto const expected =
        weighted ? loss.value_and_grad(sage::exec::scalar{}, d.z(), d.e(), d.labels, d.dz(), d.de(),
                                       sage::weights(d.weights))
                 : loss.value_and_grad(sage::exec::scalar{}, d.z(), d.e(), d.labels, d.dz(), d.de());
    auto const check = [&]<class U>(U) {
      batch<U> b(s, how);
      sage::sage_result<U> r{}, value{};
      if (weighted) {
        loss.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::weights(b.weights),
                            sage::into(&r));
        loss(device{}, b.z(), b.e(), b.labels, sage::weights(b.weights), sage::into(&value));
      } else {
        loss.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::into(&r));
        loss(device{}, b.z(), b.e(), b.labels, sage::into(&value));
      }
      CAPTURE(any_layout::name(), weighted, s.rows, s.classes, s.length, sizeof(U));
      check_result(r, expected);
      check_gradients(b, d);
      CHECK(same_bits(value.value, r.value));
    };
    (check(T{}), ...);
  }
}

using complete_loss = sage::sage_loss<sage::normalized_euclidean, sage::jensen_shannon, sage::rank<>>;
complete_loss const complete{.temperature = 2,
                             .label_smoothing = 0.125,
                             .positive_classification_weight = 0.5,
                             .triplet_weight = 2,
                             .consistency_weight = 0.75,
                             .degradation_weight = 1.5};

}  // namespace

TEST_CASE("On a device the SAGE loss has the terms, counts and gradients of the host, in every layout") {
  for_each_layout([] {
    for (shape const s : {shape{1, 2, 2}, {5, 3, 9}, {300, 4, 3}, {3, 70, 40}})
      check_against_host<float, double>(complete, s);
    check_against_host<float>(complete, {3, 1000, 300});
    check_against_host<float>(complete, {7, 5, 70}, arrangement::misaligned);
    check_against_host<float>(complete, {7, 5, 9}, arrangement::transposed);
  });
}

TEST_CASE("On a device the SAGE loss takes every distance, divergence and check") {
  for_each_layout([] {
    check_against_host<float>(sage::sage_loss<>{}, {7, 5, 70});
    sage::sage_loss<sage::euclidean, sage::squared_error, sage::toward_uniform<>> const swapping{
        .margin = 2, .swap = true};
    check_against_host<float>(swapping, {7, 5, 70});
    check_against_host<float>(swapping, {4, 2, 1});
    check_against_host<float>(sage::sage_loss<sage::cosine, sage::kullback_leibler, sage::repel<>>{},
                              {7, 5, 9});
  });
}

TEST_CASE(
    "On a device the SAGE loss is one launch, whatever the layout; larger batches are counted in one "
    "before") {
  auto const asked = [](auto const& f) {
    device::launches = device::clears = 0;
    f();
    return std::pair(device::launches, device::clears);
  };
  using pair = std::pair<int, int>;
  for_each_layout([&] {
    batch<float> b({5, 3, 9});
    sage::sage_result<float> r{};
    std::vector<float> out(5), upstream(5, 1.0f);
    CAPTURE(any_layout::name());
    CHECK(asked([&] {
            complete.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::into(&r));
          }) == pair(1, 1));
    CHECK(asked([&] { complete(device{}, b.z(), b.e(), b.labels, sage::into(&r)); }) == pair(1, 1));
    CHECK(asked([&] { complete.backward(device{}, 2, b.z(), b.e(), b.labels, b.dz(), b.de()); }) ==
          pair(1, 0));
    CHECK(asked([&] { complete.backward(device{}, upstream, b.z(), b.e(), b.labels, b.dz(), b.de()); }) ==
          pair(1, 0));
    CHECK(asked([&] { complete.per_sample(device{}, b.z(), b.e(), b.labels, out); }) == pair(2, 0));
  });
  shape const large{2049, 2, 2};
  batch<float> b(large);
  sage::sage_result<float> r{};
  CHECK(asked([&] {
          complete.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::into(&r));
        }) == pair(2, 1));
  CHECK(asked([&] { complete.backward(device{}, 2, b.z(), b.e(), b.labels, b.dz(), b.de()); }) == pair(2, 1));
  check_against_host<float>(complete, large);
}

TEST_CASE("On a device no evaluation of the SAGE loss takes more memory than a workspace has") {
  for (index_t const rows : {1, 1000, 5000}) {
    batch<double> b({rows, 2, 2});
    sage::sage_result<double> r{};
    device::most_memory = 0;
    complete(device{}, b.z(), b.e(), b.labels, sage::into(&r));
    CAPTURE(rows, device::most_memory);
    CHECK(device::most_memory > 0);
    CHECK(device::most_memory <= sage::exec::detail::batch_workspace_bytes(rows));
  }
}

TEST_CASE("On a device the SAGE loss has the same bits in every run, and in whatever order its blocks run") {
  for_each_layout([] {
    auto const run = [](bool descending) {
      batch<float> b({300, 4, 3});
      sage::sage_result<float> r{};
      device::descending = descending;
      complete.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::weights(b.weights),
                              sage::into(&r));
      device::descending = false;
      std::vector<float> all = b.gradients();
      for (float const x :
           {r.value, r.classification, r.positive_classification, r.triplet, r.consistency, r.degradation})
        all.push_back(x);
      return all;
    };
    auto const first = run(false);
    CAPTURE(any_layout::name());
    CHECK(same_bits(run(false), first));
    CHECK(same_bits(run(true), first));
  });
}

TEST_CASE("A thread of its own for every member of a block computes the same bits of the SAGE loss") {
  for (auto const kind : {any_layout::warp, any_layout::block}) {
    any_layout::which = kind;
    batch<float> one({2, 3, 5}), other(one.of);
    sage::sage_result<float> r{}, s{};
    complete.value_and_grad(device{}, one.z(), one.e(), one.labels, one.dz(), one.de(), sage::into(&r));
    complete.value_and_grad(threaded_device{}, other.z(), other.e(), other.labels, other.dz(), other.de(),
                            sage::into(&s));
    CAPTURE(any_layout::name());
    CHECK(same_bits(one.gradients(), other.gradients()));
    CHECK(same_bits(r.value, s.value));
    CHECK(same_bits(r.triplet, s.triplet));
    CHECK(r.active == s.active);
  }
  any_layout::which = any_layout::of_policy;
}

TEST_CASE("On a device the losses and upstreams of single samples are those of the host") {
  for_each_layout([] {
    batch<float> b({7, 5, 9});
    batch<double> d(b.of);
    std::vector<float> out(7);
    std::vector<double> expected(7), upstream{1, -2, 0.5, 0, 3, 1, -1};
    complete.per_sample(device{}, b.z(), b.e(), b.labels, out, sage::weights(b.weights));
    complete.per_sample(sage::exec::scalar{}, d.z(), d.e(), d.labels, expected, sage::weights(d.weights));
    relative_error values;
    for (std::size_t i = 0; i < 7; ++i) values.add(out[i], expected[i]);
    CAPTURE(any_layout::name());
    CHECK(values.value() <= tolerances<float>{}.value);
    complete.backward(device{}, upstream, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::weights(b.weights));
    complete.backward(sage::exec::scalar{}, upstream, d.z(), d.e(), d.labels, d.dz(), d.de(),
                      sage::weights(d.weights));
    check_gradients(b, d);
    complete.backward(device{}, -3, b.z(), b.e(), b.labels, b.dz(), b.de());
    complete.backward(sage::exec::scalar{}, -3, d.z(), d.e(), d.labels, d.dz(), d.de());
    check_gradients(b, d);
  });
}

TEST_CASE("On a device terms of weight 0 leave gradients of 0; skipped and added outputs hold") {
  complete_loss only = complete;
  only.positive_classification_weight = only.triplet_weight = only.consistency_weight =
      only.degradation_weight = 0;
  for_each_layout([&] {
    batch<float> b({7, 5, 9}), u(b.of), v(b.of);
    sage::sage_result<float> r{};
    CAPTURE(any_layout::name());
    only.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::into(&r));
    CHECK(r.value == r.classification);
    CHECK((r.triplet == 0 && r.consistency == 0 && r.degradation == 0 && r.positive_classification == 0));
    CHECK(r.active == 0);
    for (std::size_t k = 1; k < 6; ++k)
      for (float const d : b.g[k].values()) CHECK(d == 0);

    complete.value_and_grad(device{}, u.z(), u.e(), u.labels, u.dz(), u.de(), sage::into(&r));
    for (auto& g : v.g) g.fill(5);
    complete.value_and_grad(
        device{}, v.z(), v.e(), v.labels, sage::views(sage::add_to(v.g[0].view()), sage::skip, v.g[2].view()),
        sage::views(sage::skip, sage::add_to(v.g[4].view()), v.g[5].view()), sage::into(&r));
    for (std::size_t const k : {0u, 4u}) {
      auto const sum = v.g[k].values(), added = u.g[k].values();
      for (std::size_t i = 0; i < sum.size(); ++i) CHECK(sum[i] == 5 + added[i]);
    }
    for (std::size_t const k : {2u, 5u}) CHECK(same_bits(v.g[k].values(), u.g[k].values()));
    for (std::size_t const k : {1u, 3u})
      for (float const d : v.g[k].values()) CHECK(d == 5);
  });
}

TEST_CASE(
    "On a device a sample of weight 0 may hold NaN in its copies; a label that is no class spoils its own "
    "row only") {
  float const nan = std::numeric_limits<float>::quiet_NaN();
  for_each_layout([&] {
    batch<float> clean({7, 5, 9}), b(clean.of);
    sage::sage_result<float> r{}, s{};
    CAPTURE(any_layout::name());
    CHECK(clean.weights[2] == 0);
    for (std::size_t const k : {1u, 2u, 3u, 4u, 5u})
      for (index_t j = 0; j < b.columns(k); ++j) b.x[k](2, j) = nan;
    complete.value_and_grad(device{}, clean.z(), clean.e(), clean.labels, clean.dz(), clean.de(),
                            sage::weights(clean.weights), sage::into(&r));
    complete.value_and_grad(device{}, b.z(), b.e(), b.labels, b.dz(), b.de(), sage::weights(b.weights),
                            sage::into(&s));
    CHECK(same_bits(r.value, s.value));
    CHECK(s.non_finite == 0);
    CHECK(same_bits(b.gradients(), clean.gradients()));

    for (int const bad : {-1, 5, 1000000}) {
      batch<float> c(clean.of);
      c.labels[4] = bad;
      complete.value_and_grad(device{}, c.z(), c.e(), c.labels, c.dz(), c.de(), sage::into(&r));
      CHECK((std::isnan(r.value) && std::isnan(r.classification) && std::isnan(r.positive_classification)));
      CHECK((std::isfinite(r.triplet) && std::isfinite(r.consistency) && std::isfinite(r.degradation)));
      CHECK(r.non_finite == 2);
      for (std::size_t k = 0; k < 6; ++k)
        for (index_t i = 0; i < 7; ++i)
          for (index_t j = 0; j < c.columns(k); ++j) CHECK(std::isnan(c.g[k](i, j)) == (i == 4 && k < 2));
    }
  });
}

TEST_CASE("On a device the SAGE loss of halves rounds every sum of terms once") {
  for_each_layout([] {
    batch<float> f({7, 5, 9});
    batch<user::bfloat16> h(f.of);
    for (std::size_t k = 0; k < 6; ++k)
      for (index_t i = 0; i < 7; ++i)
        for (index_t j = 0; j < f.columns(k); ++j)
          h.x[k](i, j) = user::bfloat16(f.x[k](i, j)), f.x[k](i, j) = static_cast<float>(h.x[k](i, j));
    sage::sage_result<float> r{}, s{};
    complete.value_and_grad(device{}, f.z(), f.e(), f.labels, f.dz(), f.de(), sage::into(&r));
    complete.value_and_grad(device{}, h.z(), h.e(), h.labels, h.dz(), h.de(), sage::into(&s));
    CAPTURE(any_layout::name());
    CHECK(near(s.value, r.value, tolerances<float>{}.value));
    // The logits are worked position by position in either type; embeddings in chunks of other lengths, by whose sums a
    // half may round the other way.
    for (std::size_t k = 0; k < 6; ++k)
      for (index_t i = 0; i < 7; ++i)
        for (index_t j = 0; j < f.columns(k); ++j)
          CHECK(std::abs(h.g[k](i, j).bits - user::bfloat16(f.g[k](i, j)).bits) <= (k < 3 ? 0 : 1));
  });
}

TEST_CASE(
    "On a device an empty batch has means of NaN, and wrong shapes are refused before anything is written") {
  batch<float> none({0, 4, 3}), b({3, 4, 3});
  sage::sage_result<float> r{};
  complete.value_and_grad(device{}, none.z(), none.e(), none.labels, none.dz(), none.de(), sage::into(&r));
  CHECK((std::isnan(r.value) && std::isnan(r.classification) && std::isnan(r.triplet)));
  CHECK((r.active == 0 && r.non_finite == 0));
  r.value = 7;
  std::vector<int> const labels{0, 1};
  CHECK_THROWS_WITH(complete(device{}, b.z(), b.e(), labels, sage::into(&r)),
                    "sage_loss: labels has shape (2), expected one element for each of 3 rows");
  CHECK_THROWS_WITH(
      complete.value_and_grad(device{}, b.z(), b.e(), b.labels,
                              sage::views(b.x[0].view(), sage::skip, sage::skip), b.de(), sage::into(&r)),
      "sage_loss: d_logits overlaps logits, expected separate memory");
  CHECK(r.value == 7);
}
