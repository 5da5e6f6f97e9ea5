#include "loss/labelled_batch.hpp"
#include "reference/dual.hpp"

#include <sage/formula/dot_product.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/squared_euclidean.hpp>
#include <sage/loss/info_nce.hpp>
#include <sage/loss/mined_triplet.hpp>
#include <sage/loss/nt_xent.hpp>

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

namespace {

using namespace reference;
using sage::extents;

real unit_distance(row const& u, row const& v) { return normalized_euclidean(u, v, real(1e-12)); }
real pytorch_distance(row const& u, row const& v) { return euclidean(u, v, real(1e-6)); }

template <class Mining>
std::vector<mined_triplet> mined(std::vector<mined_triplet> const& all, real margin) {
  if (std::is_same_v<Mining, sage::batch_hard>) return hardest(all);
  if (std::is_same_v<Mining, sage::semi_hard>) return semi_hard(all, margin);
  return all;
}

/// The definition: every triplet of the batch, one after the other.
template <class Mining>
batch_answer definition(distance const& d, hinge const& h, std::vector<row> const& x,
                        std::vector<int> const& y, double margin, sage::reduction reduction) {
  batch_answer r;
  real sum = 0;
  for (auto const& t : mined<Mining>(all_triplets(d, x, y), real(margin))) {
    real const l = h(real(margin) + t.positive_distance - t.negative_distance);
    sum += l;
    ++r.counted;
    r.active += l > 0;
  }
  auto const count = static_cast<int>(reduction == sage::reduction::mean ? r.counted : r.active);
  r.value = reduction == sage::reduction::sum ? sum : count == 0 ? real(0) : sum / count;
  return r;
}

template <class Mining, class Distance, class Hinge>
labelled_batch mined_batch(sage::mined_triplet_loss<Mining, Distance, Hinge> const& loss, distance const& d,
                           hinge const& h, index_t rows, index_t length) {
  return {[&](std::vector<row> const& x, std::vector<int> const& y) {
            return definition<Mining>(d, h, x, y, loss.margin, loss.reduction);
          },
          rows, length};
}

template <class Mining>
void follows_definition() {
  using sage::reduction;
  sage::mined_triplet_loss<Mining> loss{.margin = 0.4};
  auto const everywhere = [&](index_t rows, index_t length) {
    compare_batch_everywhere(loss, mined_batch(loss, unit_distance, clamp, rows, length));
  };
  for (index_t const length : {2, 7, 33}) everywhere(9, length);
  for (auto const by : {reduction::mean_active, reduction::sum}) {
    loss.reduction = by;
    everywhere(12, 5);
  }
  // More rows than a tile holds.
  compare_batch<double>(sage::exec::scalar{}, loss, mined_batch(loss, unit_distance, clamp, 67, 3));
}

/// A hinge of the user's: its triplets are evaluated one by one.
struct clamp_one_by_one : sage::hinge::clamp {};

/// Sorted and one by one the same triplets must be taken and be active, to the last bit of the gradient: each
/// derivative by a distance is a number of triplets, exact in float.
template <class Mining>
void sorts_as_one_by_one(std::vector<float> x, std::vector<int> const& y, std::vector<float> const& w,
                         double margin) {
  auto const rows = static_cast<index_t>(y.size());
  std::vector<float> g(x.size(), 42), h(x.size(), 43);
  auto const at = [&](auto const& loss, std::vector<float>& d) {
    return loss.value_and_grad(sage::exec::scalar{}, batch_view(x, rows), y, batch_view(d, rows), sage::weights(w));
  };
  using sage::reduction;
  using sorted = sage::mined_triplet_loss<Mining, sage::dot_product>;
  using one_by_one = sage::mined_triplet_loss<Mining, sage::dot_product, clamp_one_by_one>;
  auto const r = at(sorted{.margin = margin, .reduction = reduction::sum}, g);
  auto const s = at(one_by_one{.margin = margin, .reduction = reduction::sum}, h);
  CAPTURE(margin, x, y, w);
  CHECK(r.triplets == s.triplets);
  CHECK(r.active == s.active);
  CHECK(r.non_finite == s.non_finite);
  CHECK(same_bits(g, h));
  if (std::isfinite(s.value)) {
    CHECK(r.value == Approx(s.value).epsilon(tolerances<float>{}.value));
  } else {
    CHECK((std::isnan(s.value) ? std::isnan(r.value) : r.value == s.value));
  }
}

}  // namespace

