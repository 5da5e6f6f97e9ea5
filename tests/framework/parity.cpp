// Vector code for one target: every instruction set computes these losses against their definitions in tests/loss.
#if !defined(SAGE_NO_DISPATCH)
#define SAGE_NO_DISPATCH
#endif

#include "framework/torch.hpp"

#include "framework/gradients.hpp"

#include <sage/adapt/libtorch.hpp>
#include <sage/formula/cosine.hpp>
#include <sage/formula/lp.hpp>
#include <sage/loss/binary_cross_entropy.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <array>
#include <limits>
#include <tuple>
#include <type_traits>
#include <utility>

// Hundreds of random cases with every option that a loss shares with a function of LibTorch, which computes the
// expected value and gradients in double: shapes of rank 2 to 4, memory of all kinds of strides, float and double.
// framework/losses.cpp has the wrappers; here are the losses.

namespace {

using namespace gradients;
using sage::reduction;
using sage::libtorch::view;

/// Random options and shapes: LibTorch's generator decides, so that one seed is one test.
std::int64_t pick(std::int64_t low, std::int64_t high) {
  return at::randint(low, high, {1}).item<std::int64_t>();
}
template <class T, std::size_t N>
T pick(T const (&choices)[N]) {
  return choices[pick(0, static_cast<std::int64_t>(N))];
}
bool toss() { return pick(0, 2) == 1; }

/// What LibTorch calls none is the sum of per-sample values times random numbers: the gradient of each shows.
enum class reduced_by { mean, sum, none };
constexpr reduced_by all_reductions[] = {reduced_by::mean, reduced_by::sum, reduced_by::none};

std::int64_t code(reduced_by how) {
  return how == reduced_by::mean  ? at::Reduction::Mean
         : how == reduced_by::sum ? at::Reduction::Sum
                                  : at::Reduction::None;
}
at::Tensor apply(reduced_by how, at::Tensor const& l) {
  return how == reduced_by::mean ? l.mean() : how == reduced_by::sum ? l.sum() : l;
}

/// Up to twelve rows in one to three dimensions, and their length.
std::vector<std::int64_t> random_shape(std::int64_t shortest = 2) {
  std::vector<std::int64_t> shape;
  std::int64_t const dimensions = pick(1, 4), most[] = {13, 5, 4};
  for (std::int64_t d = 0; d < dimensions; ++d) shape.push_back(pick(1, most[dimensions - 1]));
  shape.push_back(pick(shortest, 70));
  return shape;
}

/// Normal numbers that are exact in float.
at::Tensor exact_normal(at::IntArrayRef shape, double scale = 1) {
  return (scale * normal(shape, at::kFloat)).to(at::kDouble);
}
at::Tensor exact_rand(at::IntArrayRef shape) { return at::rand(shape, at::kFloat).to(at::kDouble); }

/// How a tensor lies in memory; those that share elements can only be read.
enum class layout { contiguous, permuted, sliced, pitched, same_rows };

at::Tensor arranged(at::Tensor const& t, layout how) {
  switch (how) {
    case layout::contiguous:
      return t.contiguous();
    case layout::permuted:
      return t.transpose(0, -1).contiguous().transpose(0, -1);
    case layout::sliced:
      return t.repeat_interleave(2, -1).slice(-1, 0, at::nullopt, 2);
    case layout::pitched:
      return at::constant_pad_nd(t, {3, 2}, std::numeric_limits<double>::quiet_NaN()).slice(-1, 3, -2);
    case layout::same_rows:
      return t.slice(0, 0, 1).expand_as(t);
  }
  return t;
}

/// Tensors of one shape with random memory. LibTorch's functions get rows, (N, D).
struct operands {
  tensors values;  // contiguous doubles
  std::vector<layout> layouts;

