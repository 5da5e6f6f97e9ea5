#pragma once

#include "reference/losses.hpp"

#include <cstddef>

/// More losses of logits as their sources define them, in 113 bits: see losses.hpp.
namespace reference {

/// −Σ w_k t'_k log p_k, t' = (1 − ε) t + ε/K, with 0 · log 0 = 0. Source: torch.nn.CrossEntropyLoss with
/// probabilities and weight.
inline real cross_entropy(row const& z, row const& targets, row const& weights, real smoothing) {
  row const log_p = log_softmax(z);
  real s = 0;
  for (std::size_t k = 0; k < z.size(); ++k) {
    real const t = (1 - smoothing) * targets[k] + smoothing / static_cast<int>(z.size());
    if (weights[k] * t != 0) s -= weights[k] * t * log_p[k];
  }
  return s;
}

/// The distribution of a label that is certain.
inline row one_hot(std::size_t classes, std::size_t label) {
  row t(classes);
  t[label] = 1;
  return t;
}

/// 1/(1 + exp(−z))
inline real sigmoid(real z) { return 1 / (1 + exp(-z)); }

/// Σ_k −w_k (P_k y_k log σ(z_k) + (1 − y_k) log(1 − σ(z_k))), −log σ(z) = softplus(−z). Source:
/// torch.nn.BCEWithLogitsLoss.
inline real binary_cross_entropy(row const& z, row const& y, row const& weights,
                                 row const& positive_weights) {
  real s = 0;
  for (std::size_t k = 0; k < z.size(); ++k)
    s += weights[k] * (positive_weights[k] * y[k] * softplus(-z[k]) + (1 - y[k]) * softplus(z[k]));
  return s;
}

// Divergences of two distributions ---------------------------------------------------------------------------------

/// KL(p‖q) + KL(q‖p). Source: Jeffreys, 1946.
inline real jeffreys(row const& p, row const& q) { return kullback_leibler(p, q) + kullback_leibler(q, p); }

/// 1 − Σ √(p q). Source: Hellinger, 1909.
inline real squared_hellinger(row const& p, row const& q) {
  real s = 1;
  for (std::size_t k = 0; k < p.size(); ++k) s -= sqrt(p[k] * q[k]);
  return s;
}

/// ½ Σ |p − q|
inline real total_variation(row const& p, row const& q) {
  real s = 0;
  for (std::size_t k = 0; k < p.size(); ++k) s += magnitude(p[k] - q[k]) / 2;
  return s;
}

/// −Σ p log q, 0 log 0 = 0
inline real soft_cross_entropy(row const& p, row const& q) {
  real s = 0;
  for (std::size_t k = 0; k < p.size(); ++k)
    if (p[k] != 0) s -= p[k] * log(q[k]);
  return s;
}

/// 1/HW Σ (ĉ − m)², ĉ = (c − min)/(max − min), c_hw = Σ_c w_c f_c,hw. Source: Boyd et al., CYBORG, WACV 2023.
inline real cam_alignment(row const& features, row const& weights, row const& map) {
  std::size_t const area = map.size();
  row cam(area);
  for (std::size_t c = 0; c < weights.size(); ++c)
    for (std::size_t j = 0; j < area; ++j) cam[j] += weights[c] * features[c * area + j];
  real low = cam[0], high = cam[0];
  for (real const x : cam) low = x < low ? x : low, high = x > high ? x : high;
  real s = 0;
  for (std::size_t j = 0; j < area; ++j) {
    real const error = (cam[j] - low) / (high - low) - map[j];
    s += error * error / static_cast<int>(area);
  }
  return s;
}

}  // namespace reference
