#include "provider.hpp"

#include <Eigen/Core>

/// Straightforward Eigen: whole-matrix array expressions, temporaries where a value is used twice.
namespace bench {

namespace {

template <class T>
using array = Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using column = Eigen::Array<T, Eigen::Dynamic, 1>;
template <class T>
auto map(operand<T const> const& x) {
  return Eigen::Map<array<T> const>(x.data, x.rows, x.columns);
}
template <class T>
auto map(operand<T> const& x) {
  return Eigen::Map<array<T>>(x.data, x.rows, x.columns);
}

template <class T>
T triplet(tensors<T> const& t, bool wants_gradient) {
  array<T> const u = map(t.inputs[0]) - map(t.inputs[1]) + T(epsilon),
                 v = map(t.inputs[0]) - map(t.inputs[2]) + T(epsilon);
  column<T> const positive = u.square().rowwise().sum().sqrt(), negative = v.square().rowwise().sum().sqrt(),
                  l = T(margin) + positive - negative;
  if (wants_gradient) {
    column<T> const c = (l >= T(0)).template cast<T>() / T(l.size()), c_p = c / positive, c_n = c / negative;
    map(t.outputs[0]) = u.colwise() * c_p - v.colwise() * c_n;
    map(t.outputs[1]) = u.colwise() * -c_p;
    map(t.outputs[2]) = v.colwise() * c_n;
  }
  return l.max(T(0)).mean();
}

template <class T>
array<T> log_softmax(operand<T const> const& z, T scale) {
  array<T> const x = (map(z).colwise() - map(z).rowwise().maxCoeff().eval()) * scale;
  column<T> const log_sum = x.exp().rowwise().sum().log();
  return x.colwise() - log_sum;
}

template <class T>
T consistency(tensors<T> const& t, bool wants_gradient) {
  T const scale = T(1 / temperature);
  array<T> const log_p = log_softmax(t.inputs[0], scale), log_q = log_softmax(t.inputs[1], scale),
                 p = log_p.exp(), q = log_q.exp(), log_m = (T(0.5) * (p + q)).log(), log_pm = log_p - log_m,
                 log_qm = log_q - log_m;
  column<T> const kl_p = (p * log_pm).rowwise().sum(), kl_q = (q * log_qm).rowwise().sum();
  if (wants_gradient) {
    T const c = scale / (2 * T(p.rows()));
    map(t.outputs[0]) = c * p * (log_pm.colwise() - kl_p);
    map(t.outputs[1]) = c * q * (log_qm.colwise() - kl_q);
  }
  return (T(0.5) * (kl_p + kl_q)).mean();
}

template <class T>
T cross_entropy(operand<T const> const& z, std::vector<std::int64_t> const& labels, operand<T> const* d_z) {
  array<T> const log_p = log_softmax(z, T(1));
  auto const n = log_p.rows();
  T sum = 0;
  for (Eigen::Index i = 0; i < n; ++i) sum -= log_p(i, labels[std::size_t(i)]);
  if (d_z != nullptr) {
    auto g = map(*d_z);
    g = log_p.exp() / T(n);
    for (Eigen::Index i = 0; i < n; ++i) g(i, labels[std::size_t(i)]) -= 1 / T(n);
  }
  return sum / T(n);
}

/// The triplet loss of unit embeddings, its gradients led back through the norms.
template <class T>
T unit_triplet(tensors<T> const& t, bool wants_gradient) {
  column<T> norm[3];
  array<T> unit[3];
  for (std::size_t k = 0; k < 3; ++k) {
    norm[k] = map(t.inputs[3 + k]).square().rowwise().sum().sqrt();
    unit[k] = map(t.inputs[3 + k]).colwise() / norm[k];
  }
  array<T> const u = unit[0] - unit[1], v = unit[0] - unit[2];
  column<T> const positive = u.square().rowwise().sum().sqrt(), negative = v.square().rowwise().sum().sqrt(),
                  l = T(margin) + positive - negative;
  if (wants_gradient) {
    column<T> const c = (l >= T(0)).template cast<T>() / T(l.size());
    array<T> g[3];
    g[1] = u.colwise() * (-c / positive);
    g[2] = v.colwise() * (c / negative);
    g[0] = -g[1] - g[2];
    for (std::size_t k = 0; k < 3; ++k) {
      column<T> const along = (unit[k] * g[k]).rowwise().sum();
      map(t.outputs[2 + k]) = (g[k] - unit[k].colwise() * along).colwise() / norm[k];
    }
  }
  return l.max(T(0)).mean();
}

/// The complete loss: one term after the other.
template <class T>
T complete(tensors<T> const& t, std::vector<std::int64_t> const& labels, bool wants_gradient) {
  T sum = unit_triplet(t, wants_gradient);
  for (std::size_t k = 0; k < 2; ++k)
    sum += cross_entropy(t.inputs[k], labels, wants_gradient ? &t.outputs[k] : nullptr);
  if (!wants_gradient) return sum + consistency(t, false);
  auto const &z = t.inputs[0], &plus = t.inputs[1];
  array<T> d_z(z.rows, z.columns), d_plus(z.rows, z.columns);
  sum += consistency<T>({{z, plus}, {{d_z.data(), z.rows, z.columns}, {d_plus.data(), z.rows, z.columns}}},
                        true);
  map(t.outputs[0]) += d_z;
  map(t.outputs[1]) += d_plus;
  return sum;
}

/// A plane with its reflection about the last pixel on all sides: (H+2r, W+2r).
template <class T>
array<T> reflected(Eigen::Map<array<T> const> const& x, Eigen::Index r) {
  auto const h = x.rows(), w = x.cols();
  array<T> padded(h + 2 * r, w + 2 * r);
  padded.block(r, r, h, w) = x;
  padded.block(0, r, r, w) = x.middleRows(1, r).colwise().reverse();
  padded.block(r + h, r, r, w) = x.middleRows(h - 1 - r, r).colwise().reverse();
  padded.leftCols(r) = padded.middleCols(r + 1, r).rowwise().reverse();
  padded.rightCols(r) = padded.middleCols(w - 1, r).rowwise().reverse();
  return padded;
}

/// Plane by plane: a padded copy, a pass along the columns, one along the rows, and the two images.
template <class T>
void blur_pair(tensors<T> const& t, workload const& w) {
  index const height = w.length, width = w.classes, pixels = height * width;
  auto const radius = Eigen::Index(4 * w.sigma + 0.5);
  column<T> weight = column<T>::LinSpaced(2 * radius + 1, T(-radius), T(radius));
  weight = (weight.square() * T(-0.5 / (w.sigma * w.sigma))).exp();
  weight /= weight.sum();
  array<T> rows(height, width + 2 * radius), a(height, width);
  for (index plane = 0; plane < t.inputs[0].rows; ++plane) {
    operand<T const> const image{t.inputs[0].data + plane * pixels, height, width},
        mask{t.inputs[1].data + plane / w.channels * pixels, height, width};
    auto const x = map(image), s = map(mask);
    array<T> const padded = reflected<T>(x, radius);
    rows.setZero();
    a.setZero();
    for (Eigen::Index k = 0; k <= 2 * radius; ++k) rows += weight(k) * padded.middleRows(k, height);
    for (Eigen::Index k = 0; k <= 2 * radius; ++k) a += weight(k) * rows.middleCols(k, width);
    map(operand<T>{t.outputs[0].data + plane * pixels, height, width}) = s * x + (1 - s) * a;
    map(operand<T>{t.outputs[1].data + plane * pixels, height, width}) = (1 - s) * x + s * a;
  }
}

}  // namespace

template <class T>
void add_eigen(providers& list, batch<T>& b) {
  workload const& w = b.what;
  if (w.mode == mode::backward || !w.family.empty()) return;
  if (w.loss == loss::blur_pair) {
    list.push_back({.name = "Eigen", .run = [&b](std::size_t s) { blur_pair(b.sets[s], b.what); }});
    return;
  }
  auto const value = std::make_shared<double>(0);
  list.push_back({.name = "Eigen",
                  .run =
                      [&b, value](std::size_t s) {
                        auto const& t = b.sets[s];
                        bool const g = b.what.mode == mode::value_and_grad;
                        *value =
                            double(b.what.loss == loss::triplet       ? triplet(t, g)
                                   : b.what.loss == loss::consistency ? consistency(t, g)
                                   : b.what.loss == loss::sage
                                       ? complete(t, b.labels, g)
                                       : cross_entropy(t.inputs[0], b.labels, g ? &t.outputs[0] : nullptr));
                      },
                  .value = [value] { return *value; }});
}

template void add_eigen(providers&, batch<float>&);
template void add_eigen(providers&, batch<double>&);

}  // namespace bench
