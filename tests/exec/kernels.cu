// Every kernel of exec/cuda.cuh for every loss that runs on a device, in one element type: the macro ELEMENT. Compiled,
// for each architecture, by check_kernels.cmake, which reads what the assembler says of registers.

#include <sage/exec/cuda.cuh>
#include <sage/formula/cosine.hpp>
#include <sage/formula/lp.hpp>
#include <sage/formula/squared_euclidean.hpp>
#include <sage/loss/binary_consistency.hpp>
#include <sage/loss/binary_cross_entropy.hpp>
#include <sage/loss/consistency.hpp>
#include <sage/loss/contrastive.hpp>
#include <sage/loss/cross_entropy.hpp>
#include <sage/loss/degradation.hpp>
#include <sage/loss/divergences.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/tensor/device_view.hpp>

namespace {

using element = ELEMENT;

struct operands {
  element* memory;
  int* labels;
  sage::loss_result<sage::accumulator_t<element>>* result;

  auto x() const { return sage::device_view(memory, 8, 8); }
  auto y() const { return sage::device_view(labels, 8); }
};

template <class Loss>
void of_three(Loss const& loss, operands const& o) {
  loss.value_and_grad(sage::exec::cuda{}, o.x(), o.x(), o.x(), o.x(), sage::skip, sage::skip,
                      sage::into(o.result));
}
template <class Loss>
void of_two(Loss const& loss, operands const& o) {
  loss.value_and_grad(sage::exec::cuda{}, o.x(), o.x(), o.x(), sage::skip, sage::into(o.result));
}
template <class... Divergences>
void of_divergences(operands const& o) {
  (of_two(sage::consistency_loss<Divergences>{}, o), ...);
}

}  // namespace

void every_loss(element* memory, int* labels, void* result) {
  operands const o{memory, labels, static_cast<sage::loss_result<sage::accumulator_t<element>>*>(result)};
  using namespace sage;
  of_three(triplet_margin_loss<>{}, o);
  of_three(triplet_margin_loss<lp>{}, o);
  of_three(triplet_margin_loss<squared_euclidean, hinge::softplus>{}, o);
  of_three(triplet_margin_loss<cosine>{}, o);
  of_three(triplet_margin_loss<normalized_euclidean>{}, o);
  of_divergences<jensen_shannon, skewed_jensen_shannon, kullback_leibler, reverse_kullback_leibler, jeffreys,
                 squared_hellinger, total_variation, soft_cross_entropy, generalized_jensen_shannon,
                 squared_error>(o);
  of_two(binary_consistency_loss<>{}, o);
  of_two(binary_cross_entropy_loss{}, o);
  of_two(degradation_loss<repel<>>{}, o);
  of_three(degradation_loss<rank<>>{}, o);
  degradation_loss<>{}.value_and_grad(exec::cuda{}, o.x(), o.x(), into(o.result));
  contrastive_loss<>{}.value_and_grad(exec::cuda{}, o.x(), o.x(), o.y(), o.x(), skip, into(o.result));
  cross_entropy_loss{}.value_and_grad(exec::cuda{}, o.x(), o.y(), o.x(), into(o.result));
  cross_entropy_loss{}.value_and_grad(exec::cuda{}, o.x(), o.x(), o.x(), skip, into(o.result));
  cross_entropy_loss{}.value_and_grad(exec::cuda{}, o.x(), o.y(), o.x(),
                                      class_weights(device_view(memory, 8)), into(o.result));
  cross_entropy_loss{}.per_sample(exec::cuda{}, o.x(), o.y(), device_view(memory, 8));
}

/// The complete loss with the largest of its checks, whose kernel needs the most registers.
void complete_loss(element* memory, int* labels, void* result) {
  operands const o{memory, labels, nullptr};
  using namespace sage;
  auto const three = views(o.x(), o.x(), o.x());
  sage_loss<normalized_euclidean, jensen_shannon, rank<>> const loss{};
  loss.value_and_grad(exec::cuda{}, three, three, o.y(), three, three,
                      into(static_cast<sage_result<accumulator_t<element>>*>(result)));
}