  void add(at::Tensor const& t) {
    constexpr layout all[] = {layout::contiguous, layout::permuted, layout::sliced, layout::pitched,
                              layout::same_rows};
    layouts.push_back(pick(all));
    values.push_back(layouts.back() == layout::same_rows ? arranged(t, layout::same_rows).contiguous() : t);
  }
  std::vector<std::int64_t> shape() const { return values[0].sizes().vec(); }
  std::int64_t length() const { return values[0].size(-1); }
  std::int64_t rows() const { return values[0].numel() / length(); }
};

/// What LibTorch says: per-sample values or the reduced one, and gradients.
struct answer {
  reduced_by how;
  at::Tensor upstream, value;
  tensors gradients;
  double size;  // of the numbers whose differences the values are, 0 for values without cancellation
};

/// Marked weights of the element type: none.
struct unmarked {
  template <class T>
  std::tuple<> operator()(std::type_identity<T>, tensors const&) const {
    return {};
  }
};

template <class T, std::size_t... I, class Loss, class Marks, class... Labels>
void compare_as(std::index_sequence<I...>, Loss loss, operands const& x, answer const& expected,
                tensors const& weights, Marks const& marks, Labels const&... labels) {
  constexpr auto type = c10::CppTypeToScalarType<T>::value;
  tensors in, out, w;
  for (std::size_t k = 0; k < x.values.size(); ++k) {
    auto const t = x.values[k].to(type);
    in.push_back(arranged(t, x.layouts[k]));
    out.push_back(arranged(at::zeros_like(t), x.layouts[k] == layout::same_rows ? layout::contiguous : x.layouts[k]));
  }
  for (auto const& t : weights) w.push_back(t.to(type));
  auto const v = [](at::Tensor const& t) { return view<T>(t); };
  // Doubles on the scalar schedule: each loss is compiled once for either.
  auto const executor = [] {
    if constexpr (sizeof(T) == 4)
      return sage::exec::simd{};
    else
      return sage::exec::scalar{};
  }();
  at::Tensor value;
  std::apply(
      [&](auto const&... marked) {
        if (expected.how == reduced_by::none) {
          value = at::empty({x.rows()}, type);
          loss.per_sample(executor, v(in[I])..., labels..., v(value), marked...);
          auto const upstream = expected.upstream.to(type);
          loss.backward(executor, v(upstream), v(in[I])..., labels..., v(out[I])..., marked...);
        } else {
          loss.reduction = expected.how == reduced_by::sum ? reduction::sum : reduction::mean;
          auto const r = loss.value_and_grad(executor, v(in[I])..., labels..., v(out[I])..., marked...);
          value = at::full({}, static_cast<double>(r.value), at::kDouble);
        }
      },
      marks(std::type_identity<T>{}, w));
  // Inputs are exact in float; sums of up to a hundred terms in either order: tens of roundings. A value or gradient
  // that is zero is zero in both.
  double const tolerance = type == at::kDouble ? 1e-12 : 2e-5;
  auto const near = [&](at::Tensor const& a, at::Tensor const& b, double size) {
    if (b.abs().max().item<double>() == 0) return a.abs().max().item<double>() <= tolerance * size;
    return (a.to(at::kDouble) - b).norm().item<double>() < tolerance * (size + b.norm().item<double>());
  };
  CAPTURE(type);
  CHECK(near(value, expected.value.reshape(value.sizes()), expected.size));
  for (std::size_t k = 0; k < out.size(); ++k) {
    CAPTURE(k, static_cast<int>(x.layouts[k]));
    CHECK(near(out[k], expected.gradients[k], 0));
  }
}

/// Our loss of N tensors against LibTorch's per-sample values, or its reduction of them, `oracle(rows of x)`. `size`:
/// see answer.
template <std::size_t N, class Loss, class Oracle, class Marks, class... Labels>
void compare_marked(Loss const& loss, reduced_by how, operands const& x, double size, Oracle const& oracle,
                    tensors const& weights, Marks const& marks, Labels const&... labels) {
  auto const leaf = leaves(x.values);
  tensors rows;
  for (auto const& t : leaf) rows.push_back(t.reshape({x.rows(), x.length()}));
  auto const value = oracle(rows);
  auto const upstream = how == reduced_by::none ? exact_rand(value.sizes()) + 0.5 : at::ones_like(value);
  answer const expected{how, upstream.reshape({-1}), value.detach(),
                        torch::autograd::grad({(value * upstream).sum()}, leaf), size};
  CAPTURE(x.shape(), static_cast<int>(how));
  auto const operands = std::make_index_sequence<N>{};
  compare_as<float>(operands, loss, x, expected, weights, marks, labels...);
  compare_as<double>(operands, loss, x, expected, weights, marks, labels...);
}

template <std::size_t N, class Loss, class Oracle, class... Labels>
void compare(Loss const& loss, reduced_by how, operands const& x, double size, Oracle const& oracle,
             Labels const&... labels) {
  compare_marked<N>(loss, how, x, size, oracle, {}, unmarked{}, labels...);
}

operands random_operands(std::int64_t count, double scale, std::int64_t shortest = 2) {
  auto const shape = random_shape(shortest);
  operands x;
  for (std::int64_t k = 0; k < count; ++k) x.add(exact_normal(shape, scale));
  return x;
}
/// Embeddings, at distances of up to two hundred (the 1-norm of 70 differences); rows of one element would have
/// gradients that are zero, or rounding.
operands random_triplets() { return random_operands(3, 1); }

/// torch.nn.functional.triplet_margin_with_distance_loss, whose definition is these lines.
template <class Distance>
at::Tensor with_distance(Distance const& d, tensors const& x, double margin, bool swap) {
  auto negative = d(x[0], x[2]);
  if (swap) negative = at::minimum(negative, d(x[1], x[2]));
  return at::clamp_min(margin + d(x[0], x[1]) - negative, 0);
}

}  // namespace

