#include "provider.hpp"

#if __has_include(<xtensor/containers/xadapt.hpp>)  // from 0.26 on
#include <xtensor/containers/xadapt.hpp>
#include <xtensor/containers/xtensor.hpp>
#include <xtensor/core/xmath.hpp>
#include <xtensor/core/xnoalias.hpp>
#include <xtensor/views/xview.hpp>
#else
#include <xtensor/xadapt.hpp>
#include <xtensor/xmath.hpp>
#include <xtensor/xnoalias.hpp>
#include <xtensor/xtensor.hpp>
#include <xtensor/xview.hpp>
#endif

#include <array>

/// Straightforward xtensor: broadcast expressions, temporaries where a value is used twice.
namespace bench {

namespace {

template <class T>
using matrix = xt::xtensor<T, 2>;
template <class T>
using column = xt::xtensor<T, 1>;
template <class T>
auto adapt(operand<T> const& x) {
  std::array<std::size_t, 2> const shape{std::size_t(x.rows), std::size_t(x.columns)};
  return xt::adapt(x.data, std::size_t(x.size()), xt::no_ownership(), shape);
}
/// (N) as (N,1), to be broadcast along rows.
template <class T>
auto broadcast(column<T> const& c) {
  return xt::view(c, xt::all(), xt::newaxis());
}

template <class T>
T triplet(tensors<T> const& t, bool wants_gradient) {
  auto const a = adapt(t.inputs[0]), p = adapt(t.inputs[1]), n = adapt(t.inputs[2]);
  matrix<T> const u = a - p + T(epsilon), v = a - n + T(epsilon);
  column<T> const positive = xt::sqrt(xt::sum(xt::square(u), {1})),
                  negative = xt::sqrt(xt::sum(xt::square(v), {1})), l = T(margin) + positive - negative;
  if (wants_gradient) {
    column<T> const c = xt::where(l >= T(0), 1 / T(l.size()), T(0)), c_p = c / positive, c_n = c / negative;
    auto d_a = adapt(t.outputs[0]), d_p = adapt(t.outputs[1]), d_n = adapt(t.outputs[2]);
    xt::noalias(d_a) = u * broadcast<T>(c_p) - v * broadcast<T>(c_n);
    xt::noalias(d_p) = -u * broadcast<T>(c_p);
    xt::noalias(d_n) = v * broadcast<T>(c_n);
  }
  return xt::mean(xt::maximum(l, T(0)))();
}

template <class T>
matrix<T> log_softmax(operand<T const> const& logits, T scale) {
  auto const z = adapt(logits);
  column<T> const max = xt::amax(z, {1});
  matrix<T> const x = (z - broadcast<T>(max)) * scale;
  column<T> const log_sum = xt::log(xt::sum(xt::exp(x), {1}));
  return x - broadcast<T>(log_sum);
}

template <class T>
T consistency(tensors<T> const& t, bool wants_gradient) {
  T const scale = T(1 / temperature);
  matrix<T> const log_p = log_softmax(t.inputs[0], scale), log_q = log_softmax(t.inputs[1], scale),
                  p = xt::exp(log_p), q = xt::exp(log_q), log_m = xt::log(T(0.5) * (p + q)),
                  log_pm = log_p - log_m, log_qm = log_q - log_m;
  column<T> const kl_p = xt::sum(p * log_pm, {1}), kl_q = xt::sum(q * log_qm, {1});
  if (wants_gradient) {
    T const c = scale / (2 * T(t.inputs[0].rows));
    auto d_z = adapt(t.outputs[0]), d_other = adapt(t.outputs[1]);
    xt::noalias(d_z) = c * p * (log_pm - broadcast<T>(kl_p));
    xt::noalias(d_other) = c * q * (log_qm - broadcast<T>(kl_q));
  }
  return xt::mean(T(0.5) * (kl_p + kl_q))();
}

template <class T>
T cross_entropy(operand<T const> const& z, std::vector<std::int64_t> const& labels, operand<T> const* d_z) {
  matrix<T> const log_p = log_softmax(z, T(1));
  T const n = T(z.rows);
  T sum = 0;
  for (std::size_t i = 0; i < labels.size(); ++i) sum -= log_p(i, std::size_t(labels[i]));
  if (d_z != nullptr) {
    auto g = adapt(*d_z);
    xt::noalias(g) = xt::exp(log_p) / n;
    for (std::size_t i = 0; i < labels.size(); ++i) g(i, std::size_t(labels[i])) -= 1 / n;
  }
  return sum / n;
}

/// The triplet loss of unit embeddings, its gradients led back through the norms.
template <class T>
T unit_triplet(tensors<T> const& t, bool wants_gradient) {
  column<T> norm[3];
  matrix<T> unit[3];
  for (std::size_t k = 0; k < 3; ++k) {
    auto const e = adapt(t.inputs[3 + k]);
    norm[k] = xt::sqrt(xt::sum(xt::square(e), {1}));
    unit[k] = e / broadcast<T>(norm[k]);
  }
  matrix<T> const u = unit[0] - unit[1], v = unit[0] - unit[2];
  column<T> const positive = xt::sqrt(xt::sum(xt::square(u), {1})),
                  negative = xt::sqrt(xt::sum(xt::square(v), {1})), l = T(margin) + positive - negative;
  if (wants_gradient) {
    column<T> const c = xt::where(l >= T(0), 1 / T(l.size()), T(0)), c_p = c / positive, c_n = c / negative;
    matrix<T> g[3];
    g[1] = -u * broadcast<T>(c_p);
    g[2] = v * broadcast<T>(c_n);
    g[0] = -g[1] - g[2];
    for (std::size_t k = 0; k < 3; ++k) {
      column<T> const along = xt::sum(unit[k] * g[k], {1});
      auto to = adapt(t.outputs[2 + k]);
      xt::noalias(to) = (g[k] - unit[k] * broadcast<T>(along)) / broadcast<T>(norm[k]);
    }
  }
  return xt::mean(xt::maximum(l, T(0)))();
}

/// The complete loss: one term after the other.
template <class T>
T complete(tensors<T> const& t, std::vector<std::int64_t> const& labels, bool wants_gradient) {
  T sum = unit_triplet(t, wants_gradient);
  for (std::size_t k = 0; k < 2; ++k)
    sum += cross_entropy(t.inputs[k], labels, wants_gradient ? &t.outputs[k] : nullptr);
  if (!wants_gradient) return sum + consistency(t, false);
  auto const &z = t.inputs[0], &plus = t.inputs[1];
  std::vector<T> d_z(std::size_t(z.size())), d_plus(d_z);
  tensors<T> const term{{z, plus}, {{d_z.data(), z.rows, z.columns}, {d_plus.data(), z.rows, z.columns}}};
  sum += consistency(term, true);
  for (std::size_t k = 0; k < 2; ++k) {
    auto g = adapt(t.outputs[k]);
    xt::noalias(g) += adapt(term.outputs[k]);
  }
  return sum;
}

/// The numbers of n lines and of r more on each side, which reflect them about the first and the last. (xt::pad with
/// pad_mode::reflect throws, in xtensor 0.24.)
auto reflected(std::ptrdiff_t n, std::ptrdiff_t r) {
  std::vector<std::ptrdiff_t> lines;
  for (std::ptrdiff_t i = -r; i < n + r; ++i) lines.push_back(i < 0 ? -i : i < n ? i : 2 * n - 2 - i);
  return xt::keep(lines);
}

/// Plane by plane: a padded copy, a pass along the columns, one along the rows, and the two images.
template <class T>
void blur_pair(tensors<T> const& t, workload const& w) {
  auto const height = std::size_t(w.length), width = std::size_t(w.classes),
             radius = std::size_t(4 * w.sigma + 0.5);
  index const pixels = w.length * w.classes;
  column<T> const offset = xt::arange<T>(-T(radius), T(radius + 1)),
                  bell = xt::exp(xt::square(offset) * T(-0.5 / (w.sigma * w.sigma))),
                  weight = bell / xt::sum(bell)();
  auto const down = reflected(w.length, index(radius)), across = reflected(w.classes, index(radius));
  matrix<T> rows({height, width + 2 * radius}), a({height, width});
  for (index plane = 0; plane < t.inputs[0].rows; ++plane) {
    auto const x = adapt(operand<T const>{t.inputs[0].data + plane * pixels, w.length, w.classes}),
               s = adapt(
                   operand<T const>{t.inputs[1].data + plane / w.channels * pixels, w.length, w.classes});
    matrix<T> const padded = xt::view(x, down, across);
    rows.fill(T(0));
    a.fill(T(0));
    for (std::size_t k = 0; k <= 2 * radius; ++k)
      xt::noalias(rows) += weight(k) * xt::view(padded, xt::range(k, k + height), xt::all());
    for (std::size_t k = 0; k <= 2 * radius; ++k)
      xt::noalias(a) += weight(k) * xt::view(rows, xt::all(), xt::range(k, k + width));
    auto plus = adapt(operand<T>{t.outputs[0].data + plane * pixels, w.length, w.classes}),
         minus = adapt(operand<T>{t.outputs[1].data + plane * pixels, w.length, w.classes});
    xt::noalias(plus) = s * x + (T(1) - s) * a;
    xt::noalias(minus) = (T(1) - s) * x + s * a;
  }
}

}  // namespace

template <class T>
void add_xtensor(providers& list, batch<T>& b) {
  workload const& w = b.what;
  if (w.mode == mode::backward || !w.family.empty()) return;
  if (w.loss == loss::blur_pair) {
    list.push_back({.name = "xtensor", .run = [&b](std::size_t s) { blur_pair(b.sets[s], b.what); }});
    return;
  }
  auto const value = std::make_shared<double>(0);
  list.push_back({.name = "xtensor",
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

template void add_xtensor(providers&, batch<float>&);
template void add_xtensor(providers&, batch<double>&);

}  // namespace bench
