#include "framework/torch.hpp"

#include "framework/gradients.hpp"

#include <sage/adapt/libtorch.hpp>
#include <sage/formula/cosine.hpp>
#include <sage/formula/lp.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <array>
#include <utility>

// Hundreds of random cases with every option that a loss shares with a function of LibTorch, which computes the expected
// value and gradients in double. framework/losses.cpp has the types, strides and the wrappers; here are the losses.

namespace {

using namespace gradients;
using sage::reduction;

/// Random options and shapes: LibTorch's generator decides, so that one seed is one test.
std::int64_t pick(std::int64_t low, std::int64_t high) {
  return at::randint(low, high, {1}).item<std::int64_t>();
}
template <class T, std::size_t N>
T pick(T const (&choices)[N]) {
  return choices[pick(0, static_cast<std::int64_t>(N))];
}

/// What LibTorch calls none is the sum of per-sample values times random numbers: the gradient of each shows.
enum class reduced_by { mean, sum, none };
constexpr reduced_by all_reductions[] = {reduced_by::mean, reduced_by::sum, reduced_by::none};

template <class T, std::size_t... I, class Loss, class... Labels>
void compare_as(std::index_sequence<I...>, Loss loss, reduced_by how, tensors const& x,
                at::Tensor const& upstream, at::Tensor const& expected, tensors const& expected_gradients,
                Labels const&... labels) {
  constexpr auto type = c10::CppTypeToScalarType<T>::value;
  tensors in, out;
  for (auto const& t : x) in.push_back(t.to(type)), out.push_back(at::empty_like(t, type));
  auto const v = [](at::Tensor const& t) { return sage::libtorch::view<T>(t); };
  // Doubles on the scalar schedule: each loss is compiled once for either.
  auto const executor = [] {
    if constexpr (sizeof(T) == 4)
      return sage::exec::simd{};
    else
      return sage::exec::scalar{};
  }();
  at::Tensor value;
  if (how == reduced_by::none) {
    value = at::empty({expected.numel()}, type);
    loss.per_sample(executor, v(in[I])..., labels..., v(value));
    loss.backward(executor, v(upstream.to(type)), v(in[I])..., labels..., v(out[I])...);
  } else {
    loss.reduction = how == reduced_by::sum ? reduction::sum : reduction::mean;
    auto const r = loss.value_and_grad(executor, v(in[I])..., labels..., v(out[I])...);
    value = at::full({}, static_cast<double>(r.value), at::kDouble);
  }
  // Inputs are exact in float; sums of up to a hundred terms in either order: tens of roundings. A value or gradient
  // that is zero is zero in both.
  double const tolerance = type == at::kDouble ? 1e-12 : 2e-5;
  auto const near = [&](at::Tensor const& a, at::Tensor const& b) {
    return b.abs().max().item<double>() == 0 ? a.abs().max().item<double>() == 0
                                             : relative_error(a, b) < tolerance;
  };
  CHECK(near(value, expected.detach().reshape(value.sizes())));
  for (std::size_t k = 0; k < out.size(); ++k) {
    CAPTURE(k);
    CHECK(near(out[k], expected_gradients[k]));
  }
}

/// Our loss of N tensors against LibTorch's per-sample values, `oracle(x)`, and its reduction of them, `reduce(x)`.
template <std::size_t N, class Loss, class Oracle, class... Labels>
void compare(Loss const& loss, reduced_by how, tensors const& values, Oracle const& oracle,
             Labels const&... labels) {
  auto const x = leaves(values);
  auto const expected = oracle(x);
  auto const upstream = how == reduced_by::none ? at::rand_like(expected) + 0.5 : at::ones_like(expected);
  auto const g = torch::autograd::grad({(expected * upstream).sum()}, x);
  compare_as<float>(std::make_index_sequence<N>{}, loss, how, values, upstream, expected, g, labels...);
  compare_as<double>(std::make_index_sequence<N>{}, loss, how, values, upstream, expected, g, labels...);
}

/// Normal numbers that are exact in float.
at::Tensor exact_normal(at::IntArrayRef shape, double scale = 1) {
  return (scale * normal(shape, at::kFloat)).to(at::kDouble);
}

std::int64_t code(reduced_by how) {
  return how == reduced_by::mean  ? at::Reduction::Mean
         : how == reduced_by::sum ? at::Reduction::Sum
                                  : at::Reduction::None;
}

at::Tensor apply(reduced_by how, at::Tensor const& l) {
  return how == reduced_by::mean ? l.mean() : how == reduced_by::sum ? l.sum() : l;
}

/// torch.nn.functional.triplet_margin_with_distance_loss, whose definition is these lines.
template <class Distance>
at::Tensor with_distance(Distance const& d, tensors const& x, double margin, bool swap) {
  auto negative = d(x[0], x[2]);
  if (swap) negative = at::minimum(negative, d(x[1], x[2]));
  return at::clamp_min(margin + d(x[0], x[1]) - negative, 0);
}

tensors random_triplets() {
  std::int64_t const rows = pick(1, 10), length = pick(1, 70);
  return {exact_normal({rows, length}), exact_normal({rows, length}), exact_normal({rows, length})};
}

}  // namespace

TEST_CASE("triplet_margin_loss is LibTorch's in 300 random cases: margin, eps, swap, reduction") {
  at::manual_seed(11);
  for (int i = 0; i < 300; ++i) {
    double const margin = pick({0.0, 0.2, 1.0, 5.0}), eps = pick({1e-6, 1e-3, 0.5});
    bool const swap = pick({false, true});
    auto const how = pick(all_reductions);
    CAPTURE(i, margin, eps, swap, static_cast<int>(how));
    compare<3>(sage::triplet_margin_loss<>{.margin = margin, .swap = swap, .distance = {.eps = eps}}, how,
               random_triplets(), [&](tensors const& x) {
                 return at::triplet_margin_loss(x[0], x[1], x[2], margin, 2, eps, swap, code(how));
               });
  }
}

