#include "reference.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace bench {

namespace {

using row = std::vector<double>;

row log_softmax(double const* z, index k) {
  double const max = *std::max_element(z, z + k);
  double sum = 0;
  for (index j = 0; j < k; ++j) sum += std::exp((z[j] - max) / temperature);
  row r(static_cast<std::size_t>(k));
  for (index j = 0; j < k; ++j) r[std::size_t(j)] = (z[j] - max) / temperature - std::log(sum);
  return r;
}

/// JS of two rows of logits, added to their gradients with a factor.
double consistency(double const* z, double const* other, index k, double factor, double* d_z,
                   double* d_other) {
  row const log_p = log_softmax(z, k), log_q = log_softmax(other, k);
  row log_pm(log_p), log_qm(log_q);
  double kl_p = 0, kl_q = 0;
  for (std::size_t j = 0; j < log_p.size(); ++j) {
    double const p = std::exp(log_p[j]), q = std::exp(log_q[j]), log_m = std::log((p + q) / 2);
    log_pm[j] -= log_m;
    log_qm[j] -= log_m;
    kl_p += p * log_pm[j];
    kl_q += q * log_qm[j];
  }
  for (std::size_t j = 0; j < log_p.size(); ++j) {
    d_z[j] += factor / (2 * temperature) * std::exp(log_p[j]) * (log_pm[j] - kl_p);
    d_other[j] += factor / (2 * temperature) * std::exp(log_q[j]) * (log_qm[j] - kl_q);
  }
  return (kl_p + kl_q) / 2;
}

double cross_entropy(double const* z, index k, std::int64_t label, double factor, double* d_z) {
  double const max = *std::max_element(z, z + k);
  double sum = 0;
  for (index j = 0; j < k; ++j) sum += std::exp(z[j] - max);
  for (index j = 0; j < k; ++j) d_z[j] += factor * (std::exp(z[j] - max) / sum - (j == label ? 1 : 0));
  return std::log(sum) - (z[label] - max);
}

/// Adds factor · ∂‖u − v + eps‖ to the gradients.
void euclidean_gradient(row const& u, row const& v, double eps, double distance, double factor, row& d_u,
                        row& d_v) {
  for (std::size_t j = 0; j < u.size(); ++j) {
    double const g = factor * (u[j] - v[j] + eps) / distance;
    d_u[j] += g;
    d_v[j] -= g;
  }
}

double euclidean(row const& u, row const& v, double eps) {
  double s = 0;
  for (std::size_t j = 0; j < u.size(); ++j) s += (u[j] - v[j] + eps) * (u[j] - v[j] + eps);
  return std::sqrt(s);
}

double triplet(row const& a, row const& p, row const& n, double eps, double factor, row& d_a, row& d_p,
               row& d_n) {
  double const positive = euclidean(a, p, eps), negative = euclidean(a, n, eps),
               l = margin + positive - negative;
  if (l < 0) return 0;
  euclidean_gradient(a, p, eps, positive, factor, d_a, d_p);
  euclidean_gradient(a, n, eps, negative, -factor, d_a, d_n);
  return l;
}

row normalized(row u) {
  double const norm = euclidean(u, row(u.size()), 0);
  for (double& x : u) x /= norm;
  return u;
}

/// From the gradient at u/‖u‖ to that at u: (g − û (û·g))/‖u‖, added to `to`.
void through_normalization(row const& u, row const& g, double* to) {
  row const unit = normalized(u);
  double const norm = euclidean(u, row(u.size()), 0);
  double along = 0;
  for (std::size_t j = 0; j < u.size(); ++j) along += unit[j] * g[j];
  for (std::size_t j = 0; j < u.size(); ++j) to[j] += (g[j] - unit[j] * along) / norm;
}

struct problem {
  workload const& what;
  std::vector<std::vector<double>> x;
  std::vector<std::int64_t> const& labels;

