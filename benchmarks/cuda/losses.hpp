#pragma once

#include "element.hpp"

#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/strided_view.hpp>

#include <cstddef>

namespace bench {

static_assert(offsetof(sage::loss_result<float>, value) == 0 &&
              sizeof(sage::loss_result<float>) <= result_bytes);
static_assert(offsetof(sage::sage_result<float>, value) == 0 &&
              sizeof(sage::sage_result<float>) <= result_bytes);

/// The workload on a device executor, or on its emulation, in that executor's memory: value and all gradients, or the
/// blurred pair.
template <class T, class Executor>
void run_workload(Executor const& on, workload const& w, device_tensors const& t) {
  constexpr auto space = Executor::space;
  index const columns_of_logits = w.classes, columns_of_embeddings = w.length;
  auto const in = [&](std::size_t k, index columns) {
    return sage::strided_view<T const, 2, space>(static_cast<T const*>(t.inputs[k]),
                                                 sage::extents{w.rows, columns});
  };
  auto const out = [&](std::size_t k, index columns) {
    return sage::strided_view<T, 2, space>(static_cast<T*>(t.outputs[k]), sage::extents{w.rows, columns});
  };
  sage::strided_view<int const, 1, space> const labels(t.labels, sage::extents{w.rows});
  auto const into = sage::into(static_cast<sage::loss_result<float>*>(t.result));
  switch (w.loss) {
    case loss::triplet: {
      index const d = columns_of_embeddings;
      sage::triplet_margin_loss<>{.margin = margin}.value_and_grad(on, in(0, d), in(1, d), in(2, d),
                                                                   out(0, d), out(1, d), out(2, d), into);
      break;
    }
    case loss::consistency: {
      index const k = columns_of_logits;
      sage::consistency_loss<>{.temperature = temperature}.value_and_grad(on, in(0, k), in(1, k), out(0, k),
                                                                          out(1, k), into);
      break;
    }
    case loss::cross_entropy: {
      index const k = columns_of_logits;
      sage::cross_entropy_loss{}.value_and_grad(on, in(0, k), labels, out(0, k), into);
      break;
    }
    case loss::sage: {
      index const k = columns_of_logits, d = columns_of_embeddings;
      sage::sage_loss<>{.margin = margin, .temperature = temperature}.value_and_grad(
          on, sage::views(in(0, k), in(1, k), in(2, k)), sage::views(in(3, d), in(4, d), in(5, d)), labels,
          sage::views(out(0, k), out(1, k), sage::skip), sage::views(out(2, d), out(3, d), out(4, d)),
          sage::into(static_cast<sage::sage_result<float>*>(t.result)));
      break;
    }
    case loss::blur_pair: {
      auto const images = [&]<class E>(E* data, index channels) {
        return sage::strided_view<E, 4, space>(data, sage::extents{w.rows, channels, w.length, w.classes});
      };
      sage::saliency_pair<sage::gaussian_blur> const pair{{.sigma = w.sigma}};
      pair(on, images(static_cast<T const*>(t.inputs[0]), w.channels),
           images(static_cast<T const*>(t.inputs[1]), 1), images(static_cast<T*>(t.outputs[0]), w.channels),
           images(static_cast<T*>(t.outputs[1]), w.channels));
      break;
    }
  }
}

/// An element type but for what needs a device.
template <class T>
element_type element_on_host(char const* name, double tolerance, double smallest_step) {
  element_type e{};
  e.name = name;
  e.size = sizeof(T);
  e.tolerance = tolerance;
  e.smallest_step = smallest_step;
  e.narrow = [](float const* from, void* to, index n) {
    for (index i = 0; i < n; ++i) static_cast<T*>(to)[i] = static_cast<T>(from[i]);
  };
  e.widen = [](void const* from, float* to, index n) {
    for (index i = 0; i < n; ++i) to[i] = static_cast<float>(static_cast<T const*>(from)[i]);
  };
  return e;
}

}  // namespace bench
