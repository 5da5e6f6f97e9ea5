#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/consistency_loss.hpp>
#include <sage/framework/libtorch/sage_loss.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <ostream>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// sage::libtorch::triplet_margin_loss as a module without parameters. For a distance of your own:
/// TORCH_MODULE_IMPL(MyLoss, sage::libtorch::triplet_margin_module<my_distance>);
template <class Distance = euclidean, class Hinge = hinge::clamp>
struct triplet_margin_module : torch::nn::Cloneable<triplet_margin_module<Distance, Hinge>> {
  sage::triplet_margin_loss<Distance, Hinge> options;

  explicit triplet_margin_module(sage::triplet_margin_loss<Distance, Hinge> const& with = {}) : options(with) {}
  void reset() override {}
  void pretty_print(std::ostream& out) const override {
    out << "sage::libtorch::TripletMarginLoss(margin=" << options.margin << ", swap=" << options.swap << ")";
  }
  at::Tensor forward(at::Tensor const& anchor, at::Tensor const& positive, at::Tensor const& negative,
                     at::Tensor const& weights = {}) const {
    return triplet_margin_loss(anchor, positive, negative, options, weights);
  }
};

/// sage::libtorch::consistency_loss as a module without parameters.
template <class Divergence = jensen_shannon>
struct consistency_module : torch::nn::Cloneable<consistency_module<Divergence>> {
  sage::consistency_loss<Divergence> options;

  explicit consistency_module(sage::consistency_loss<Divergence> const& with = {}) : options(with) {}
  void reset() override {}
  void pretty_print(std::ostream& out) const override {
    out << "sage::libtorch::ConsistencyLoss(temperature=" << options.temperature << ")";
  }
  at::Tensor forward(at::Tensor const& logits, at::Tensor const& other_logits,
                     at::Tensor const& weights = {}) const {
    return consistency_loss(logits, other_logits, options, weights);
  }
};

/// sage::libtorch::sage_loss as a module without parameters; forward returns every term.
template <class Distance = normalized_euclidean, class Divergence = jensen_shannon,
          class Degradation = no_check>
struct sage_module : torch::nn::Cloneable<sage_module<Distance, Divergence, Degradation>> {
  sage::sage_loss<Distance, Divergence, Degradation> options;

  explicit sage_module(sage::sage_loss<Distance, Divergence, Degradation> const& with = {}) : options(with) {}
  void reset() override {}
  void pretty_print(std::ostream& out) const override {
    out << "sage::libtorch::SageLoss(margin=" << options.margin << ", temperature=" << options.temperature
        << ")";
  }
  sage_terms forward(at::Tensor const& logits, at::Tensor const& logits_plus, at::Tensor const& logits_minus,
                     at::Tensor const& embeddings, at::Tensor const& embeddings_plus,
                     at::Tensor const& embeddings_minus, at::Tensor const& labels,
                     at::Tensor const& weights = {}) const {
    return sage_loss(logits, logits_plus, logits_minus, embeddings, embeddings_plus, embeddings_minus, labels,
                     options, weights);
  }
};

/// The modules as LibTorch's users expect them:
/// `TripletMarginLoss loss(sage::triplet_margin_loss<>{.margin = 0.2});`
TORCH_MODULE_IMPL(TripletMarginLoss, triplet_margin_module<>);
TORCH_MODULE_IMPL(ConsistencyLoss, consistency_module<>);
TORCH_MODULE_IMPL(SageLoss, sage_module<>);

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