  double const* at(std::size_t k, index i, index columns) const { return x[k].data() + i * columns; }
  row row_at(std::size_t k, index i, index columns) const {
    return row(at(k, i, columns), at(k, i, columns) + columns);
  }
};

/// Σ w x around each position, at first along the columns, then along the rows; beyond the edge the image is
/// reflected about its last pixel. Radius 4σ.
std::vector<double> blurred(std::vector<double> const& x, index planes, index h, index w, double sigma) {
  index const radius = index(4 * sigma + 0.5);
  row weight;
  double total = 0;
  for (index k = -radius; k <= radius; ++k) {
    weight.push_back(std::exp(-double(k * k) / (2 * sigma * sigma)));
    total += weight.back();
  }
  for (double& v : weight) v /= total;
  auto const reflected = [](index i, index n) {
    while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
    return i;
  };
  std::vector<double> rows(x.size()), r(x.size());
  for (index p = 0; p < planes; ++p) {
    double const* const in = x.data() + p * h * w;
    double *const middle = rows.data() + p * h * w, *const out = r.data() + p * h * w;
    for (index y = 0; y < h; ++y)
      for (index k = -radius; k <= radius; ++k) {
        double const c = weight[std::size_t(k + radius)];
        double const* const from = in + reflected(y + k, h) * w;
        for (index j = 0; j < w; ++j) middle[y * w + j] += c * from[j];
      }
    row padded(std::size_t(w + 2 * radius));
    for (index y = 0; y < h; ++y) {
      for (index j = -radius; j < w + radius; ++j)
        padded[std::size_t(j + radius)] = middle[y * w + reflected(j, w)];
      for (index k = 0; k <= 2 * radius; ++k)
        for (index j = 0; j < w; ++j) out[y * w + j] += weight[std::size_t(k)] * padded[std::size_t(j + k)];
    }
  }
  return r;
}

answer blur_pair(problem const& p) {
  auto const& w = p.what;
  answer r;
  index const pixels = w.length * w.classes;
  auto const a = blurred(p.x[0], w.rows * w.channels, w.length, w.classes, w.sigma);
  r.outputs.assign(3, a);
  for (index n = 0; n < w.rows; ++n)
    for (index c = 0; c < w.channels; ++c)
      for (index i = 0; i < pixels; ++i) {
        auto const at = std::size_t((n * w.channels + c) * pixels + i);
        double const s = p.x[1][std::size_t(n * pixels + i)];
        r.outputs[0][at] = s * p.x[0][at] + (1 - s) * a[at];
        r.outputs[1][at] = (1 - s) * p.x[0][at] + s * a[at];
      }
  return r;
}

/// Mean over the rows, and its gradients.
answer evaluated(problem const& p) {
  auto const& w = p.what;
  if (w.loss == loss::blur_pair) return blur_pair(p);
  answer r;
  for (std::size_t k = 0; k < p.x.size(); ++k)
    if (!(w.loss == loss::sage && k == 2)) r.outputs.emplace_back(p.x[k].size());
  double const factor = 1.0 / double(w.rows);
  index const d = w.length, k = w.classes;
  auto const out = [&](std::size_t o, index i, index columns) { return r.outputs[o].data() + i * columns; };
  double sum = 0;
  for (index i = 0; i < w.rows; ++i) {
    if (w.loss == loss::triplet) {
      row g[3] = {row(std::size_t(d)), row(std::size_t(d)), row(std::size_t(d))};
      sum +=
          triplet(p.row_at(0, i, d), p.row_at(1, i, d), p.row_at(2, i, d), epsilon, factor, g[0], g[1], g[2]);
      for (std::size_t o = 0; o < 3; ++o) std::copy(g[o].begin(), g[o].end(), out(o, i, d));
    } else if (w.loss == loss::consistency) {
      sum += consistency(p.at(0, i, k), p.at(1, i, k), k, factor, out(0, i, k), out(1, i, k));
    } else if (w.loss == loss::cross_entropy) {
      sum += cross_entropy(p.at(0, i, k), k, p.labels[std::size_t(i)], factor, out(0, i, k));
    } else {
      auto const label = p.labels[std::size_t(i)];
      sum += cross_entropy(p.at(0, i, k), k, label, factor, out(0, i, k));
      sum += cross_entropy(p.at(1, i, k), k, label, factor, out(1, i, k));
      sum += consistency(p.at(0, i, k), p.at(1, i, k), k, factor, out(0, i, k), out(1, i, k));
      row const e[3] = {p.row_at(3, i, d), p.row_at(4, i, d), p.row_at(5, i, d)};
      row g[3] = {row(e[0].size()), row(e[0].size()), row(e[0].size())};
      sum += triplet(normalized(e[0]), normalized(e[1]), normalized(e[2]), 0, factor, g[0], g[1], g[2]);
      for (std::size_t v = 0; v < 3; ++v) through_normalization(e[v], g[v], out(2 + v, i, d));
    }
  }
  r.value = sum * factor;
  return r;
}

template <class T>
problem problem_of(batch<T> const& b) {
  problem p{b.what, {}, b.labels};
  for (auto const& x : b.sets[0].inputs) {
    p.x.emplace_back();
    for (index i = 0; i < x.size(); ++i) p.x.back().push_back(double(x.data[i]));
  }
  return p;
}

}  // namespace