TEST_CASE(
    "Batch-hard mining is the hardest positive and negative of each anchor, its gradient that of "
    "differences") {
  follows_definition<sage::batch_hard>();
}

TEST_CASE("Batch-all mining is the loss of all triplets, its gradient that of differences") {
  follows_definition<sage::batch_all>();
}

TEST_CASE(
    "Semi-hard mining takes negatives beyond the positive but within the margin, its gradient that of "
    "differences") {
  follows_definition<sage::semi_hard>();
}

TEST_CASE("Mined triplets with the softplus hinge and other distances follow their definition") {
  sage::mined_triplet_loss<sage::batch_all, sage::euclidean, sage::hinge::softplus> const smooth{.margin =
                                                                                                     0.3};
  compare_batch<float>(any_executor{any_executor::baseline}, smooth,
                       mined_batch(smooth, pytorch_distance, softplus, 10, 6));
  sage::mined_triplet_loss<sage::batch_hard, sage::squared_euclidean> const squares{.margin = 2};
  auto const square = [](row const& u, row const& v) {
    return real(euclidean(u, v, 0) * euclidean(u, v, 0));
  };
  compare_batch<double>(sage::exec::scalar{}, squares, mined_batch(squares, square, clamp, 10, 6));
}

TEST_CASE("Sorting finds the very triplets that one by one are taken, at ties, margins met exactly and bad rows") {
  auto const both = [](auto const&... arguments) {
    sorts_as_one_by_one<sage::batch_all>(arguments...);
    sorts_as_one_by_one<sage::semi_hard>(arguments...);
  };
  index_t const rows = 24, length = 3;
  auto const at_random = to<float>(normal_values(rows * length, 77));
  // Small whole numbers: many equal rows and equal distances, of both signs, which whole margins meet exactly.
  std::vector<float> whole = at_random;
  for (float& v : whole) v = std::round(v);
  std::vector<int> const all(static_cast<std::size_t>(rows), 5);
  std::vector<int> halves = all, alone = all;
  for (std::size_t i = 0; i < halves.size(); i += 2) halves[i] = -1;
  alone[3] = 6;
  std::vector<float> const ones(static_cast<std::size_t>(rows), 1);
  std::vector<float> some = ones;
  some[0] = some[7] = some[20] = 0, some[2] = 2.5f;
  for (auto const& x : {at_random, whole})
    for (double const margin : {0.0, 0.4, 1.0, 1e18}) {  // the last beyond every distance
      for (auto const& y : {all, halves, alone, labels_of(rows)}) both(x, y, ones, margin);
      both(x, halves, some, margin);
    }
  for (float const bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> x = whole;
    x[4] = bad;
    both(x, halves, ones, 1.0);
  }
  std::vector<float> const equal(at_random.size(), 1);
  both(equal, halves, ones, 1.0);
  // Distances of 1e30 and more, whose sum with the margin is rounded to either.
  std::vector<float> large = at_random;
  for (float& v : large) v *= 1e15f;
  both(large, halves, ones, 1.0);
}

TEST_CASE("The batch-hard loss of an anchor is the triplet margin loss of its hardest rows") {
  // On a line: 0 and 3 of one class, 1 and 10 of another. The anchor at 0 has its positive at 3 and its
  // nearest negative at 1: 0.5 + 3 − 1; at 3: 0.5 + 3 − 2; at 1: 0.5 + 9 − 1; at 10: 0.5 + 9 − 7.
  std::vector<float> x{0, 3, 1, 10}, out(4);
  std::vector<int> const y{0, 0, 1, 1};
  sage::mined_triplet_loss<sage::batch_hard, sage::euclidean_distance<sage::eps::none>> const loss{.margin =
                                                                                                       0.5};
  loss.per_sample(batch_view(x, 4), y, out);
  CHECK(out == std::vector<float>{2.5f, 1.5f, 8.5f, 2.5f});
  auto const r = loss(batch_view(x, 4), y);
  CHECK(r.value == 3.75f);
  CHECK(r.triplets == 4);
}

