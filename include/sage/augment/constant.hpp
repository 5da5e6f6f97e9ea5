#pragma once

#include <sage/augment/pixel_position.hpp>
#include <sage/augment/plane.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>

#include <concepts>
#include <initializer_list>

namespace sage {
SAGE_ABI_BEGIN

/// One value for all channels, or one for each of at most 16: `0.5`, or `{0.485, 0.456, 0.406}`.
class channel_values {
 public:
  static constexpr index_t max_channels = 16;

  template <class Number>
    requires std::convertible_to<Number, double>
  constexpr channel_values(Number value) noexcept : value_{static_cast<double>(value)} {}
  constexpr channel_values(std::initializer_list<double> values) noexcept
      : count_(static_cast<index_t>(values.size())) {
    index_t i = 0;
    for (double const v : values)
      if (i < max_channels) value_[i++] = v;
  }

  /// How many were given; more than max_channels are an error when they are used.
  constexpr index_t count() const noexcept { return count_; }
  SAGE_HD constexpr double operator[](index_t channel) const noexcept {
    return value_[count_ == 1 ? 0 : channel];
  }

 private:
  double value_[max_channels]{};
  index_t count_ = 1;
};

/// Degradation: a constant, A(x) = value of the channel; zero by default.
///
/// Units:  those of the image.
/// Errors: argument_error (neither one value nor one per channel), before any write.
struct constant {
  channel_values value = 0;

  template <class A>
  constant bind(char const* function, image_shape const& shape) const {
    index_t const count = value.count();
    if (count > channel_values::max_channels)
      detail::raise<argument_error>(function, ": constant's value has ", count,
                                    " elements, expected at most 16");
    if (count != 1 && count != shape.channels)
      detail::raise<argument_error>(function, ": constant's value has ", count,
                                    " elements, expected 1 or one for each of ", shape.channels, " channels");
    return *this;
  }

  index_t scratch() const noexcept { return 0; }

  template <class A>
  struct constant_rows {
    A value;
    index_t width;

    template <class V>
    SAGE_INLINE void row(index_t, A* out) const {
      for (index_t j = 0; j < width; ++j) out[j] = value;
    }
  };
  template <class V, class A>
  SAGE_INLINE constant_rows<A> degrade(plane<A const> const& x, A*) const {
    return {static_cast<A>(value[x.channel]), x.width};
  }

  template <class A>
  SAGE_HD A pixel(A, pixel_position const& at) const {
    return static_cast<A>(value[at.channel]);
  }
  template <class A>
  SAGE_HD A pixel_adjoint(A, A, pixel_position const&) const {
    return A(0);
  }

  /// A constant has no gradient.
  struct adjoint_rows {
    template <class V, class A>
    SAGE_INLINE void add_row(index_t, A*) const {}
  };
  template <class V, class A>
  SAGE_INLINE adjoint_rows adjoint(plane<A const> const&, plane<A> const&, A*) const {
    return {};
  }
};

SAGE_ABI_END
}  // namespace sage
