#pragma once

#include "reference/real.hpp"

#include <cstddef>
#include <functional>
#include <vector>

/// The losses as the textbooks and the papers define them, one row at a time, in 113 bits and without any care for
/// cancellation: what the library is tested against. Only values; gradients are differences of these.
namespace reference {

using row = std::vector<real>;

// Distances ------------------------------------------------------------------------------------------------------

/// ‖u − v + eps‖₂. Source: torch.nn.functional.pairwise_distance.
inline real euclidean(row const& u, row const& v, real eps) {
  real s = 0;
  for (std::size_t j = 0; j < u.size(); ++j) s += (u[j] - v[j] + eps) * (u[j] - v[j] + eps);
  return sqrt(s);
}

/// u / max(‖u‖₂, eps). Source: torch.nn.functional.normalize.
inline row normalized(row const& u, real eps) {
  real const norm = euclidean(u, row(u.size()), 0);
  row r = u;
  for (auto& x : r) x = x / (norm > eps ? norm : eps);
  return r;
}

inline real normalized_euclidean(row const& u, row const& v, real eps) {
  return euclidean(normalized(u, eps), normalized(v, eps), 0);
}

/// x^p, x ≥ 0.
inline real power(real x, real p) { return x == 0 ? real(0) : exp(p * log(x)); }

/// (Σ |u − v + shift|^p + under_root)^(1/p); p = ∞: max |u − v + shift|.
inline real minkowski(row const& u, row const& v, real p, real shift = 0, real under_root = 0) {
  real s = under_root, max = 0;
  for (std::size_t j = 0; j < u.size(); ++j) {
    real const t = magnitude(u[j] - v[j] + shift);
    if (t > max) max = t;
    if (p < infinity()) s += power(t, p);
  }
  return p < infinity() ? power(s, 1 / p) : max;
}

inline real dot(row const& u, row const& v) {
  real s = 0;
  for (std::size_t j = 0; j < u.size(); ++j) s += u[j] * v[j];
  return s;
}

/// 1 − u·v / (max(‖u‖, eps) max(‖v‖, eps)). Source: torch.nn.functional.cosine_similarity.
inline real cosine_distance(row const& u, row const& v, real eps) {
  return 1 - dot(normalized(u, eps), normalized(v, eps));
}

using distance = std::function<real(row const&, row const&)>;

/// What is made of a violated margin.
using hinge = std::function<real(real)>;
inline real clamp(real x) { return x < 0 ? real(0) : x; }
inline real half_square(real x) { return x < 0 ? real(0) : x * x / 2; }
inline real softplus(real x) { return x > 0 ? x + log(1 + exp(-x)) : log(1 + exp(x)); }

/// h(d(u, v)) for y = 1, h(m − d(u, v)) for y = 0. Source: Hadsell et al., CVPR 2006, with Y = 1 − y.
inline real contrastive(hinge const& h, real d, int y, real margin, real positive_margin = 0) {
  return y == 1 ? h(d - positive_margin) : h(margin - d);
}

/// −log( exp(−d_0/T) / Σ_k exp(−d_k/T) ). Source: van den Oord et al., 2018.
inline real info_nce(row const& distances, real temperature) {
  real sum = 0;
  for (real const d : distances) sum += exp((distances[0] - d) / temperature);
  return log(sum);
}

/// The in-batch loss of sample i: the positives of the others are its negatives.
inline real info_nce_in_batch(distance const& d, std::vector<row> const& anchors,
                              std::vector<row> const& positives, std::size_t i, real temperature) {
  row distances{d(anchors[i], positives[i])};
  for (std::size_t j = 0; j < positives.size(); ++j)
    if (j != i) distances.push_back(d(anchors[i], positives[j]));
  return info_nce(distances, temperature);
}

/// −log( exp(−d_ip/T) / (exp(−d_ip/T) + Σ_n exp(−d_in/T)) ) of every pair of sample i. Source: optax.ntxent.
inline row nt_xent_pairs(distance const& d, std::vector<row> const& x, std::vector<int> const& labels, std::size_t i,
                         real temperature) {
  row losses, distances(1);
  for (std::size_t j = 0; j < x.size(); ++j)
    if (labels[j] != labels[i]) distances.push_back(d(x[i], x[j]));
  for (std::size_t p = 0; p < x.size(); ++p) {
    if (p == i || labels[p] != labels[i]) continue;
    distances[0] = d(x[i], x[p]);
    losses.push_back(info_nce(distances, temperature));
  }
  return losses;
}

/// A triplet of samples of a batch.
struct mined_triplet {
  std::size_t anchor, positive, negative;
  real positive_distance, negative_distance;
};

/// All triplets of a labelled batch: N × N × N, as pytorch-metric-learning's get_all_triplets_indices.
inline std::vector<mined_triplet> all_triplets(distance const& d, std::vector<row> const& x,
                                               std::vector<int> const& labels) {
  std::vector<mined_triplet> r;
  std::vector<row> between(x.size(), row(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i)
    for (std::size_t j = 0; j < x.size(); ++j) between[i][j] = d(x[i], x[j]);
  for (std::size_t a = 0; a < x.size(); ++a)
    for (std::size_t p = 0; p < x.size(); ++p)
      for (std::size_t n = 0; n < x.size(); ++n)
        if (p != a && labels[p] == labels[a] && labels[n] != labels[a])
          r.push_back({a, p, n, between[a][p], between[a][n]});
  return r;
}

/// Of each anchor the triplet with the largest d(a, p) − d(a, n): its hardest positive and hardest negative.
inline std::vector<mined_triplet> hardest(std::vector<mined_triplet> const& all) {
  std::vector<mined_triplet> r;
  auto const gap = [](mined_triplet const& t) { return t.positive_distance - t.negative_distance; };
  for (auto const& t : all) {
    if (r.empty() || r.back().anchor != t.anchor) {
      r.push_back(t);
    } else if (gap(t) > gap(r.back())) {
      r.back() = t;
    }
  }
  return r;
}

/// 0 < d(a, n) − d(a, p) ≤ margin. Source: pytorch-metric-learning, TripletMarginMiner(margin, "semihard").
inline std::vector<mined_triplet> semi_hard(std::vector<mined_triplet> const& all, real margin) {
  std::vector<mined_triplet> r;
  for (auto const& t : all)
    if (real const gap = t.negative_distance - t.positive_distance; gap > 0 && gap <= margin) r.push_back(t);
  return r;
}

/// max(0, m + d(a, p) − d(a, n)); with swap d(a, n) ← min(d(a, n), d(p, n)). Source: Balntas et al., BMVC 2016.
inline real triplet(distance const& d, row const& a, row const& p, row const& n, real margin, bool swap,
                    hinge const& h = clamp) {
  real negative = d(a, n);
  if (real const other = d(p, n); swap && other < negative) negative = other;
  return h(margin + d(a, p) - negative);
}

// Softmax family -------------------------------------------------------------------------------------------------

/// log softmax(z/T)
inline row log_softmax(row const& z, real temperature = 1) {
  real max = -infinity();
  for (real const x : z)
    if (x > max) max = x;
  real sum = 0;
  for (real const x : z) sum += exp((x - max) / temperature);
  row r = z;
  for (auto& x : r) x = (x - max) / temperature - log(sum);
  return r;
}

inline row softmax(row const& z, real temperature = 1) {
  row r = log_softmax(z, temperature);
  for (auto& x : r) x = exp(x);
  return r;
}

/// Σ p log(p/q), 0 log 0 = 0. Source: Kullback and Leibler, 1951.
inline real kullback_leibler(row const& p, row const& q) {
  real s = 0;
  for (std::size_t k = 0; k < p.size(); ++k)
    if (p[k] != 0) s += p[k] * log(p[k] / q[k]);
  return s;
}

/// β KL(p‖m) + (1−β) KL(q‖m), m = βp + (1−β)q. Source: Lin, IEEE Trans. Inf. Theory 1991.
inline real jensen_shannon(row const& p, row const& q, real beta) {
  row m(p.size());
  for (std::size_t k = 0; k < p.size(); ++k) m[k] = beta * p[k] + (1 - beta) * q[k];
  return beta * kullback_leibler(p, m) + (1 - beta) * kullback_leibler(q, m);
}

/// −Σ t_k log p_k with t = (1 − ε) [k = y] + ε/K. Source: torch.nn.CrossEntropyLoss.
inline real cross_entropy(row const& z, std::ptrdiff_t y, real smoothing) {
  row const log_p = log_softmax(z);
  real s = 0;
  for (std::size_t k = 0; k < z.size(); ++k) {
    real const t = (static_cast<std::ptrdiff_t>(k) == y ? 1 - smoothing : real(0)) +
                   smoothing / static_cast<int>(z.size());
    if (t > 0) s -= t * log_p[k];
  }
  return s;
}

// Degradation checks ---------------------------------------------------------------------------------------------

using divergence = std::function<real(row const&, row const&)>;  // of two distributions

inline real toward_uniform(divergence const& d, row const& minus, real temperature) {
  return d(softmax(minus, temperature), row(minus.size(), real(1) / static_cast<int>(minus.size())));
}

inline real repel(divergence const& d, row const& z, row const& minus, real temperature, real margin) {
  real const l = margin - d(softmax(z, temperature), softmax(minus, temperature));
  return l < 0 ? real(0) : l;
}

inline real rank(divergence const& d, row const& z, row const& plus, row const& minus, real temperature,
                 real margin) {
  row const p = softmax(z, temperature);
  real const l = d(p, softmax(plus, temperature)) - d(p, softmax(minus, temperature)) + margin;
  return l < 0 ? real(0) : l;
}

// Reductions -----------------------------------------------------------------------------------------------------

/// Σ w l / Σ w. Weights of 0 take a sample out whatever its loss is.
inline real weighted_mean(std::vector<real> const& losses, std::vector<real> const& weights) {
  real sum = 0, total = 0;
  for (std::size_t i = 0; i < losses.size(); ++i) {
    if (weights[i] == 0) continue;
    sum += weights[i] * losses[i];
    total += weights[i];
  }
  return total == 0 ? real(0) : sum / total;
}

}  // namespace reference