TEST_CASE("A batch without triplets has value 0 and gradient 0, and so has an empty one") {
  std::vector<float> x{1, 2, 3, 4, 5, 6}, dx(6, 42);
  sage::mined_triplet_loss<sage::batch_all> const loss;
  for (auto const& y : {std::vector<int>{1, 2, 3}, std::vector<int>{5, 5, 5}}) {
    auto const r = loss.value_and_grad(batch_view(x, 3), y, batch_view(dx, 3));
    CHECK((r.value == 0 && r.triplets == 0 && r.active == 0 && r.non_finite == 0));
    for (float const d : dx) CHECK(d == 0);
  }
  std::vector<float> none;
  std::vector<int> const nobody;
  sage::strided_view const empty{none.data(), extents{0, 5}};
  CHECK(loss.value_and_grad(empty, nobody, empty).value == 0);
  // Without elements all distances are 0: every triplet has the margin as its loss.
  sage::strided_view const hollow{none.data(), extents{4, 0}};
  auto const r = loss.value_and_grad(hollow, std::vector<int>{0, 0, 1, 1}, hollow);
  CHECK(r.value == Approx(0.2));
  CHECK(r.triplets == 8);
}

TEST_CASE("Equal rows have finite gradients in mined triplets, and 0 where all rows are equal") {
  std::vector<float> x{1, 2, 1, 2, 1, 2, 1, 2}, dx(8, 42);
  std::vector<int> const y{0, 0, 1, 1};
  auto const r =
      sage::mined_triplet_loss<sage::batch_hard>{.margin = 0.5}.value_and_grad(batch_view(x, 4), y, batch_view(dx, 4));
  CHECK(r.value == 0.5f);
  for (float const d : dx) CHECK(d == 0);
}

TEST_CASE(
    "A row with NaN or infinity is NaN as an anchor and no candidate of the others, which stay as without "
    "it") {
  check_bad_row(sage::mined_triplet_loss<sage::batch_all>{.reduction = sage::reduction::sum});
  check_bad_row(sage::mined_triplet_loss<sage::batch_hard>{.reduction = sage::reduction::sum});
}

TEST_CASE("Weights multiply the triplets of an anchor, and upstream values its gradient") {
  // Anchors of class 0 and 1 have 2 positives and 5 negatives, those of class 2 one and 6.
  check_weights(sage::mined_triplet_loss<sage::batch_all, sage::euclidean>{.margin = 1}, {10, 10, 6});
}

TEST_CASE("Mined triplets are bitwise the same for any number of threads and any order of the tasks") {
  check_schedules(sage::mined_triplet_loss<sage::batch_all>{});
}

#if SAGE_HAS_FLOAT16
TEST_CASE("Mined triplets of halves are computed in float and rounded once") {
  index_t const rows = 70, length = 5;
  auto const b = batch_of(rows, length, 74);
  auto const y = labels_of(rows);
  std::vector<_Float16> x, g(350, _Float16(1));
  std::vector<float> wide, wide_g(350);
  for (double const v : b.values(0, rows)) x.push_back(static_cast<_Float16>(v)), wide.push_back(x.back());
  sage::strided_view const xv{x.data(), extents{rows, length}}, gv{g.data(), extents{rows, length}};
  sage::mined_triplet_loss<sage::batch_hard> const loss{.reduction = sage::reduction::sum};
  auto const r = loss.value_and_grad(sage::exec::scalar{}, xv, y, gv);
  auto const s = loss.value_and_grad(sage::exec::scalar{}, batch_view(wide, rows), y, batch_view(wide_g, rows));
  CHECK(same_bits(r.value, s.value));
  bool once = true;
  for (std::size_t i = 0; i < g.size(); ++i) once = once && g[i] == static_cast<_Float16>(wide_g[i]);
  CHECK(once);
}
#endif

