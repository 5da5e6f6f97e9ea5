#pragma once

// Every public loss on inputs that are exact in float, those of rows of one shape through all their members. The same
// list is computed as a reference (long double, element by element) and by programs compiled with the flags of all kinds
// of hosts.

#include <sage/sage.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

// Unnamed, because several objects with these functions, compiled with different flags, stand in one program.
namespace host_flags {
namespace {

/// One result by name: the numbers of a value, of per-sample losses, or of a gradient.
template <class T>
struct answer {
  std::string name;
  std::vector<T> numbers;
};

/// Rows as short as a list of classes, and rows longer than any vector; neither length divides by a vector's width.
struct shape {
  std::size_t rows, length;
};
inline constexpr shape shapes[] = {{9, 5}, {7, 67}};

/// Rows of numbers between -2 and 2 of eight bits, of four orders of magnitude in turn: differences of neighbours are
/// rounded, as they are in real logits.
template <class T>
std::vector<T> matrix(std::size_t rows, std::size_t length, unsigned seed) {
  std::vector<T> x(rows * length);
  unsigned state = seed * 2654435761u + 1u;
  for (std::size_t i = 0; i < x.size(); ++i) {
    state = state * 1664525u + 1013904223u;
    x[i] = static_cast<T>(static_cast<int>(state >> 24) - 128) / static_cast<T>(64 << (3 * (i % 4)));
  }
  return x;
}

/// Rows near those of x, SAGE's operating point: x plus such numbers over a divisor, a power of two up to 1024, so that
/// the sums are exact in float.
template <class T>
std::vector<T> near(std::vector<T> const& x, int divisor) {
  std::vector<T> y = matrix<T>(1, x.size(), 4);
  for (std::size_t i = 0; i < x.size(); ++i) y[i] = x[i] + y[i] / static_cast<T>(divisor);
  return y;
}

template <class Vector>
auto view(Vector& x, std::size_t rows) {
  return sage::strided_view{x.data(), sage::extents{rows, x.size() / rows}};
}

/// A meter is handed every call of a loss, by the name of its answer; this one only calls.
struct no_meter {
  template <class Call>
  auto operator()(std::string const&, Call const& call) const {
    return call();
  }
};

/// Computes the answers for one shape, on one executor.
template <class T, class Executor, class Meter>
class questions {
 public:
  questions(Executor executor, Meter meter, std::size_t rows, std::size_t length)
      : executor_(std::move(executor)),
        meter_(std::move(meter)),
        rows_(rows),
        shape_(std::to_string(rows) + "x" + std::to_string(length)) {}

  /// The four members of a loss of `Inputs` matrices, which may be followed by labels.
  template <class Loss, std::size_t Inputs, class... Labels>
  void ask(std::string const& name, Loss const& loss, std::array<std::vector<T>, Inputs> x,
           Labels const&... labels) {
    auto g = x;
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      keep(
          name + " value",
          {metered(name + " value", [&] { return loss(executor_, view(x[I], rows_)..., labels...).value; })});
      keep(name + " value again", {metered(name + " value_and_grad", [&] {
             return loss.value_and_grad(executor_, view(x[I], rows_)..., labels..., view(g[I], rows_)...)
                 .value;
           })});
      (keep(name + " gradient " + std::to_string(I), g[I]), ...);

      std::vector<T> per_sample(rows_), upstream = matrix<T>(1, rows_, 99);
      metered(name + " per_sample",
              [&] { loss.per_sample(executor_, view(x[I], rows_)..., labels..., per_sample); });
      keep(name + " per sample", per_sample);
      metered(name + " backward", [&] {
        loss.backward(executor_, upstream, view(x[I], rows_)..., labels...,
                      sage::add_to(view(g[I], rows_))...);
      });
      (keep(name + " backward added to gradient " + std::to_string(I), g[I]), ...);
    }
    (std::make_index_sequence<Inputs>{});
  }

