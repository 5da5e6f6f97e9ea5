#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/hinge.hpp>
#include <sage/formula/normalized_euclidean.hpp>
#include <sage/formula/triplet.hpp>
#include <sage/loss/evaluate.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

template <class Distance, class Hinge>
struct triplet_margin_loss;

namespace detail {

/// The options with `swap` as a type.
template <class Distance, class Hinge, bool Swap>
struct triplet_options {
  double margin;
  sage::reduction reduction;
  Distance distance;

  static constexpr char const* name = "triplet_margin_loss";
  static constexpr char const* input_names[3] = {"anchor", "positive", "negative"};
  static constexpr char const* gradient_names[3] = {"d_anchor", "d_positive", "d_negative"};
  static constexpr bool has_labels = false;
  static constexpr index_t smallest_length = 0;

  triplet_formula<Distance, Swap, Hinge> formula() const noexcept { return {{distance}, margin}; }
  void validate() const {
    require_no_defect(name, {unless_non_negative("margin", margin), defect_of(distance)});
  }
};

template <class Distance, class Hinge, class F>
auto with_options(triplet_margin_loss<Distance, Hinge> const& loss, F const& f);

}  // namespace detail

/// Triplet margin loss of row embeddings.
///
///   l_i = h(m + d(a_i, p_i) − d(a_i, n_i)),    with swap d(a, n) ← min(d(a, n), d(p, n))
///
/// Members:   loss(a, p, n), loss.value_and_grad(a, p, n, d_a, d_p, d_n), loss.per_sample(a, p, n, out) (what
///            torch calls reduction none), loss.backward(upstream, a, p, n, d_a, d_p, d_n); an executor may
///            stand first, weights(w) last: numbers ≥ 0, or a mask of any integer type or bool.
/// Distances: euclidean (PyTorch's, default), euclidean_distance<eps::…>, lp, squared_euclidean, cosine,
///            normalized_euclidean (sage/formula/), or a class of the user's like them
///            (examples/own_distance.cpp).
/// Hinges:    hinge::clamp, h(x) = max(0, x), the default; hinge::softplus, h(x) = log(1 + e^x);
///            hinge::squared.
/// Source:    Balntas et al., BMVC 2016; softplus: Hermans et al., arXiv 1703.07737. Equals
///            torch.nn.TripletMarginLoss(margin, p, eps, swap, reduction) with lp{.p = p};
///            torch.nn.TripletMarginWithDistanceLoss with the distance of that name;
///            pytorch-metric-learning's TripletMarginLoss(margin, swap, smooth_loss) of given triplets with
///            normalized_euclidean and reduction::mean_active; optax.triplet_margin_loss with
///            eps::inside_root, which has no swap and takes odd norms without the absolute value (NaN).
/// Shapes:    anchor, positive, negative (…, D); per-sample values (…); gradients like their inputs. Any
///            strides.
/// Units:     those of the distance.
/// Precision: accumulates in float for float and halves, double for double; the batch is summed one step
///            wider. Within 64 ulp of a 113-bit reference in value and in the norm of the gradients, for all
///            distances.
/// Edge:      equal rows have gradient 0 where their distance is 0 (a square root written by hand gives NaN in
///            PyTorch and JAX); with eps inside the norm, the default, it is ε√D, as in PyTorch, and the gradient
///            finite; a tie of swap divides the gradient ½/½; a NaN row gives NaN for itself and is counted in
///            non_finite; a negative with ∞ has loss 0, and gradient NaN, as in PyTorch; a distance whose square overflows (1.8e19 in float) is ∞, one whose square vanishes
///            (below 1e-23) is 0 without eps, both as in PyTorch; lp avoids both; cosine and normalized_euclidean
///            take a row whose square overflows as 0, as torch.nn.functional.normalize does; D = 0: every distance
///            is 0 (1 for cosine); the mean of an empty batch is NaN. `active` counts l > 0: with softplus all
///            triplets but those that underflow.
/// Errors:    shape_error, argument_error (margin or eps < 0 or infinite, p < 1, overlapping outputs), before any
///            write.
/// Cost:      3 reads, 3 writes of N·D elements; O(N) memory, on the stack up to 512 rows.
/// Example:   examples/quickstart.cpp
template <class Distance = euclidean, class Hinge = hinge::clamp>
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

template <class Distance, class Hinge, class F>
auto with_options(triplet_margin_loss<Distance, Hinge> const& loss, F const& f) {
  if (loss.swap) return f(triplet_options<Distance, Hinge, true>{loss.margin, loss.reduction, loss.distance});
  return f(triplet_options<Distance, Hinge, false>{loss.margin, loss.reduction, loss.distance});
}

/// The row program with swap, or without, whatever the loss says.
template <bool Swap, class Distance, class Hinge>
auto formula_with(triplet_margin_loss<Distance, Hinge> const& loss) noexcept {
  return triplet_options<Distance, Hinge, Swap>{loss.margin, loss.reduction, loss.distance}.formula();
}

}  // namespace detail

SAGE_ABI_END
}  // namespace sage