template <class T>
answer reference_answer(batch<T> const& b) {
  return evaluated(problem_of(b));
}

double gradient_error(loss which) {
  workload const w = rows_of(which, mode::value_and_grad, 6, 7, 5);
  batch<double> const b(w, 1);
  problem p = problem_of(b);
  auto const gradient = evaluated(p).outputs;
  std::mt19937 bits(3);
  std::normal_distribution<double> normal;
  auto const start = p.x;
  std::vector<std::vector<double>> direction;
  double expected = 0;
  for (std::size_t k = 0, o = 0; k < start.size(); ++k) {
    direction.emplace_back(start[k].size());
    if (which == loss::sage && k == 2) continue;
    for (std::size_t i = 0; i < start[k].size(); ++i) {
      direction[k][i] = normal(bits);
      expected += direction[k][i] * gradient[o][i];
    }
    ++o;
  }
  auto const value_at = [&](double h) {
    for (std::size_t k = 0; k < start.size(); ++k)
      for (std::size_t i = 0; i < start[k].size(); ++i) p.x[k][i] = start[k][i] + h * direction[k][i];
    return evaluated(p).value;
  };
  double const h = 1e-5, slope = (value_at(h) - value_at(-h)) / (2 * h);
  return std::abs(slope - expected) / std::abs(expected);
}

template <class T>
std::string disagreement(answer const& expected, batch<T> const& b, double const* value,
                         std::vector<std::size_t> const& outputs) {
  using traits = element_traits<T>;
  double const tolerance = is_narrow<T> ? 4 * traits::epsilon : sizeof(T) == 4 ? 1e-4 : 1e-9;
  if (value != nullptr) {
    double const error = std::abs(*value - expected.value) / std::abs(expected.value);
    if (!(error < tolerance))
      return "value " + std::to_string(*value) + ", expected " + std::to_string(expected.value);
  }
  for (std::size_t const k : outputs) {
    auto const& got = b.sets[0].outputs[k];
    double difference = 0, norm = 0;
    for (index i = 0; i < got.size(); ++i) {
      double const e = expected.outputs[k][std::size_t(i)], d = double(got.data[i]) - e;
      difference += d * d;
      norm += e * e;
    }
    double const steps = 0.5 * traits::smallest_step * std::sqrt(double(got.size()));
    if (!(std::sqrt(difference) < tolerance * std::sqrt(norm) + steps))
      return "output " + std::to_string(k) + " has a relative error of " +
             std::to_string(std::sqrt(difference / norm));
  }
  return "";
}

#define INSTANTIATE(T)                                                             \
  template answer reference_answer(batch<T> const&);                               \
  template std::string disagreement(answer const&, batch<T> const&, double const*, \
                                    std::vector<std::size_t> const&);
INSTANTIATE(float)
INSTANTIATE(double)
SAGE_BENCH_NARROW_TYPES(INSTANTIATE)
#undef INSTANTIATE

}  // namespace bench
