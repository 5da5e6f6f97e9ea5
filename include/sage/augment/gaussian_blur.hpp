#pragma once

#include <sage/augment/blur_plan.hpp>
#include <sage/augment/border.hpp>
#include <sage/augment/plane.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>

namespace sage {
SAGE_ABI_BEGIN

/// Degradation: Gaussian blur, A(x) = x ∗ w ⊗ w.
///
///   w_k = exp(−k²/2σ²) / Σ,    |k| ≤ radius
///
/// Profiles:  scipy.ndimage.gaussian_filter     {.sigma = s, .border = border::symmetric}
///            cv::GaussianBlur of float images  {.sigma = s}
///            torchvision gaussian_blur         {.sigma = s, .kernel_size = k}
/// Units:     sigma in pixels; the radius is truncate·sigma rounded, or (kernel_size − 1)/2 where
///            kernel_size > 0.
/// Precision: weights computed in double; sums in the accumulator type, to about 2·radius roundings of 6e-8
///            in float.
/// Edge:      images smaller than the radius are reflected as often as it takes; one row or column is
///            constant.
/// Errors:    argument_error (sigma outside (0, 10000], truncate < 0, an even kernel_size), before any write.
/// Cost:      2·radius + 2 multiply-adds and 2·radius additions per pixel; scratch per thread: a band of rows of 80 KiB
///            or less (16 rows at least), 16 rows, and 32 lines of the longer side and 4·radius.
struct gaussian_blur {
  double sigma = 4;
  double truncate = 4;
  index_t kernel_size = 0;
  sage::border border = sage::border::reflect;

  /// The kernel for images of one shape.
  template <class A>
  detail::blur_plan<A> bind(char const* function, image_shape const& shape) const {
    return {sigma, checked_radius(function), border, shape.height, shape.width};
  }

  /// The kernel's radius; throws argument_error where an option is wrong.
  index_t checked_radius(char const* function) const {
    if (!(sigma > 0 && sigma <= 10000))
      detail::raise<argument_error>(function, ": gaussian_blur's sigma is ", sigma,
                                    ", expected 0 < sigma <= 10000");
    if (!(truncate >= 0 && truncate <= 100))
      detail::raise<argument_error>(function, ": gaussian_blur's truncate is ", truncate,
                                    ", expected 0 to 100");
    if (kernel_size < 0 || kernel_size > 2000001 || (kernel_size > 0 && kernel_size % 2 == 0))
      detail::raise<argument_error>(function, ": gaussian_blur's kernel_size is ", kernel_size,
                                    ", expected an odd number, or 0 for a radius of truncate * sigma");
    index_t const radius =
        kernel_size > 0 ? (kernel_size - 1) / 2 : static_cast<index_t>(truncate * sigma + 0.5);
    if (radius < 0 || radius > 1000000)  // a NaN that -ffast-math did not see above
      detail::raise<argument_error>(function, ": gaussian_blur's sigma or truncate is not a number");
    return radius;
  }
};

SAGE_ABI_END
}  // namespace sage
