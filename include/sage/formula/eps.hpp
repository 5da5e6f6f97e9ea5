#pragma once

#include <sage/core/config.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Where a distance keeps away from the root at zero: the policies of euclidean_distance and lp_distance,
/// with t = u − v.
///
///   inside_norm   ‖t + eps‖_p                   torch.nn.functional.pairwise_distance; not symmetric in
///                                               u and v
///   inside_root   (Σ |t|^p + eps)^(1/p)         optax.triplet_margin_loss; smooth at u = v, p < ∞
///   floor         max(‖t‖_p, eps)               the gradient is 0 below eps and passes at eps
///   none          ‖t‖_p                         torch.cdist; the gradient at u = v is 0
namespace eps {

struct inside_norm {
  static constexpr bool shifts = true, under_root = false, floors = false;
};
struct inside_root {
  static constexpr bool shifts = false, under_root = true, floors = false;
};
struct floor {
  static constexpr bool shifts = false, under_root = false, floors = true;
};
struct none {
  static constexpr bool shifts = false, under_root = false, floors = false;
};

}  // namespace eps

SAGE_ABI_END
}  // namespace sage
