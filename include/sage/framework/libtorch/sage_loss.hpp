#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/framework/libtorch/device_result.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/loss/sage.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/scalar_tensor.h>

#include <array>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// The terms of the SAGE loss as scalar tensors where the operands are, each before its weight. Only `total` carries a
/// gradient; to read a number from a device (`terms.triplet.item<double>()`) waits for it.
struct sage_terms {
  at::Tensor total;
  at::Tensor classification;           // cross entropy of x
  at::Tensor positive_classification;  // cross entropy of x⁺
  at::Tensor triplet;
  at::Tensor consistency;
  at::Tensor degradation;
  at::Tensor active;      // triplets that violate the margin: an integer
  at::Tensor non_finite;  // non-finite losses of samples, over all terms: an integer
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

/// The loss on a device: one launch, nothing of which comes back.
template <class Loss>
sage_terms terms_on_device(Loss const& loss, operands<6> const& x, labels_of const& y) {
  return on_device(x, [&]<class E>(std::type_identity<E>, auto const& executor) {
    constexpr auto space = accelerator::space;
    using result = sage_result<accumulator_t<E>>;
    device_result<result> const r(x.first().options());
    auto const in = x.template views<E, space>();
    auto const out = x.template outputs<E, space>();
    x.template with_weights<E, space>([&](auto const&... w) {
      loss.value_and_grad(executor, first_three(in), last_three(in), x.template argument<space>(y),
                          first_three(out), last_three(out), w..., into(r.get()));
    });
    auto const term = [&](auto member) { return r(member).to(x.given()[0].scalar_type()); };
    return sage_terms{x.differentiable(r(&result::value)),
                      term(&result::classification),
                      term(&result::positive_classification),
                      term(&result::triplet),
                      term(&result::consistency),
                      term(&result::degradation),
                      r(&result::active),
                      r(&result::non_finite)};
  });
}

template <class Loss>
sage_terms terms_on_cpu(Loss const& loss, operands<6> const& x, labels_of const& y) {
  constexpr auto space = memory_space::host;
  return x.visit([&]<class E>(std::type_identity<E>) {
    auto const in = x.template views<E, space>();
    auto const out = x.template outputs<E, space>();
    auto const r = x.template with_weights<E, space>([&](auto const&... w) {
      return loss.value_and_grad(executor{}, first_three(in), last_three(in), x.template argument<space>(y),
                                 first_three(out), last_three(out), w...);
    });
    auto const scalar = [&](auto const& value) { return x.scalar(static_cast<double>(value)); };
    auto const count = [](index_t n) { return at::scalar_tensor(n, at::TensorOptions().dtype(c10::kLong)); };
    return sage_terms{x.differentiable(scalar(r.value)),
                      scalar(r.classification),
                      scalar(r.positive_classification),
                      scalar(r.triplet),
                      scalar(r.consistency),
                      scalar(r.degradation),
                      count(r.active),
                      count(r.non_finite)};
  });
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
  auto const y = x.labels(labels);
  if constexpr (detail::has_accelerator)
    if (x.on_accelerator()) return detail::terms_on_device(options, x, y);
  return detail::terms_on_cpu(options, x, y);
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
  auto const y = x.labels(labels);
  at::Tensor const values = x.per_row();
  at::Tensor const ones = at::ones({1}, values.options()).expand({values.numel()});
  auto const evaluate = [&]<class E, memory_space Space>(auto const& on) {
    auto const in = x.template views<E, Space>();
    auto const z = detail::first_three(in), e = detail::last_three(in);
    auto const out = x.template outputs<E, Space>();
    auto const label_view = x.template argument<Space>(y);
    x.template with_weights<E, Space>([&](auto const&... w) {
      options.per_sample(on, z, e, label_view, detail::view_as<E, Space>(values, options.name, "out"), w...);
      if (x.wants_gradient())
        options.backward(on, detail::view_as<E const, Space>(ones, options.name, "upstream"), z, e,
                         label_view, detail::first_three(out), detail::last_three(out), w...);
    });
  };
  detail::evaluate_in_place(x, evaluate);
  return x.differentiable(values);
}

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
