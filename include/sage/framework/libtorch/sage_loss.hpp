#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/sage.hpp>

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// The terms of the SAGE loss as scalar tensors, each before its weight. Only `total` carries a gradient.
struct sage_terms {
  at::Tensor total;
  at::Tensor classification;           // cross entropy of x
  at::Tensor positive_classification;  // cross entropy of x⁺
  at::Tensor triplet;
  at::Tensor consistency;
  at::Tensor degradation;
  std::int64_t active = 0;      // triplets that violate the margin
  std::int64_t non_finite = 0;  // non-finite losses of samples, over all terms
};

namespace detail {

inline operands<6> sage_operands(at::Tensor const& z, at::Tensor const& z_plus, at::Tensor const& z_minus,
                                 at::Tensor const& e, at::Tensor const& e_plus, at::Tensor const& e_minus,
                                 at::Tensor const& weights) {
  return {"sage_loss",
          {"logits", "logits of x+", "logits of x-", "embeddings", "embeddings of x+", "embeddings of x-"},
          {z, z_plus, z_minus, e, e_plus, e_minus},
          weights};
}

template <class T>
auto first_three(std::array<T, 6> const& a) {
  return views(a[0], a[1], a[2]);
}
template <class T>
auto last_three(std::array<T, 6> const& a) {
  return views(a[3], a[4], a[5]);
}

}  // namespace detail

/// The complete SAGE loss, see sage::sage_loss; differentiable with respect to all logits and embeddings.
///
/// Options:   a sage::sage_loss, `{.margin = 0.3}` for its default distance and divergence.
/// Shapes:    logits (N, K), embeddings (N, D), labels (N) of any integer type, weights (N) or undefined.
/// Cost:      one pass here, with gradients only for tensors that require grad; backward scales them.
/// Errors:    shape_error, argument_error; c10::Error for a second derivative.
/// Example:   auto terms = sage::libtorch::sage_loss(z, z_plus, z_minus, e, e_plus, e_minus, labels);
///            terms.total.backward();
template <class Distance = normalized_euclidean, class Divergence = jensen_shannon,
          class Degradation = no_check>
sage_terms sage_loss(at::Tensor const& logits, at::Tensor const& logits_plus, at::Tensor const& logits_minus,
                     at::Tensor const& embeddings, at::Tensor const& embeddings_plus,
                     at::Tensor const& embeddings_minus, at::Tensor const& labels,
                     sage::sage_loss<Distance, Divergence, Degradation> const& options = {},
                     at::Tensor const& weights = {}) {
  auto const x = detail::sage_operands(logits, logits_plus, logits_minus, embeddings, embeddings_plus,
                                       embeddings_minus, weights);
  at::Tensor const y = detail::int64_labels(labels, options.name);
  return x.visit([&]<class E>(std::type_identity<E>) {
    auto const in = x.template views<E>();
    auto const out = x.template outputs<E>();
    auto const r = x.template with_weights<E>([&](auto const&... w) {
      return options.value_and_grad(executor{}, detail::first_three(in), detail::last_three(in),
                                    view<std::int64_t const>(y), detail::first_three(out),
                                    detail::last_three(out), w...);
    });
    auto const scalar = [&](auto const& value) { return x.scalar(static_cast<double>(value)); };
    return sage_terms{x.differentiable(scalar(r.value)),
                      scalar(r.classification),
                      scalar(r.positive_classification),
                      scalar(r.triplet),
                      scalar(r.consistency),
                      scalar(r.degradation),
                      r.active,
                      r.non_finite};
  });
}

/// Its unreduced values, one for each sample: (N).
template <class Distance = normalized_euclidean, class Divergence = jensen_shannon,
          class Degradation = no_check>
at::Tensor sage_loss_per_sample(at::Tensor const& logits, at::Tensor const& logits_plus,
                                at::Tensor const& logits_minus, at::Tensor const& embeddings,
                                at::Tensor const& embeddings_plus, at::Tensor const& embeddings_minus,
                                at::Tensor const& labels,
                                sage::sage_loss<Distance, Divergence, Degradation> const& options = {},
                                at::Tensor const& weights = {}) {
  auto const x = detail::sage_operands(logits, logits_plus, logits_minus, embeddings, embeddings_plus,
                                       embeddings_minus, weights);
  at::Tensor const y = detail::int64_labels(labels, options.name);
  at::Tensor const values = x.per_row();
  x.visit([&]<class E>(std::type_identity<E>) {
    auto const in = x.template views<E>();
    auto const z = detail::first_three(in), e = detail::last_three(in);
    auto const out = x.template outputs<E>();
    auto const label_view = view<std::int64_t const>(y);
    E const one = 1;
    strided_view const ones{&one, extents{values.numel()}, strides{0}};
    x.template with_weights<E>([&](auto const&... w) {
      options.per_sample(executor{}, z, e, label_view, detail::view_as<E>(values, options.name, "out"), w...);
      if (x.wants_gradient())
        options.backward(executor{}, ones, z, e, label_view, detail::first_three(out),
                         detail::last_three(out), w...);
    });
  });
  return x.differentiable(values);
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