  /// The four members of the complete loss, which takes three views of logits and of embeddings.
  template <class Loss, class Labels>
  void ask_sage(Loss const& loss, std::array<std::vector<T>, 3> z, std::array<std::vector<T>, 3> e,
                Labels const& labels) {
    auto dz = z, de = e;
    auto const of = [this](std::array<std::vector<T>, 3>& x) {
      return sage::views(view(x[0], rows_), view(x[1], rows_), view(x[2], rows_));
    };
    auto const added_to = [this](std::array<std::vector<T>, 3>& x) {
      return sage::views(sage::add_to(view(x[0], rows_)), sage::add_to(view(x[1], rows_)),
                         sage::add_to(view(x[2], rows_)));
    };
    std::vector<T> const weights = map_weights();
    auto const terms = [this](std::string const& name, auto const& r) {
      keep(name,
           {r.value, r.classification, r.positive_classification, r.triplet, r.consistency, r.degradation});
    };
    terms("sage terms", metered("sage value", [&] {
            return loss(executor_, of(z), of(e), labels, sage::weights(weights));
          }));
    terms("sage terms again", metered("sage value_and_grad", [&] {
            return loss.value_and_grad(executor_, of(z), of(e), labels, of(dz), of(de),
                                       sage::weights(weights));
          }));
    std::vector<T> per_sample(rows_), upstream = matrix<T>(1, rows_, 99);
    metered("sage per_sample", [&] { loss.per_sample(executor_, of(z), of(e), labels, per_sample); });
    keep("sage per sample", per_sample);
    for (std::size_t i = 0; i < 3; ++i) {
      keep("sage gradient of logits " + std::to_string(i), dz[i]);
      keep("sage gradient of embeddings " + std::to_string(i), de[i]);
    }
    metered("sage backward",
            [&] { loss.backward(executor_, upstream, of(z), of(e), labels, added_to(dz), added_to(de)); });
    for (std::size_t i = 0; i < 3; ++i) {
      keep("sage backward added to gradient of logits " + std::to_string(i), dz[i]);
      keep("sage backward added to gradient of embeddings " + std::to_string(i), de[i]);
    }
  }

  /// Value and gradients of a loss whose operands have shapes of their own: `run(executor, g)` writes them into g, which
  /// has the sizes of x. One thread and no vectors: what flags could change is in the formulas.
  template <class Run>
  void ask_gradients(std::string const& name, std::vector<std::vector<T>> g, Run const& run) {
    keep(name + " value",
         {metered(name + " value_and_grad", [&] { return run(sage::exec::scalar{}, g).value; })});
    for (std::size_t i = 0; i < g.size(); ++i) keep(name + " gradient " + std::to_string(i), g[i]);
  }

  void keep(std::string const& name, std::vector<T> numbers) {
    answers.push_back({name + " " + shape_, std::move(numbers)});
  }

  std::vector<answer<T>> answers;

 private:
  template <class Call>
  auto metered(std::string const& name, Call const& call) const {
    return meter_(name + " " + shape_, call);
  }

  // 0, ½, 1, 1½, 0, …: every fourth sample has no saliency map.
  std::vector<T> map_weights() const {
    std::vector<T> w(rows_);
    for (std::size_t i = 0; i < rows_; ++i) w[i] = static_cast<T>(i % 4) / static_cast<T>(2);
    return w;
  }

