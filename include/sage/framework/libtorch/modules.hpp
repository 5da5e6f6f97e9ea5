#pragma once

#include <sage/core/config.hpp>
#include <sage/framework/libtorch/binary_consistency_loss.hpp>
#include <sage/framework/libtorch/binary_cross_entropy_loss.hpp>
#include <sage/framework/libtorch/cam_alignment_loss.hpp>
#include <sage/framework/libtorch/consistency_loss.hpp>
#include <sage/framework/libtorch/contrastive_loss.hpp>
#include <sage/framework/libtorch/cross_entropy_loss.hpp>
#include <sage/framework/libtorch/degradation_loss.hpp>
#include <sage/framework/libtorch/info_nce_loss.hpp>
#include <sage/framework/libtorch/mined_triplet_loss.hpp>
#include <sage/framework/libtorch/nt_xent_loss.hpp>
#include <sage/framework/libtorch/sage_loss.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>

#include <torch/nn/cloneable.h>
#include <torch/nn/pimpl.h>

#include <array>
#include <ios>
#include <ostream>

/// The losses as modules without parameters, for those who keep their objective with their network. Each holds the
/// options of its loss, public and changeable, and its forward is the function of the same name, weights last:
///
///   TripletMarginLoss loss(sage::triplet_margin_loss<>{.margin = 0.2});
///   loss->forward(anchor, positive, negative).backward();
///
/// For a distance, a divergence or a check other than the default:
/// TORCH_MODULE_IMPL(MyLoss, sage::libtorch::triplet_margin_module<sage::cosine>);
namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {

/// What the modules share: the options, and how a network prints them.
template <class Module, class Loss>
struct loss_module : torch::nn::Cloneable<Module> {
  Loss options;

  explicit loss_module(Loss const& with = {}) : options(with) {}
  void reset() override {}

 protected:
  /// print(out, "ContrastiveLoss", "margin", margin, …)
  template <class Value, class... Others>
  static void print(std::ostream& out, char const* module, char const* option, Value const& value,
                    Others const&... others) {
    auto const flags = out.flags();
    out << "sage::libtorch::" << module << std::boolalpha;
    print_options(out, "(", option, value, others...);
    out << ")";
    out.flags(flags);
  }

 private:
  static void print_options(std::ostream&, char const*) {}
  template <class Value, class... Others>
  static void print_options(std::ostream& out, char const* before, char const* option, Value const& value,
                            Others const&... others) {
    out << before << option << "=" << value;
    print_options(out, ", ", others...);
  }
};

/// sage::libtorch::triplet_margin_loss as a module.
template <class Distance = euclidean, class Hinge = hinge::clamp>
struct triplet_margin_module
    : loss_module<triplet_margin_module<Distance, Hinge>, sage::triplet_margin_loss<Distance, Hinge>> {
  using triplet_margin_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "TripletMarginLoss", "margin", this->options.margin, "swap", this->options.swap);
  }
  at::Tensor forward(at::Tensor const& anchor, at::Tensor const& positive, at::Tensor const& negative,
                     at::Tensor const& weights = {}) const {
    return triplet_margin_loss(anchor, positive, negative, this->options, weights);
  }
};

/// sage::libtorch::mined_triplet_loss as a module.
template <class Mining = batch_hard, class Distance = normalized_euclidean, class Hinge = hinge::clamp>
struct mined_triplet_module : loss_module<mined_triplet_module<Mining, Distance, Hinge>,
                                          sage::mined_triplet_loss<Mining, Distance, Hinge>> {
  using mined_triplet_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "MinedTripletLoss", "margin", this->options.margin);
  }
  at::Tensor forward(at::Tensor const& embeddings, at::Tensor const& labels,
                     at::Tensor const& weights = {}) const {
    return mined_triplet_loss(embeddings, labels, this->options, weights);
  }
};

/// sage::libtorch::contrastive_loss as a module.
template <class Distance = euclidean, class Hinge = hinge::squared>
struct contrastive_module
    : loss_module<contrastive_module<Distance, Hinge>, sage::contrastive_loss<Distance, Hinge>> {
  using contrastive_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "ContrastiveLoss", "margin", this->options.margin, "positive_margin",
                this->options.positive_margin);
  }
  at::Tensor forward(at::Tensor const& first, at::Tensor const& second, at::Tensor const& labels,
                     at::Tensor const& weights = {}) const {
    return contrastive_loss(first, second, labels, this->options, weights);
  }
};

/// sage::libtorch::info_nce_loss as a module; without negatives of their own, anchors have those of the batch.
template <class Distance = cosine>
struct info_nce_module : loss_module<info_nce_module<Distance>, sage::info_nce_loss<Distance>> {
  using info_nce_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "InfoNCELoss", "temperature", this->options.temperature, "symmetric",
                this->options.symmetric);
  }
  at::Tensor forward(at::Tensor const& anchor, at::Tensor const& positive, at::Tensor const& negatives = {},
                     at::Tensor const& weights = {}) const {
    return negatives.defined() ? info_nce_loss(anchor, positive, negatives, this->options, weights)
                               : info_nce_loss(anchor, positive, this->options, weights);
  }
};

/// sage::libtorch::nt_xent_loss as a module.
template <class Distance = cosine>
struct nt_xent_module : loss_module<nt_xent_module<Distance>, sage::nt_xent_loss<Distance>> {
  using nt_xent_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "NTXentLoss", "temperature", this->options.temperature);
  }
  at::Tensor forward(at::Tensor const& embeddings, at::Tensor const& labels, at::Tensor const& weights = {}) const {
    return nt_xent_loss(embeddings, labels, this->options, weights);
  }
};

