#include "repeated_batch.hpp"

#include "../workload.hpp"

#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/exec/scalar.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/strided_view.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace bench {

namespace {

using matrix = sage::strided_view<double, 2>;

/// The library's own answer on the host, in double: what tests hold to the definitions.
struct on_host {
  workload const& w;
  std::vector<matrix> const &x, &g;
  std::vector<std::int64_t> const& labels;
  std::vector<double>& losses;
  sage::exec::scalar e{};

  template <class Loss, class... Inputs>
  void rows(Loss const& loss, Inputs const&... in) const {
    loss.per_sample(e, in..., losses);
  }
  void evaluate() const {
    switch (w.loss) {
      case loss::triplet: {
        sage::triplet_margin_loss<> const l{.margin = margin};
        l.value_and_grad(e, x[0], x[1], x[2], g[0], g[1], g[2]);
        return rows(l, x[0], x[1], x[2]);
      }
      case loss::consistency: {
        sage::consistency_loss<> const l{.temperature = temperature};
        l.value_and_grad(e, x[0], x[1], g[0], g[1]);
        return rows(l, x[0], x[1]);
      }
      case loss::cross_entropy: {
        sage::cross_entropy_loss const l{};
        l.value_and_grad(e, x[0], labels, g[0]);
        return rows(l, x[0], labels);
      }
      case loss::sage: {
        sage::sage_loss<> const l{.margin = margin, .temperature = temperature};
        auto const z = sage::views(x[0], x[1], x[2]), h = sage::views(x[3], x[4], x[5]);
        l.value_and_grad(e, z, h, labels, sage::views(g[0], g[1], sage::skip), sage::views(g[2], g[3], g[4]));
        return rows(l, z, h, labels);
      }
      case loss::blur_pair: {
        auto const images = [&](matrix const& v) {
          index const plane = w.length * w.classes;
          return sage::strided_view{v.data_handle(),
                                    sage::extents{v.extent(0), v.extent(1) / plane, w.length, w.classes}};
        };
        sage::saliency_pair<sage::gaussian_blur> const pair{{.sigma = w.sigma}};
        return pair(images(x[0]), images(x[1]), images(g[0]), images(g[1]));
      }
    }
  }
};

index elements_of_row(workload const& w) {
  return w.loss == loss::blur_pair ? w.channels * w.length * w.classes : std::max(w.length, w.classes);
}

index period_of(workload const& w) {
  constexpr index elements = 2 << 20;
  index const n = std::max<index>(1, elements / elements_of_row(w));
  return n >= w.rows ? w.rows : n - (n + 1) % 2;
}

}  // namespace

repeated_batch::repeated_batch(device_workload const& of) : what(of), period(period_of(of.what)) {
  workload part = of.what;
  part.rows = period;
  batch<float> const b(part, 1);
  labels = b.labels;
  std::vector<std::vector<double>> wide;
  for (auto const& x : b.sets[0].inputs) {
    std::vector<unsigned char> narrow(std::size_t(x.size()) * of.element->size);
    inputs.emplace_back(std::size_t(x.size()));
    of.element->narrow(x.data, narrow.data(), x.size());
    of.element->widen(narrow.data(), inputs.back().data(), x.size());
    wide.emplace_back(inputs.back().begin(), inputs.back().end());
    input_columns.push_back(x.size() / period);
  }
  for (std::size_t const k : written(b)) {
    outputs_.emplace_back(std::size_t(b.sets[0].outputs[k].size()));
    output_columns.push_back(b.sets[0].outputs[k].size() / period);
  }

  std::vector<double> losses(has_value() ? std::size_t(period) : 0);
  std::vector<matrix> x, g;
  for (std::size_t k = 0; k < wide.size(); ++k)
    x.emplace_back(wide[k].data(), sage::extents{period, input_columns[k]});
  for (std::size_t k = 0; k < outputs_.size(); ++k)
    g.emplace_back(outputs_[k].data(), sage::extents{period, output_columns[k]});
  on_host{part, x, g, labels, losses}.evaluate();
  if (!has_value()) return;

  index const rest = rows() % period;
  double const whole = std::accumulate(losses.begin(), losses.end(), 0.0),
               last = std::accumulate(losses.begin(), losses.begin() + rest, 0.0);
  value_ = (double(rows() / period) * whole + last) / double(rows());
  for (auto& gradient : outputs_)  // of a mean over fewer rows
    for (auto& v : gradient) v *= double(period) / double(rows());
}

index repeated_batch::elements_of_inputs() const {
  index r = 0;
  for (std::size_t k = 0; k < input_columns.size(); ++k)
    r += is_read(what.what.loss, k) ? input_columns[k] : 0;
  return r;
}
index repeated_batch::elements_of_outputs() const {
  return std::accumulate(output_columns.begin(), output_columns.end(), index(0));
}
index repeated_batch::bytes() const {
  return rows() * (elements_of_inputs() + elements_of_outputs()) * index(what.element->size);
}

std::string repeated_batch::disagreement(double value, std::vector<std::vector<float>> const& outputs,
                                         std::vector<index> const& of_rows) const {
  // A value is accumulated in float whatever the elements are.
  if (has_value() && !(std::abs(value - value_) <= of_float.tolerance * std::abs(value_)))
    return "value " + std::to_string(value) + ", expected " + std::to_string(value_);
  for (std::size_t k = 0; k < outputs_.size(); ++k) {
    index const columns = output_columns[k];
    double difference = 0, norm = 0;
    for (std::size_t r = 0; r < of_rows.size(); ++r)
      for (index j = 0; j < columns; ++j) {
        double const e = outputs_[k][std::size_t(of_rows[r] % period * columns + j)];
        double const d = double(outputs[k][r * std::size_t(columns) + std::size_t(j)]) - e;
        difference += d * d;
        norm += e * e;
      }
    double const steps = what.element->smallest_step * std::sqrt(double(of_rows.size()) * double(columns));
    if (!(std::sqrt(difference) <= what.element->tolerance * std::sqrt(norm) + steps))
      return "output " + std::to_string(k) + " has a relative error of " +
             std::to_string(std::sqrt(difference / norm));
  }
  return "";
}

}  // namespace bench
