#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/normalized_euclidean.hpp>
#include <sage/formula/triplet.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

template <class Distance>
struct triplet_margin_loss;

namespace detail {

/// The options with `swap` as a type.
template <class Distance, bool Swap>
struct triplet_options {
  double margin;
  sage::reduction reduction;
  Distance distance;

  static constexpr char const* name = "triplet_margin_loss";
  static constexpr char const* input_names[3] = {"anchor", "positive", "negative"};
  static constexpr char const* gradient_names[3] = {"d_anchor", "d_positive", "d_negative"};
  static constexpr bool has_labels = false;
  static constexpr index_t smallest_length = 0;

  triplet_formula<Distance, Swap> formula() const noexcept { return {distance, margin}; }
  void validate() const {
    if (!(margin >= 0)) raise<argument_error>(name, ": margin is ", margin, ", expected >= 0");
    if (!distance.valid()) raise<argument_error>(name, ": the distance's options are out of range (eps)");
  }
};

template <class Distance, class F>
auto with_options(triplet_margin_loss<Distance> const& loss, F const& f);

}  // namespace detail

/// Triplet margin loss of row embeddings.
///
///   l_i = max(0, m + d(a_i, p_i) − d(a_i, n_i)),    with swap d(a, n) ← min(d(a, n), d(p, n))
///
/// Members:   loss(a, p, n), loss.value_and_grad(a, p, n, d_a, d_p, d_n), loss.per_sample(a, p, n, out),
///            loss.backward(upstream, a, p, n, d_a, d_p, d_n); an executor may stand first, weights(w) last.
/// Distances: euclidean (PyTorch's, default), normalized_euclidean, or a class of the user's like them.
/// Source:    Balntas et al., BMVC 2016; equals torch.nn.TripletMarginLoss(margin, p=2, eps=1e-6, swap, reduction).
/// Shapes:    anchor, positive, negative (…, D); per-sample values (…); gradients like their inputs. Any strides.
/// Units:     those of the embedding.
/// Precision: accumulates in float for float and halves, double for double; the batch is summed one step wider.
/// Edge:      equal rows have gradient 0 (PyTorch's eps makes it finite too); a NaN row gives NaN for itself and is
///            counted in non_finite; the mean of an empty batch is NaN. A distance whose square overflows (1.8e19 in
///            float) is ∞, one whose square vanishes (below 1e-23) is 0 without eps, both as in PyTorch.
/// Errors:    shape_error, argument_error (margin < 0, eps < 0, overlapping outputs), before any write.
/// Cost:      3 reads, 3 writes of N·D elements; O(N) memory, on the stack up to 512 rows.
/// Example:   examples/quickstart.cpp
template <class Distance = euclidean>
struct triplet_margin_loss {
  double margin = 1;
  bool swap = false;
  sage::reduction reduction = sage::reduction::mean;
  Distance distance{};

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::with_options(
        *this, [&](auto const& o) { return detail::evaluation(o).value(std::forward<Args>(args)...); });
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::with_options(
        *this, [&](auto const& o) { return detail::evaluation(o).value_and_grad(std::forward<Args>(args)...); });
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::with_options(*this,
                         [&](auto const& o) { detail::evaluation(o).per_sample(std::forward<Args>(args)...); });
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::with_options(*this, [&](auto const& o) { detail::evaluation(o).backward(std::forward<Args>(args)...); });
  }
};

namespace detail {

template <class Distance, class F>
auto with_options(triplet_margin_loss<Distance> const& loss, F const& f) {
  if (loss.swap) return f(triplet_options<Distance, true>{loss.margin, loss.reduction, loss.distance});
  return f(triplet_options<Distance, false>{loss.margin, loss.reduction, loss.distance});
}

}  // namespace detail

SAGE_ABI_END
}  // namespace sage