/// sage::libtorch::consistency_loss as a module.
template <class Divergence = jensen_shannon>
struct consistency_module : loss_module<consistency_module<Divergence>, sage::consistency_loss<Divergence>> {
  using consistency_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "ConsistencyLoss", "temperature", this->options.temperature);
  }
  at::Tensor forward(at::Tensor const& logits, at::Tensor const& other_logits,
                     at::Tensor const& weights = {}) const {
    return consistency_loss(logits, other_logits, this->options, weights);
  }
};

/// sage::libtorch::binary_consistency_loss as a module.
template <class Divergence = jensen_shannon>
struct binary_consistency_module
    : loss_module<binary_consistency_module<Divergence>, sage::binary_consistency_loss<Divergence>> {
  using binary_consistency_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "BinaryConsistencyLoss", "temperature", this->options.temperature);
  }
  at::Tensor forward(at::Tensor const& logits, at::Tensor const& other_logits,
                     at::Tensor const& weights = {}) const {
    return binary_consistency_loss(logits, other_logits, this->options, weights);
  }
};

/// sage::libtorch::cross_entropy_loss as a module.
template <class Options = sage::cross_entropy_loss>
struct cross_entropy_module : loss_module<cross_entropy_module<Options>, Options> {
  using cross_entropy_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "CrossEntropyLoss", "label_smoothing", this->options.label_smoothing, "ignore_index",
                this->options.ignore_index);
  }
  at::Tensor forward(at::Tensor const& logits, at::Tensor const& targets, at::Tensor const& weights = {},
                     at::Tensor const& class_weights = {}) const {
    return cross_entropy_loss(logits, targets, this->options, weights, class_weights);
  }
};

/// sage::libtorch::binary_cross_entropy_loss as a module.
template <class Options = sage::binary_cross_entropy_loss>
struct binary_cross_entropy_module : loss_module<binary_cross_entropy_module<Options>, Options> {
  using binary_cross_entropy_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "BinaryCrossEntropyLoss", "label_smoothing", this->options.label_smoothing);
  }
  at::Tensor forward(at::Tensor const& logits, at::Tensor const& targets, at::Tensor const& weights = {},
                     at::Tensor const& element_weights = {}, at::Tensor const& positive_weights = {}) const {
    return binary_cross_entropy_loss(logits, targets, this->options, weights, element_weights,
                                     positive_weights);
  }
};

/// sage::libtorch::cam_alignment_loss as a module.
template <class Options = sage::cam_alignment_loss>
struct cam_alignment_module : loss_module<cam_alignment_module<Options>, Options> {
  using cam_alignment_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "CamAlignmentLoss", "map_scale", this->options.map_scale, "guard", this->options.guard);
  }
  at::Tensor forward(at::Tensor const& features, at::Tensor const& class_weights, at::Tensor const& labels,
                     at::Tensor const& maps, at::Tensor const& weights = {}) const {
    return cam_alignment_loss(features, class_weights, labels, maps, this->options, weights);
  }
};

/// sage::libtorch::degradation_loss as a module; forward({z, z_minus}) of a check with two operands.
template <class Check = toward_uniform<>>
struct degradation_module : loss_module<degradation_module<Check>, sage::degradation_loss<Check>> {
  using degradation_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "DegradationLoss", "temperature", this->options.temperature);
  }
  at::Tensor forward(std::array<at::Tensor, detail::operand_count<Check>> const& logits,
                     at::Tensor const& weights = {}) const {
    return degradation_loss(logits, this->options, weights);
  }
};

/// sage::libtorch::sage_loss as a module; forward returns every term.
template <class Distance = normalized_euclidean, class Divergence = jensen_shannon,
          class Degradation = no_check>
struct sage_module : loss_module<sage_module<Distance, Divergence, Degradation>,
                                 sage::sage_loss<Distance, Divergence, Degradation>> {
  using sage_module::loss_module::loss_module;
  void pretty_print(std::ostream& out) const override {
    this->print(out, "SageLoss", "margin", this->options.margin, "temperature", this->options.temperature);
  }
  sage_terms forward(at::Tensor const& logits, at::Tensor const& logits_plus, at::Tensor const& logits_minus,
                     at::Tensor const& embeddings, at::Tensor const& embeddings_plus,
                     at::Tensor const& embeddings_minus, at::Tensor const& labels,
                     at::Tensor const& weights = {}) const {
    return sage_loss(logits, logits_plus, logits_minus, embeddings, embeddings_plus, embeddings_minus, labels,
                     this->options, weights);
  }
};

// With the default distances, divergences and checks.
TORCH_MODULE_IMPL(TripletMarginLoss, triplet_margin_module<>);
TORCH_MODULE_IMPL(MinedTripletLoss, mined_triplet_module<>);
TORCH_MODULE_IMPL(ContrastiveLoss, contrastive_module<>);
TORCH_MODULE_IMPL(InfoNCELoss, info_nce_module<>);
TORCH_MODULE_IMPL(NTXentLoss, nt_xent_module<>);
TORCH_MODULE_IMPL(ConsistencyLoss, consistency_module<>);
TORCH_MODULE_IMPL(BinaryConsistencyLoss, binary_consistency_module<>);
TORCH_MODULE_IMPL(CrossEntropyLoss, cross_entropy_module<>);
TORCH_MODULE_IMPL(BinaryCrossEntropyLoss, binary_cross_entropy_module<>);
TORCH_MODULE_IMPL(CamAlignmentLoss, cam_alignment_module<>);
TORCH_MODULE_IMPL(DegradationLoss, degradation_module<>);
TORCH_MODULE_IMPL(SageLoss, sage_module<>);

}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
