#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/framework/libtorch/consistency_loss.hpp>
#include <sage/framework/libtorch/degradation_loss.hpp>
#include <sage/framework/libtorch/evaluated.hpp>
#include <sage/framework/libtorch/executor.hpp>
#include <sage/framework/libtorch/operands.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>
#include <sage/loss/sage.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/zeros.h>

#include <array>
#include <cstddef>
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

/// Calls f(member of sage_terms, weight, loss of rows, its operands, labels or nothing) for every term of weight > 0.
template <class Loss, class F>
void for_each_term(Loss const& loss, operands<6> const& x, labels_of const& y, at::Tensor const& weights,
                   F const& f) {
  auto const& [z, z_plus, z_minus, e, e_plus, e_minus] = x.given();
  auto const classified = [](at::Tensor const& logits, at::Tensor const& w) {
    return operands<1>{sage::cross_entropy_loss::name, {"logits"}, {logits}, w};
  };
  f(&sage_terms::classification, 1.0, loss.classification_term(), classified(z, {}), y);
  if (double const w = loss.positive_classification_weight; w > 0)
    f(&sage_terms::positive_classification, w, loss.classification_term(), classified(z_plus, weights), y);
  if (double const w = loss.triplet_weight; w > 0)
    f(&sage_terms::triplet, w, loss.triplet_term(), triplet_operands(e, e_plus, e_minus, weights));
  if (double const w = loss.consistency_weight; w > 0)
    f(&sage_terms::consistency, w, loss.consistency_term(), consistency_operands(z, z_plus, weights));
  if constexpr (Loss::checks_degradation)
    if (double const w = loss.degradation_weight; w > 0) {
      using check = decltype(loss.degradation);
      auto const of = [&](std::array<at::Tensor, operand_count<check>> const& logits) {
        f(&sage_terms::degradation, w, loss.degradation_term(), degradation_operands<check>(logits, weights));
      };
      if constexpr (operand_count<check> == 1) {
        of({z_minus});
      } else if constexpr (operand_count<check> == 2) {
        of({z, z_minus});
      } else {
        of({z, z_plus, z_minus});
      }
    }
}

/// Throws unless the options and the numbers of rows are right, of which the terms see only their own.
template <class Loss>
void require_samples(Loss const& loss, operands<6> const& x, labels_of const& y) {
  loss.validate();
  for (std::size_t i = 0; i < 6; ++i)
    if (x.rows(i) != y.tensor.numel())
      sage::detail::raise<shape_error>(Loss::name, ": ", x.name(i), " has ", x.rows(i),
                                       " rows, expected one for each of ", y.tensor.numel(), " labels");
}

/// The loss on a device, where each term has launches of its own.
template <class Loss>
sage_terms terms_on_device(Loss const& loss, operands<6> const& x, labels_of const& y,
                           at::Tensor const& weights) {
  require_samples(loss, x, y);
  at::Tensor const zero = at::zeros({}, x.given()[0].options().requires_grad(false));
  sage_terms r{{}, zero, zero, zero, zero, zero, zero.to(c10::kLong), zero.to(c10::kLong)};
  for_each_term(loss, x, y, weights,
                [&](auto member, double weight, auto const& of, auto const& operands, auto const&... labels) {
                  device_values const v = values_on_device(of, operands, labels...);
                  at::Tensor const term = operands.differentiable(v.value);
                  r.*member = term.detach();
                  r.total = r.total.defined() ? r.total + weight * term : weight * term;
                  r.non_finite = r.non_finite + v.non_finite;
                  if (member == &sage_terms::triplet) r.active = v.active;
                });
  return r;
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
/// CUDA:      for now each term has launches of its own, and is rounded to the type of the logits before they are summed.
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
    if (x.on_accelerator()) return detail::terms_on_device(options, x, y, weights);
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
  if constexpr (detail::has_accelerator)
    if (x.on_accelerator()) {
      detail::require_samples(options, x, y);
      at::Tensor total;
      detail::for_each_term(
          options, x, y, weights,
          [&](auto, double weight, auto const& of, auto const& operands, auto const&... labels_of) {
            at::Tensor const term = weight * detail::unreduced(of, operands, labels_of...);
            total = total.defined() ? total + term : term;
          });
      return total;
    }
  constexpr auto space = memory_space::host;
  at::Tensor const values = x.per_row();
  x.visit([&]<class E>(std::type_identity<E>) {
    auto const in = x.template views<E, space>();
    auto const z = detail::first_three(in), e = detail::last_three(in);
    auto const out = x.template outputs<E, space>();
    auto const label_view = x.template argument<space>(y);
    E const one = 1;
    strided_view const ones{&one, extents{values.numel()}, strides{0}};
    x.template with_weights<E, space>([&](auto const&... w) {
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
