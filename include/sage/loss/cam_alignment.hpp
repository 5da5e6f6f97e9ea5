#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/loss/cam_evaluation.hpp>
#include <sage/loss/reduction.hpp>

#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// Alignment of class activation maps with human saliency maps: CYBORG's term beside the cross entropy.
///
///   c_n,hw = Σ_c w_{y_n},c f_n,c,hw,   ĉ = (c − min c)/(max c − min c),   l_n = 1/(HW) Σ_hw (ĉ − a m)²
///   ∂l/∂ĉ = 2 (ĉ − a m)/(HW), through the extremes too, where ties share the slope as in torch.amin
///   ∂l/∂f_c = w_{y,c} ∂l/∂c,   ∂l/∂w_{k,c} = Σ_{n: y_n = k} Σ_hw f ∂l/∂c
///
/// Members:   loss(f, w, y, m), loss.value_and_grad(f, w, y, m, d_f, d_w), loss.per_sample(f, w, y, m, out),
///            loss.backward(upstream, f, w, y, m, d_f, d_w); an executor may stand first, weights(s) last, 0
///            for samples without a map.
/// Source:    Boyd, Tinsley, Bowyer and Czajka, CYBORG, WACV 2023: MSE of the min-max normalised class
///            activation map (Zhou et al., CVPR 2016) of the true class. Where the published code errs: a
///            constant map divides by 0.
/// Shapes:    features f (N, C, H, W); class weights w (K, C), those of the linear head behind the average
///            pooling; labels y (N) of any integer type; saliency maps m (N, H, W) or (N, 1, H, W) of the
///            features' size (saliency_map resizes), of any type of numbers: floating point, integers, truth
///            values; per-sample values (N); gradients like their inputs. Any strides.
/// Units:     map_scale a brings maps to [0, 1]: 1, or 1.0/255 for grey bytes. The loss is between 0 and 1.
/// Precision: accumulates in float for float and halves, double for double; d_w too, whatever the number of
///            samples.
/// Edge:      an activation map with max − min ≤ guard · largest magnitude is constant: ĉ = 0, gradient 0.
///            Features of ±∞ or NaN make their sample's loss NaN, and of the gradients those of this sample
///            and of its class's weights. Samples with the ignored label, or of weight 0, are not evaluated.
///            N = 0 has the mean NaN. Maps of floating-point numbers are not checked.
/// Errors:    shape_error, argument_error (guard outside [0, 1), map_scale ≤ 0, a label outside [0, K), an integer
///            of a map that times map_scale is outside [0, 1], overlapping outputs), before any write.
/// Cost:      features are read once for the value, once more for the gradients; scratch N·H·W + C·K
///            elements.
/// Example:   cam_alignment_loss{}.value_and_grad(features, w, labels, maps, d_features, sage::skip)
struct cam_alignment_loss {
  double guard = 1e-6;
  double map_scale = 1;
  index_t ignore_index = -100;
  sage::reduction reduction = sage::reduction::mean;

  static constexpr char const* name = "cam_alignment_loss";
  void validate() const {
    option_defect of_guard;
    if (!(guard >= 0 && guard < 1)) of_guard = {"guard", guard, "0 <= guard < 1"};
    detail::require_no_defect(name, {of_guard, detail::unless_positive("map_scale", map_scale)});
  }

  template <class... Args>
  auto operator()(Args&&... args) const {
    return detail::cam_evaluation(*this).value(std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::cam_evaluation(*this).value_and_grad(std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::cam_evaluation(*this).per_sample(std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::cam_evaluation(*this).backward(std::forward<Args>(args)...);
  }
};

SAGE_ABI_END
}  // namespace sage
