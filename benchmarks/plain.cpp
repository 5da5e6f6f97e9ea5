#include "provider.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// A plain loop: what one writes by hand, in float, with the C library's functions, as the compiler leaves it.
namespace bench {

namespace {

template <class T>
T euclidean(T const* u, T const* v, index d, T eps) {
  T s = 0;
  for (index j = 0; j < d; ++j) s += (u[j] - v[j] + eps) * (u[j] - v[j] + eps);
  return std::sqrt(s);
}

template <class T>
T triplet(tensors<T> const& t, bool wants_gradient) {
  index const n = t.inputs[0].rows, d = t.inputs[0].columns;
  T const eps = T(epsilon);
  T sum = 0;
  for (index i = 0; i < n; ++i) {
    T const *a = t.inputs[0].data + i * d, *p = t.inputs[1].data + i * d, *q = t.inputs[2].data + i * d;
    T const positive = euclidean(a, p, d, eps), negative = euclidean(a, q, d, eps),
            l = T(margin) + positive - negative;
    sum += std::max(l, T(0));
    if (!wants_gradient) continue;
    T const c = l >= 0 ? 1 / T(n) : T(0), c_p = c / positive, c_n = c / negative;
    T *d_a = t.outputs[0].data + i * d, *d_p = t.outputs[1].data + i * d, *d_n = t.outputs[2].data + i * d;
    for (index j = 0; j < d; ++j) {
      T const toward = c_p * (a[j] - p[j] + eps), away = c_n * (a[j] - q[j] + eps);
      d_a[j] = toward - away;
      d_p[j] = -toward;
      d_n[j] = away;
    }
  }
  return sum / T(n);
}

/// log softmax(z/T) of one row.
template <class T>
void log_softmax(T const* z, index k, T scale, T* out) {
  T const max = *std::max_element(z, z + k);
  T sum = 0;
  for (index j = 0; j < k; ++j) sum += std::exp((z[j] - max) * scale);
  T const log_sum = std::log(sum);
  for (index j = 0; j < k; ++j) out[j] = (z[j] - max) * scale - log_sum;
}

template <class T>
T consistency(operand<T const> const& z, operand<T const> const& other, T* d_z, T* d_other) {
  index const n = z.rows, k = z.columns;
  T const scale = T(1 / temperature);
  std::vector<T> log_p(static_cast<std::size_t>(k)), log_q(log_p), p(log_p), q(log_p);
  T sum = 0;
  for (index i = 0; i < n; ++i) {
    log_softmax(z.data + i * k, k, scale, log_p.data());
    log_softmax(other.data + i * k, k, scale, log_q.data());
    T kl_p = 0, kl_q = 0;
    for (std::size_t j = 0; j < log_p.size(); ++j) {
      p[j] = std::exp(log_p[j]);
      q[j] = std::exp(log_q[j]);
      T const log_m = std::log((p[j] + q[j]) / 2);
      log_p[j] -= log_m;
      log_q[j] -= log_m;
      kl_p += p[j] * log_p[j];
      kl_q += q[j] * log_q[j];
    }
    sum += (kl_p + kl_q) / 2;
    if (d_z == nullptr) continue;
    T const c = scale / (2 * T(n));
    for (std::size_t j = 0; j < log_p.size(); ++j) {
      d_z[i * k + index(j)] = c * p[j] * (log_p[j] - kl_p);
      d_other[i * k + index(j)] = c * q[j] * (log_q[j] - kl_q);
    }
  }
  return sum / T(n);
}

template <class T>
T cross_entropy(operand<T const> const& z, std::vector<std::int64_t> const& labels, T* d_z) {
  index const n = z.rows, k = z.columns;
  std::vector<T> log_p(static_cast<std::size_t>(k));
  T sum = 0;
  for (index i = 0; i < n; ++i) {
    auto const y = labels[std::size_t(i)];
    log_softmax(z.data + i * k, k, T(1), log_p.data());
    sum -= log_p[std::size_t(y)];
    if (d_z == nullptr) continue;
    for (index j = 0; j < k; ++j)
      d_z[i * k + j] = (std::exp(log_p[std::size_t(j)]) - T(j == y ? 1 : 0)) / T(n);
  }
  return sum / T(n);
}

template <class T>
T norm_of(T const* u, index d) {
  T s = 0;
  for (index j = 0; j < d; ++j) s += u[j] * u[j];
  return std::sqrt(s);
}

/// The triplet loss of unit embeddings: rows are normalised into buffers, and gradients led back through the norm.
template <class T>
T unit_triplet(tensors<T> const& t, bool wants_gradient) {
  index const n = t.inputs[3].rows, d = t.inputs[3].columns;
  std::vector<T> unit[3], g[3];
  for (auto& u : unit) u.resize(std::size_t(d));
  for (auto& u : g) u.resize(std::size_t(d));
  T sum = 0;
  for (index i = 0; i < n; ++i) {
    T norm[3];
    for (std::size_t k = 0; k < 3; ++k) {
      T const* const u = t.inputs[3 + k].data + i * d;
      norm[k] = norm_of(u, d);
      for (index j = 0; j < d; ++j) unit[k][std::size_t(j)] = u[j] / norm[k];
    }
    auto const &a = unit[0], &p = unit[1], &q = unit[2];
    T const positive = euclidean(a.data(), p.data(), d, T(0)),
            negative = euclidean(a.data(), q.data(), d, T(0)), l = T(margin) + positive - negative;
    sum += std::max(l, T(0));
    if (!wants_gradient) continue;
    T const c = l >= 0 ? 1 / T(n) : T(0), c_p = c / positive, c_n = c / negative;
    for (std::size_t j = 0; j < std::size_t(d); ++j) {
      g[1][j] = c_p * (p[j] - a[j]);
      g[2][j] = c_n * (a[j] - q[j]);
      g[0][j] = -g[1][j] - g[2][j];
    }
    for (std::size_t k = 0; k < 3; ++k) {
      T along = 0;
      for (std::size_t j = 0; j < std::size_t(d); ++j) along += unit[k][j] * g[k][j];
      T* const to = t.outputs[2 + k].data + i * d;
      for (std::size_t j = 0; j < std::size_t(d); ++j) to[j] = (g[k][j] - unit[k][j] * along) / norm[k];
    }
  }
  return sum / T(n);
}

/// The complete loss: one term after the other.
template <class T>
T complete(tensors<T> const& t, std::vector<std::int64_t> const& labels, bool wants_gradient) {
  auto const &z = t.inputs[0], &plus = t.inputs[1];
  if (!wants_gradient)
    return cross_entropy<T>(z, labels, nullptr) + cross_entropy<T>(plus, labels, nullptr) +
           consistency<T>(z, plus, nullptr, nullptr) + unit_triplet(t, false);
  std::vector<T> d_z(std::size_t(z.size())), d_plus(d_z);
  T const sum = cross_entropy(z, labels, t.outputs[0].data) + cross_entropy(plus, labels, t.outputs[1].data) +
                consistency(z, plus, d_z.data(), d_plus.data()) + unit_triplet(t, true);
  for (std::size_t j = 0; j < d_z.size(); ++j) {
    t.outputs[0].data[j] += d_z[j];
    t.outputs[1].data[j] += d_plus[j];
  }
  return sum;
}

/// Separable, one plane after the other, the border by a padded copy; then x⁺ and x⁻.
template <class T>
void blur_pair(tensors<T> const& t, workload const& w) {
  index const height = w.length, width = w.classes, radius = index(4 * w.sigma + 0.5);
  std::vector<T> weight;
  double total = 0;
  for (index k = -radius; k <= radius; ++k) total += std::exp(-double(k * k) / (2 * w.sigma * w.sigma));
  for (index k = -radius; k <= radius; ++k)
    weight.push_back(T(std::exp(-double(k * k) / (2 * w.sigma * w.sigma)) / total));
  auto const reflected = [](index i, index n) {
    while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
    return i;
  };
  std::vector<T> padded(std::size_t(width + 2 * radius)), row(static_cast<std::size_t>(width));
  for (index plane = 0; plane < t.inputs[0].rows; ++plane) {
    T const *x = t.inputs[0].data + plane * height * width,
            *s = t.inputs[1].data + plane / w.channels * height * width;
    T *plus = t.outputs[0].data + plane * height * width, *minus = t.outputs[1].data + plane * height * width;
    for (index y = 0; y < height; ++y) {
      T* const middle = padded.data() + radius;
      std::fill(middle, middle + width, T(0));
      for (index k = -radius; k <= radius; ++k) {
        T const c = weight[std::size_t(k + radius)];
        T const* const from = x + reflected(y + k, height) * width;
        for (index j = 0; j < width; ++j) middle[j] += c * from[j];
      }
      for (index j = 1; j <= radius; ++j) {
        middle[-j] = middle[reflected(-j, width)];
        middle[width - 1 + j] = middle[reflected(width - 1 + j, width)];
      }
      std::fill(row.begin(), row.end(), T(0));
      for (index k = 0; k <= 2 * radius; ++k)
        for (index j = 0; j < width; ++j)
          row[std::size_t(j)] += weight[std::size_t(k)] * padded[std::size_t(j + k)];
      for (index j = 0; j < width; ++j) {
        T const v = x[y * width + j], m = s[y * width + j], a = row[std::size_t(j)];
        plus[y * width + j] = m * v + (1 - m) * a;
        minus[y * width + j] = (1 - m) * v + m * a;
      }
    }
  }
}

}  // namespace

template <class T>
void add_plain(providers& list, batch<T>& b) {
  workload const& w = b.what;
  if (w.mode == mode::backward || !w.family.empty()) return;
  auto const value = std::make_shared<double>(0);
  provider p{.name = "plain loop", .run = [&b, value](std::size_t s) {
               auto const& t = b.sets[s];
               bool const g = b.what.mode == mode::value_and_grad;
               switch (b.what.loss) {
                 case loss::triplet:
                   *value = double(triplet(t, g));
                   break;
                 case loss::consistency:
                   *value = double(consistency(t.inputs[0], t.inputs[1], g ? t.outputs[0].data : nullptr,
                                               g ? t.outputs[1].data : nullptr));
                   break;
                 case loss::cross_entropy:
                   *value = double(cross_entropy(t.inputs[0], b.labels, g ? t.outputs[0].data : nullptr));
                   break;
                 case loss::blur_pair:
                   blur_pair(t, b.what);
                   break;
                 case loss::sage:
                   *value = double(complete(t, b.labels, g));
                   break;
               }
             }};
  if (w.loss != loss::blur_pair) p.value = [value] { return *value; };
  list.push_back(std::move(p));
}

template void add_plain(providers&, batch<float>&);
template void add_plain(providers&, batch<double>&);

}  // namespace bench