TEST_CASE("triplet_margin_loss of unit vectors is LibTorch's with a distance, in 200 random cases") {
  at::manual_seed(12);
  auto const unit = [](at::Tensor const& t) {
    return t / t.norm(2, {-1}, true).clamp_min(1e-12);  // torch.nn.functional.normalize
  };
  for (int i = 0; i < 200; ++i) {
    double const margin = pick({0.0, 0.2, 0.5, 2.0});
    bool const swap = pick({false, true});
    auto const how = pick(all_reductions);
    auto x = random_triplets();
    if (x[0].size(1) == 1) continue;  // unit vectors of one element are ±1, their gradient is 0 or rounding
    CAPTURE(i, margin, swap, static_cast<int>(how));
    sage::triplet_margin_loss<sage::normalized_euclidean> const loss{.margin = margin, .swap = swap};
    compare<3>(loss, how, x, [&](tensors const& t) {
      auto const d = [&](at::Tensor const& u, at::Tensor const& v) {
        return (unit(u) - unit(v)).norm(2, {-1});
      };
      return apply(how, with_distance(d, t, margin, swap));
    });
  }
}

TEST_CASE(
    "triplet_margin_loss<cosine> is LibTorch's with cosine_similarity as distance, in 200 random cases") {
  at::manual_seed(15);
  for (int i = 0; i < 200; ++i) {
    double const margin = pick({0.0, 0.2, 0.5, 2.0});
    bool const swap = pick({false, true});
    auto const how = pick(all_reductions);
    auto x = random_triplets();
    if (x[0].size(1) == 1) continue;  // cosines of numbers are ±1, their gradient is 0 or rounding
    CAPTURE(i, margin, swap, static_cast<int>(how));
    compare<3>(sage::triplet_margin_loss<sage::cosine>{.margin = margin, .swap = swap}, how, x,
               [&](tensors const& t) {
                 auto const d = [](at::Tensor const& u, at::Tensor const& v) {
                   return 1 - at::cosine_similarity(u, v, -1);
                 };
                 return apply(how, with_distance(d, t, margin, swap));
               });
  }
}

TEST_CASE("triplet_margin_loss<lp> is LibTorch's in 200 random cases: p, margin, swap, reduction") {
  at::manual_seed(16);
  for (int i = 0; i < 200; ++i) {
    double const margin = pick({0.2, 1.0, 5.0}), p = pick({1.0, 1.5, 3.0, 7.0});
    bool const swap = pick({false, true});
    auto const how = pick(all_reductions);
    auto const x = random_triplets();
    if (x[0].size(1) == 1) continue;  // norms of numbers: their gradients cancel to 0, or to rounding
    CAPTURE(i, margin, p, swap, static_cast<int>(how));
    compare<3>(sage::triplet_margin_loss<sage::lp>{.margin = margin, .swap = swap, .distance = {.p = p}}, how,
               x, [&](tensors const& t) {
                 return at::triplet_margin_loss(t[0], t[1], t[2], margin, p, 1e-6, swap, code(how));
               });
  }
}

TEST_CASE(
    "consistency_loss<kullback_leibler> is LibTorch's kl_div in 300 random cases: temperature, log_target") {
  at::manual_seed(13);
  for (int i = 0; i < 300; ++i) {
    double const temperature = pick({0.5, 1.0, 4.0});
    bool const log_target = pick({false, true});
    auto const how = pick(all_reductions);
    std::int64_t const rows = pick(1, 10), classes = pick(2, 70);
    CAPTURE(i, temperature, log_target, static_cast<int>(how), classes);
    compare<2>(sage::consistency_loss<sage::kullback_leibler>{.temperature = temperature}, how,
               {exact_normal({rows, classes}, 2), exact_normal({rows, classes}, 2)}, [&](tensors const& x) {
                 auto const log_p = at::log_softmax(x[0] / temperature, -1);
                 auto const log_q = at::log_softmax(x[1] / temperature, -1);
                 auto const target = log_target ? log_p : log_p.exp();
                 // Rows summed; the mean over rows is what torch calls batchmean.
                 if (how == reduced_by::none)
                   return at::kl_div(log_q, target, at::Reduction::None, log_target).sum(-1);
                 auto const sum = at::kl_div(log_q, target, at::Reduction::Sum, log_target);
                 return how == reduced_by::sum ? sum : sum / rows;
               });
  }
}

TEST_CASE("cross_entropy_loss is LibTorch's in 300 random cases: smoothing, ignored index, reduction") {
  at::manual_seed(14);
  for (int i = 0; i < 300; ++i) {
    double const smoothing = pick({0.0, 0.1, 0.5, 1.0});
    std::int64_t const rows = pick(1, 10), classes = pick(2, 70), ignored = pick({-100, 0, -1, 7});
    auto const how = pick(all_reductions);
    auto labels = at::randint(0, classes, {rows}, at::kLong);
    if (ignored < 0 && rows > 1) labels[0] = ignored;
    if (labels.eq(ignored).all().item<bool>()) continue;  // 0/0 in both; loss/cross_entropy.cpp has it
    CAPTURE(i, smoothing, ignored, static_cast<int>(how), classes);
    compare<1>(
        sage::cross_entropy_loss{.label_smoothing = smoothing, .ignore_index = ignored}, how,
        {exact_normal({rows, classes}, 3)},
        [&](tensors const& x) {
          return at::cross_entropy_loss(x[0], labels, {}, code(how), ignored, smoothing);
        },
        sage::libtorch::view<std::int64_t const>(labels));
  }
}