TEST_CASE(
    "An autodiff scalar runs through mined triplets, NT-Xent and InfoNCE, and its derivative is our gradient") {
  using autodiff::dual;
  index_t const rows = 6, length = 4;
  std::vector<int> const y{0, 0, 1, 1, 2, 2};
  auto const x = normal_values(rows * length, 75), direction = normal_values(rows * length, 76);
  std::vector<dual> d;
  for (std::size_t i = 0; i < x.size(); ++i) d.emplace_back(x[i], direction[i]);
  std::vector<double> g(x.size());
  auto const matrix_of = [](auto& v) { return sage::strided_view{v.data(), extents{rows, length}}; };
  auto const along = [&] {
    double s = 0;
    for (std::size_t i = 0; i < g.size(); ++i) s += g[i] * direction[i];
    return s;
  };
  auto const mined_too = [&](auto const& loss) {
    dual const value = loss(matrix_of(d), y).value;
    CHECK(value.value == Approx(loss.value_and_grad(matrix_of(x), y, matrix_of(g)).value).epsilon(1e-13));
    CHECK(value.derivative == Approx(along()).epsilon(1e-11));
  };
  mined_too(sage::mined_triplet_loss<sage::batch_hard>{.margin = 1});
  mined_too(sage::mined_triplet_loss<sage::batch_all, sage::euclidean, sage::hinge::softplus>{.margin = 1});
  mined_too(sage::nt_xent_loss<>{.temperature = 0.5});

  // Rows 0 … 2 as anchors, 3 … 5 as their positives.
  auto const part = [](auto& v, index_t first) {
    return sage::strided_view{v.data() + first * length, extents{rows / 2, length}};
  };
  sage::info_nce_loss<> const loss{.temperature = 0.5};
  dual const value = loss(part(d, 0), part(d, 3)).value;
  CHECK(value.value ==
        Approx(loss.value_and_grad(part(x, 0), part(x, 3), part(g, 0), part(g, 3)).value).epsilon(1e-13));
  CHECK(value.derivative == Approx(along()).epsilon(1e-11));
}

TEST_CASE(
    "Shapes and options of mined triplets that do not fit are named in a sentence, before anything is "
    "written") {
  std::vector<float> memory(64, 42);
  auto const at = [&](index_t first, auto const& e) { return sage::strided_view{memory.data() + first, e}; };
  auto const x = at(0, extents{4, 3});
  std::vector<int> const y{0, 0, 1, 1};
  sage::mined_triplet_loss<sage::batch_hard> const loss;
  CHECK_THROWS_WITH(loss(x, std::vector<int>{0, 1}),
                    "mined_triplet_loss: labels has shape (2), expected one element for each of 4 rows");
  CHECK_THROWS_WITH(loss.value_and_grad(x, y, at(16, extents{4, 2})),
                    "mined_triplet_loss: d_embeddings has shape (4, 2), embeddings (4, 3)");
  CHECK_THROWS_WITH(loss.value_and_grad(x, y, x),
                    "mined_triplet_loss: d_embeddings overlaps embeddings, expected separate memory");
  CHECK_THROWS_WITH(
      loss.value_and_grad(x, y, sage::strided_view(memory.data() + 16, extents{4, 3}, sage::strides{0, 1})),
      "mined_triplet_loss: d_embeddings is a broadcast view (a stride is 0), expected elements of its own");
  CHECK_THROWS_WITH((sage::mined_triplet_loss<>{.margin = -1}(x, y)),
                    "mined_triplet_loss: margin is -1, expected >= 0");
  CHECK_THROWS_WITH(loss(x, y, sage::weights(std::vector<float>{1, 1, 1})),
                    "mined_triplet_loss: weights has shape (3), expected one element for each of 4 rows");
  CHECK_THROWS_WITH(loss.per_sample(x, y, at(16, extents{5})),
                    "mined_triplet_loss: out has shape (5), expected one element for each of 4 rows");
  for (float const m : memory) CHECK(m == 42);
}