TEST_CASE("triplet_margin_loss is LibTorch's in 300 random cases: margin, eps, swap, reduction") {
  at::manual_seed(11);
  for (int i = 0; i < 300; ++i) {
    double const margin = pick({0.0, 0.2, 1.0, 5.0}), eps = pick({0.0, 1e-6, 1e-3, 0.5});
    bool const swap = toss();
    auto const how = pick(all_reductions);
    CAPTURE(i, margin, eps, swap);
    compare<3>(sage::triplet_margin_loss<>{.margin = margin, .swap = swap, .distance = {.eps = eps}}, how,
               random_triplets(), 10, [&](tensors const& x) {
                 return at::triplet_margin_loss(x[0], x[1], x[2], margin, 2, eps, swap, code(how));
               });
  }
}

TEST_CASE("triplet_margin_loss<lp> is LibTorch's in 300 random cases: p, margin, eps, swap, reduction") {
  at::manual_seed(16);
  for (int i = 0; i < 300; ++i) {
    double const margin = pick({0.0, 0.2, 1.0, 5.0}), eps = pick({1e-6, 1e-3, 0.5}),
                 p = pick({1.0, 1.5, 2.0, 3.5, 7.0, 30.0, std::numeric_limits<double>::infinity()});
    bool const swap = toss();
    auto const how = pick(all_reductions);
    CAPTURE(i, margin, eps, p, swap);
    sage::triplet_margin_loss<sage::lp> const loss{
        .margin = margin, .swap = swap, .distance = {.p = p, .eps = eps}};
    compare<3>(loss, how, random_triplets(), 200, [&](tensors const& x) {
      return at::triplet_margin_loss(x[0], x[1], x[2], margin, p, eps, swap, code(how));
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
    bool const swap = toss();
    auto const how = pick(all_reductions);
    CAPTURE(i, margin, swap);
    sage::triplet_margin_loss<sage::normalized_euclidean> const loss{.margin = margin, .swap = swap};
    compare<3>(loss, how, random_triplets(), 2, [&](tensors const& t) {
      auto const d = [&](at::Tensor const& u, at::Tensor const& v) {
        return (unit(u) - unit(v)).norm(2, {-1});
      };
      return apply(how, with_distance(d, t, margin, swap));
    });
  }
}

TEST_CASE(
    "triplet_margin_loss<cosine> is LibTorch's in 200 random cases: cosine_similarity as distance, margin, eps, swap, "
    "reduction") {
  at::manual_seed(15);
  for (int i = 0; i < 200; ++i) {
    // A norm is of the size of √D, 1.4 to 8.4: 3 bounds some of them. There LibTorch 1 bounds the product of the two
    // norms, and the gradient of LibTorch 2 is not that of its value.
    double const eps = pick({1e-8, 1e-3, 3.0});
    double const margin = pick({0.0, 0.2, 0.5, 2.0});
    bool const swap = toss();
    auto const how = pick(all_reductions);
    CAPTURE(i, margin, eps, swap);
    sage::triplet_margin_loss<sage::cosine> const loss{
        .margin = margin, .swap = swap, .distance = {.eps = eps}};
    compare<3>(loss, how, random_triplets(), 2, [&](tensors const& t) {
      auto const d = [&](at::Tensor const& u, at::Tensor const& v) {
        if (eps < 1) return 1 - at::cosine_similarity(u, v, -1, eps);
        auto const norm = [&](at::Tensor const& x) { return x.norm(2, {-1}).clamp_min(eps); };
        return 1 - (u * v).sum(-1) / (norm(u) * norm(v));
      };
      return apply(how, with_distance(d, t, margin, swap));
    });
  }
}

TEST_CASE(
    "consistency_loss<kullback_leibler> is LibTorch's in 300 random cases: kl_div with temperature and its square, "
    "log_target, reduction") {
  at::manual_seed(13);
  for (int i = 0; i < 300; ++i) {
    double const temperature = pick({0.5, 1.0, 4.0});
    bool const squared = toss(), log_target = toss(), batchmean = toss();
    auto const how = pick(all_reductions);
    auto const x = random_operands(2, 2);
    CAPTURE(i, temperature, squared, log_target, batchmean);
    sage::consistency_loss<sage::kullback_leibler> const loss{.temperature = temperature,
                                                              .temperature_squared = squared};
    compare<2>(loss, how, x, 0, [&](tensors const& z) {
      auto const log_p = at::log_softmax(z[0] / temperature, -1);
      auto const log_q = at::log_softmax(z[1] / temperature, -1);
      auto const target = log_target ? log_p : log_p.exp();
      auto const kl = [&](std::int64_t by) {
        return at::kl_div(log_q, target, by, log_target) * (squared ? temperature * temperature : 1.0);
      };
      if (how == reduced_by::none) return kl(at::Reduction::None).sum(-1);
      if (how == reduced_by::sum) return kl(at::Reduction::Sum);
      // Ours is the mean over rows, torch.nn.functional's batchmean; LibTorch's mean is over all elements.
      return batchmean ? kl(at::Reduction::Sum) / x.rows() : kl(at::Reduction::Mean) * x.length();
    });
  }
}

TEST_CASE("cross_entropy_loss is LibTorch's in 300 random cases: smoothing, ignored index, class weights, reduction") {
  at::manual_seed(14);
  for (int i = 0; i < 300; ++i) {
    double const smoothing = pick({0.0, 0.1, 0.5, 1.0});
    auto const x = random_operands(1, 3);
    std::int64_t const classes = x.length(), ignored = pick({-100, 0, -1, 1});
    bool const weighted = toss();
    auto const how = pick(all_reductions);
    auto labels = at::randint(0, classes, {x.rows()}, at::kLong);
    if (ignored < 0 && x.rows() > 1) labels[0] = ignored;
    if (labels.eq(ignored).all().item<bool>()) continue;  // 0/0 in both; loss/cross_entropy.cpp has it
    CAPTURE(i, smoothing, ignored, weighted, classes);
    sage::cross_entropy_loss const loss{.label_smoothing = smoothing, .ignore_index = ignored};
    auto const w = weighted ? exact_rand({classes}) + 0.25 : at::Tensor();
    auto const oracle = [&](tensors const& z) {
      return at::cross_entropy_loss(z[0], labels, w, code(how), ignored, smoothing);
    };
    auto const y = view<std::int64_t const>(labels);
    if (weighted) {
      auto const marks = []<class T>(std::type_identity<T>, tensors const& t) {
        return std::tuple(sage::class_weights(view<T const>(t[0])));
      };
      compare_marked<1>(loss, how, x, 0, oracle, {w}, marks, y);
    } else {
      compare<1>(loss, how, x, 0, oracle, y);
    }
  }
}

TEST_CASE(
    "cross_entropy_loss with probabilities is LibTorch's in 300 random cases: smoothing, class weights, "
    "reduction, gradients to both") {
  at::manual_seed(17);
  for (int i = 0; i < 300; ++i) {
    double const smoothing = pick({0.0, 0.1, 0.5});  // smoothed by 1, no probability would matter
    auto const shape = random_shape();
    operands x;
    x.add(exact_normal(shape, 3));
    x.add(at::softmax(normal(shape, at::kFloat), -1).to(at::kDouble));
    bool const weighted = toss();
    auto const how = pick(all_reductions);
    auto const w = weighted ? exact_rand({x.length()}) + 0.25 : at::ones({x.length()}, at::kDouble);
    CAPTURE(i, smoothing, weighted);
    auto const marks = []<class T>(std::type_identity<T>, tensors const& t) {
      return std::tuple(sage::class_weights(view<T const>(t[0])));
    };
    compare_marked<2>(
        sage::cross_entropy_loss{.label_smoothing = smoothing}, how, x, 0,
        [&](tensors const& z) {
          return at::cross_entropy_loss(z[0], z[1], weighted ? w : at::Tensor(), code(how), -100, smoothing);
        },
        {w}, marks);
  }
}

TEST_CASE(
    "binary_cross_entropy_loss is LibTorch's in 300 random cases: weights of elements and of positives, "
    "reduction, gradients to both") {
  at::manual_seed(18);
  for (int i = 0; i < 300; ++i) {
    auto const shape = random_shape(1);
    operands x;
    x.add(exact_normal(shape, 4));
    x.add(exact_rand(shape));
    bool const weighted = toss(), positive = toss();
    auto const how = pick(all_reductions);
    std::vector<std::int64_t> const per_label{x.length()}, rows_and_labels{x.rows(), x.length()};
    auto const w = weighted ? exact_rand(toss() ? per_label : rows_and_labels).expand({x.rows(), x.length()})
                            : at::ones({x.rows(), x.length()}, at::kDouble);
    auto const p = positive ? exact_rand(per_label) + 0.25 : at::ones(per_label, at::kDouble);
    CAPTURE(i, weighted, positive);
    auto const marks = []<class T>(std::type_identity<T>, tensors const& t) {
      return std::tuple(sage::positive_weights(view<T const>(t[1])), sage::element_weights(view<T const>(t[0])));
    };
    auto const over = how == reduced_by::mean ? reduction::mean : reduction::sum;
    compare_marked<2>(
        sage::binary_cross_entropy_loss{.over_labels = over}, how, x, 0,
        [&](tensors const& z) {
          auto const l = at::binary_cross_entropy_with_logits(z[0], z[1], weighted ? w : at::Tensor(),
                                                              positive ? p : at::Tensor(), code(how));
          return how == reduced_by::none ? l.sum(-1) : l;  // element by element: (N·K, 1) in framework/losses.cpp
        },
        {w.reshape(shape), p}, marks);
  }
}
