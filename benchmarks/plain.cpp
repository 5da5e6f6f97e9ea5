#include "provider.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

/// A plain loop: what one writes by hand, with the C library's functions, as the compiler leaves it. Narrow elements are
/// widened where they are read and rounded where they are stored; all else is in A, the type of the arithmetic.
namespace bench {

namespace {

template <class T, class A = arithmetic_t<T>>
A euclidean(T const* u, T const* v, index d, arithmetic_t<T> eps) {
  A s = 0;
  for (index j = 0; j < d; ++j) s += (A(u[j]) - A(v[j]) + eps) * (A(u[j]) - A(v[j]) + eps);
  return std::sqrt(s);
}

template <class T, class A = arithmetic_t<T>>
A triplet(tensors<T> const& t, bool wants_gradient) {
  index const n = t.inputs[0].rows, d = t.inputs[0].columns;
  A const eps = A(epsilon);
  A sum = 0;
  for (index i = 0; i < n; ++i) {
    T const *a = t.inputs[0].data + i * d, *p = t.inputs[1].data + i * d, *q = t.inputs[2].data + i * d;
    A const positive = euclidean(a, p, d, eps), negative = euclidean(a, q, d, eps),
            l = A(margin) + positive - negative;
    sum += std::max(l, A(0));
    if (!wants_gradient) continue;
    A const c = l >= 0 ? 1 / A(n) : A(0), c_p = c / positive, c_n = c / negative;
    T *d_a = t.outputs[0].data + i * d, *d_p = t.outputs[1].data + i * d, *d_n = t.outputs[2].data + i * d;
    for (index j = 0; j < d; ++j) {
      A const toward = c_p * (A(a[j]) - A(p[j]) + eps), away = c_n * (A(a[j]) - A(q[j]) + eps);
      d_a[j] = T(toward - away);
      d_p[j] = T(-toward);
      d_n[j] = T(away);
    }
  }
  return sum / A(n);
}

/// log softmax(z/T) of one row.
template <class T, class A = arithmetic_t<T>>
void log_softmax(T const* z, index k, arithmetic_t<T> scale, arithmetic_t<T>* out) {
  A const max = A(*std::max_element(z, z + k));
  A sum = 0;
  for (index j = 0; j < k; ++j) sum += std::exp((A(z[j]) - max) * scale);
  A const log_sum = std::log(sum);
  for (index j = 0; j < k; ++j) out[j] = (A(z[j]) - max) * scale - log_sum;
}

/// The gradients go to rows of O, which is T or, within the complete loss, A.
template <class T, class O, class A = arithmetic_t<T>>
A consistency(operand<T const> const& z, operand<T const> const& other, O* d_z, O* d_other) {
  index const n = z.rows, k = z.columns;
  A const scale = A(1 / temperature);
  std::vector<A> log_p(static_cast<std::size_t>(k)), log_q(log_p), p(log_p), q(log_p);
  A sum = 0;
  for (index i = 0; i < n; ++i) {
    log_softmax(z.data + i * k, k, scale, log_p.data());
    log_softmax(other.data + i * k, k, scale, log_q.data());
    A kl_p = 0, kl_q = 0;
    for (std::size_t j = 0; j < log_p.size(); ++j) {
      p[j] = std::exp(log_p[j]);
      q[j] = std::exp(log_q[j]);
      A const log_m = std::log((p[j] + q[j]) / 2);
      log_p[j] -= log_m;
      log_q[j] -= log_m;
      kl_p += p[j] * log_p[j];
      kl_q += q[j] * log_q[j];
    }
    sum += (kl_p + kl_q) / 2;
    if (d_z == nullptr) continue;
    A const c = scale / (2 * A(n));
    for (std::size_t j = 0; j < log_p.size(); ++j) {
      d_z[i * k + index(j)] = O(c * p[j] * (log_p[j] - kl_p));
      d_other[i * k + index(j)] = O(c * q[j] * (log_q[j] - kl_q));
    }
  }
  return sum / A(n);
}

template <class T, class O, class A = arithmetic_t<T>>
A cross_entropy(operand<T const> const& z, std::vector<std::int64_t> const& labels, O* d_z) {
  index const n = z.rows, k = z.columns;
  std::vector<A> log_p(static_cast<std::size_t>(k));
  A sum = 0;
  for (index i = 0; i < n; ++i) {
    auto const y = labels[std::size_t(i)];
    log_softmax(z.data + i * k, k, A(1), log_p.data());
    sum -= log_p[std::size_t(y)];
    if (d_z == nullptr) continue;
    for (index j = 0; j < k; ++j)
      d_z[i * k + j] = O((std::exp(log_p[std::size_t(j)]) - A(j == y ? 1 : 0)) / A(n));
  }
  return sum / A(n);
}

template <class T, class A = arithmetic_t<T>>
A norm_of(T const* u, index d) {
  A s = 0;
  for (index j = 0; j < d; ++j) s += A(u[j]) * A(u[j]);
  return std::sqrt(s);
}

/// The triplet loss of unit embeddings: rows are normalised into buffers, and gradients led back through the norm.
template <class T, class A = arithmetic_t<T>>
A unit_triplet(tensors<T> const& t, bool wants_gradient) {
  index const n = t.inputs[3].rows, d = t.inputs[3].columns;
  std::vector<A> unit[3], g[3];
  for (auto& u : unit) u.resize(std::size_t(d));
  for (auto& u : g) u.resize(std::size_t(d));
  A sum = 0;
  for (index i = 0; i < n; ++i) {
    A norm[3];
    for (std::size_t k = 0; k < 3; ++k) {
      T const* const u = t.inputs[3 + k].data + i * d;
      norm[k] = norm_of(u, d);
      for (index j = 0; j < d; ++j) unit[k][std::size_t(j)] = A(u[j]) / norm[k];
    }
    auto const &a = unit[0], &p = unit[1], &q = unit[2];
    A const positive = euclidean(a.data(), p.data(), d, A(0)),
            negative = euclidean(a.data(), q.data(), d, A(0)), l = A(margin) + positive - negative;
    sum += std::max(l, A(0));
    if (!wants_gradient) continue;
    A const c = l >= 0 ? 1 / A(n) : A(0), c_p = c / positive, c_n = c / negative;
    for (std::size_t j = 0; j < std::size_t(d); ++j) {
      g[1][j] = c_p * (p[j] - a[j]);
      g[2][j] = c_n * (a[j] - q[j]);
      g[0][j] = -g[1][j] - g[2][j];
    }
    for (std::size_t k = 0; k < 3; ++k) {
      A along = 0;
      for (std::size_t j = 0; j < std::size_t(d); ++j) along += unit[k][j] * g[k][j];
      T* const to = t.outputs[2 + k].data + i * d;
      for (std::size_t j = 0; j < std::size_t(d); ++j) to[j] = T((g[k][j] - unit[k][j] * along) / norm[k]);
    }
  }
  return sum / A(n);
}

/// The complete loss: one term after the other.
template <class T, class A = arithmetic_t<T>>
A complete(tensors<T> const& t, std::vector<std::int64_t> const& labels, bool wants_gradient) {
  auto const &z = t.inputs[0], &plus = t.inputs[1];
  if (!wants_gradient)
    return cross_entropy<T, T>(z, labels, nullptr) + cross_entropy<T, T>(plus, labels, nullptr) +
           consistency<T, T>(z, plus, nullptr, nullptr) + unit_triplet(t, false);
  std::vector<A> d_z(std::size_t(z.size())), d_plus(d_z);
  A const sum = cross_entropy(z, labels, t.outputs[0].data) + cross_entropy(plus, labels, t.outputs[1].data) +
                consistency(z, plus, d_z.data(), d_plus.data()) + unit_triplet(t, true);
  for (std::size_t j = 0; j < d_z.size(); ++j) {
    t.outputs[0].data[j] = T(A(t.outputs[0].data[j]) + d_z[j]);
    t.outputs[1].data[j] = T(A(t.outputs[1].data[j]) + d_plus[j]);
  }
  return sum;
}

/// Separable, one plane after the other, the border by a padded copy; then x⁺ and x⁻.
template <class T, class A = arithmetic_t<T>>
void blur_pair(tensors<T> const& t, workload const& w) {
  index const height = w.length, width = w.classes, radius = index(4 * w.sigma + 0.5);
  std::vector<A> weight;
  double total = 0;
  for (index k = -radius; k <= radius; ++k) total += std::exp(-double(k * k) / (2 * w.sigma * w.sigma));
  for (index k = -radius; k <= radius; ++k)
    weight.push_back(A(std::exp(-double(k * k) / (2 * w.sigma * w.sigma)) / total));
  auto const reflected = [](index i, index n) {
    while (i < 0 || i >= n) i = i < 0 ? -i : 2 * n - 2 - i;
    return i;
  };
  std::vector<A> padded(std::size_t(width + 2 * radius)), row(static_cast<std::size_t>(width));
  for (index plane = 0; plane < t.inputs[0].rows; ++plane) {
    T const *x = t.inputs[0].data + plane * height * width,
            *s = t.inputs[1].data + plane / w.channels * height * width;
    T *plus = t.outputs[0].data + plane * height * width, *minus = t.outputs[1].data + plane * height * width;
    for (index y = 0; y < height; ++y) {
      A* const middle = padded.data() + radius;
      std::fill(middle, middle + width, A(0));
      for (index k = -radius; k <= radius; ++k) {
        A const c = weight[std::size_t(k + radius)];
        T const* const from = x + reflected(y + k, height) * width;
        for (index j = 0; j < width; ++j) middle[j] += c * A(from[j]);
      }
      for (index j = 1; j <= radius; ++j) {
        middle[-j] = middle[reflected(-j, width)];
        middle[width - 1 + j] = middle[reflected(width - 1 + j, width)];
      }
      std::fill(row.begin(), row.end(), A(0));
      for (index k = 0; k <= 2 * radius; ++k)
        for (index j = 0; j < width; ++j)
          row[std::size_t(j)] += weight[std::size_t(k)] * padded[std::size_t(j + k)];
      for (index j = 0; j < width; ++j) {
        A const v = A(x[y * width + j]), m = A(s[y * width + j]), a = row[std::size_t(j)];
        plus[y * width + j] = T(m * v + (1 - m) * a);
        minus[y * width + j] = T((1 - m) * v + m * a);
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
  provider p{
      .name = "plain loop", .run = [&b, value](std::size_t s) {
        auto const& t = b.sets[s];
        bool const g = b.what.mode == mode::value_and_grad;
        switch (b.what.loss) {
          case loss::triplet:
            *value = double(triplet(t, g));
            break;
          case loss::consistency:
            *value = double(consistency<T, T>(t.inputs[0], t.inputs[1], g ? t.outputs[0].data : nullptr,
                                              g ? t.outputs[1].data : nullptr));
            break;
          case loss::cross_entropy:
            *value = double(cross_entropy<T, T>(t.inputs[0], b.labels, g ? t.outputs[0].data : nullptr));
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

#define INSTANTIATE(T) template void add_plain(providers&, batch<T>&);
INSTANTIATE(float)
INSTANTIATE(double)
SAGE_BENCH_NARROW_TYPES(INSTANTIATE)
#undef INSTANTIATE

}  // namespace bench
