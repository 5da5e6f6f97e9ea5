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

using distance = std::function<real(row const&, row const&)>;

/// max(0, m + d(a, p) − d(a, n)); with swap d(a, n) ← min(d(a, n), d(p, n)). Source: Balntas et al., BMVC 2016.
inline real triplet(distance const& d, row const& a, row const& p, row const& n, real margin, bool swap) {
  real negative = d(a, n);
  if (real const other = d(p, n); swap && other < negative) negative = other;
  real const l = margin + d(a, p) - negative;
  return l < 0 ? real(0) : l;
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
    if (p[k] > 0) s += p[k] * (q[k] > 0 ? log(p[k] / q[k]) : infinity());
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