  Executor executor_;
  Meter meter_;
  std::size_t rows_;
  std::string shape_;
};

/// How many pixels of a noisy picture have other bits than the scalar executor gives them. (-ffast-math approximates the
/// square roots of vectors.)
template <class T, class Executor>
int differing_pixels([[maybe_unused]] Executor const& executor) {
  int differing = 0;
#if !defined(__FAST_MATH__)
  if constexpr (sizeof(T) <= sizeof(double)) {
    std::vector<T> const image = matrix<T>(5, 83, 8), map = near(std::vector<T>(image.size(), T(0.5)), 8);
    std::vector<T> plus(image.size()), expected(image.size());
    auto const plane = [](auto& v) { return sage::strided_view{v.data(), sage::extents{1, 1, 5, 83}}; };
    sage::saliency_pair const pair{sage::gaussian_noise{.sigma = 0.3, .seed = 7}};
    pair(executor, plane(image), plane(map), plane(plus), sage::skip);
    pair(sage::exec::scalar{}, plane(image), plane(map), plane(expected), sage::skip);
    for (std::size_t i = 0; i < plus.size(); ++i) differing += plus[i] != expected[i];
  }
#endif
  return differing;
}

template <class T, class Executor, class Meter = no_meter>
std::vector<answer<T>> answers(Executor const& executor, std::size_t rows, std::size_t length,
                               Meter meter = {}) {
  questions<T, Executor, Meter> q(executor, meter, rows, length);
  auto const x = matrix<T>(rows, length, 1), y = matrix<T>(rows, length, 2), z = matrix<T>(rows, length, 3);
  // A difference of unit vectors in float has the rounding errors of the vectors, so those are not that near.
  auto const near_8 = near(x, 8), near_1024 = near(x, 1024);
  std::vector<std::int64_t> labels(rows);
  for (std::size_t i = 0; i < rows; ++i) labels[i] = static_cast<std::int64_t>(i % length);
  labels[1] = -100;  // ignored

  using triplet = std::array<std::vector<T>, 3>;
  using pair = std::array<std::vector<T>, 2>;
  using single = std::array<std::vector<T>, 1>;

  q.ask("triplet", sage::triplet_margin_loss<>{.margin = 12}, triplet{x, near_8, z});
  q.ask("triplet with swap", sage::triplet_margin_loss<>{.margin = 12, .swap = true}, triplet{x, y, z});
  q.ask("normalized triplet", sage::triplet_margin_loss<sage::normalized_euclidean>{.margin = 2},
        triplet{x, near_8, z});

  q.ask("consistency", sage::consistency_loss<>{}, pair{x, y});
  q.ask("consistency of near rows", sage::consistency_loss<>{.temperature = 2}, pair{x, near_1024});
  auto const x_2 = matrix<T>(rows, 2, 1), y_2 = matrix<T>(rows, 2, 2);
  q.ask("consistency of two classes", sage::consistency_loss<>{.temperature = 0.5}, pair{x_2, y_2});
  q.ask("consistency of near rows of two classes", sage::consistency_loss<>{}, pair{x_2, near(x_2, 1024)});
  q.ask("consistency, beta 0.3",
        sage::consistency_loss<sage::skewed_jensen_shannon>{.divergence = {.beta = 0.3}}, pair{x, near_1024});

  q.ask("jeffreys of near rows", sage::consistency_loss<sage::jeffreys>{}, pair{x, near_1024});
  q.ask("binary consistency of near rows", sage::binary_consistency_loss<>{}, pair{x, near_1024});

  q.ask("cross entropy", sage::cross_entropy_loss{}, single{x}, labels);
  q.ask("cross entropy, smoothed", sage::cross_entropy_loss{.label_smoothing = 0.1}, single{x}, labels);

  q.ask("cross entropy with probabilities", sage::cross_entropy_loss{}, pair{x, y});

  std::vector<std::int64_t> pairs(rows);
  for (std::size_t i = 0; i < rows; ++i) pairs[i] = static_cast<std::int64_t>(i % 2);
  auto const of = [rows](auto& v) { return view(v, rows); };
  q.ask_gradients("contrastive", {x, y}, [&](auto const& on, auto& g) {
    return sage::contrastive_loss<>{.margin = 12}.value_and_grad(on, of(x), of(y), pairs, of(g[0]), of(g[1]));
  });
  q.ask_gradients("info nce", {x, y}, [&](auto const& on, auto& g) {
    return sage::info_nce_loss<>{.temperature = 0.5}.value_and_grad(on, of(x), of(y), of(g[0]), of(g[1]));
  });
  q.ask_gradients("mined triplet", {x}, [&](auto const& on, auto& g) {
    return sage::mined_triplet_loss<>{.margin = 1}.value_and_grad(on, of(x), pairs, of(g[0]));
  });
  q.ask_gradients("binary cross entropy", {x}, [&](auto const& on, auto& g) {
    return sage::binary_cross_entropy_loss{}.value_and_grad(on, of(x), of(y), of(g[0]));
  });
  q.ask_gradients("generalized jensen shannon", {x, y}, [&](auto const& on, auto& g) {
    sage::consistency_loss<sage::generalized_jensen_shannon> const loss{.divergence = {0.25}};
    return loss.value_and_grad(on, of(x), of(near_8), of(g[0]), of(g[1]));
  });
  auto const pictures = [rows](auto& v) {
    return sage::strided_view{v.data(), sage::extents{rows, v.size() / rows / 4, 2, 2}};
  };
  std::vector<T> const features = matrix<T>(rows, 12, 5), head = matrix<T>(2, 3, 6),
                       maps = matrix<T>(rows, 4, 7);
  q.ask_gradients("cam alignment", {features, head}, [&](auto const& on, auto& g) {
    return sage::cam_alignment_loss{}.value_and_grad(on, pictures(features), view(head, 2), pairs,
                                                     pictures(maps), pictures(g[0]), view(g[1], 2));
  });

  q.ask("toward uniform", sage::degradation_loss<sage::toward_uniform<>>{}, single{x});
  q.ask("repel", sage::degradation_loss<sage::repel<>>{.check = {.margin = 0.5}}, pair{x, y});
  q.ask("rank", sage::degradation_loss<sage::rank<>>{.check = {.margin = 0.5}}, triplet{x, near_8, y});

  q.ask_sage(
      sage::sage_loss<sage::normalized_euclidean, sage::jensen_shannon, sage::toward_uniform<>>{.margin =
                                                                                                    1.5},
      triplet{x, near_8, y}, triplet{y, near(y, 8), z}, labels);
  // A reference must not be 0.
  q.keep("noise of the same bits", {static_cast<T>(1 + differing_pixels<T>(executor))});
  return q.answers;
}

}  // namespace
}  // namespace host_flags
