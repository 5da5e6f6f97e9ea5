#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/tensor/rows.hpp>

#include <concepts>
#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// One number for each row, of a type that is told at run time: labels, weights, upstream values in the memory of a
/// device, so that kernels need not be compiled for every type of them.
class row_numbers {
 public:
  row_numbers() = default;

  /// Numbers of type N beside operands of type T: integers, truth values, float, double, or T.
  template <class T, class N>
  static row_numbers of(rows_view<N> const& v) noexcept {
    row_numbers r;
    auto const size = static_cast<index_t>(sizeof(N));
    r.bytes_.data = reinterpret_cast<unsigned char const*>(v.data);
    r.bytes_.rows = v.rows;
    r.bytes_.length = 1;
    r.bytes_.outer_rank = v.outer_rank;
    for (std::size_t d = 0; d < v.outer_rank; ++d)
      r.bytes_.outer[d] = {v.outer[d].extent, v.outer[d].stride * size};
    r.type_ = type_of<T, std::remove_cv_t<N>>();
    return r;
  }

  /// Are there any?
  SAGE_HD explicit operator bool() const noexcept { return type_ != type::none; }

  /// Number i, where the operands are of type T.
  template <class To, class T>
  SAGE_HD To get(index_t i) const noexcept {
    unsigned char const* const at = bytes_.row(i);
    switch (type_) {
      case type::element:
        return static_cast<To>(static_cast<accumulator_t<T>>(*reinterpret_cast<T const*>(at)));
      case type::f32:
        return static_cast<To>(*reinterpret_cast<float const*>(at));
      case type::f64:
        return static_cast<To>(*reinterpret_cast<double const*>(at));
      case type::i8:
        return static_cast<To>(*reinterpret_cast<std::int8_t const*>(at));
      case type::u8:
        return static_cast<To>(*at);
      case type::i16:
        return static_cast<To>(*reinterpret_cast<std::int16_t const*>(at));
      case type::u16:
        return static_cast<To>(*reinterpret_cast<std::uint16_t const*>(at));
      case type::i32:
        return static_cast<To>(*reinterpret_cast<std::int32_t const*>(at));
      case type::u32:
        return static_cast<To>(*reinterpret_cast<std::uint32_t const*>(at));
      case type::i64:
        return static_cast<To>(*reinterpret_cast<std::int64_t const*>(at));
      case type::u64:
        return static_cast<To>(*reinterpret_cast<std::uint64_t const*>(at));
      case type::none:
        break;
    }
    return To(0);
  }

 private:
  enum class type : unsigned char { none, element, f32, f64, i8, u8, i16, u16, i32, u32, i64, u64 };

  template <class T, class N>
  static constexpr type type_of() noexcept {
    if constexpr (std::integral<N>) {
      constexpr bool negative = std::is_signed_v<N>;
      if (sizeof(N) == 1) return negative ? type::i8 : type::u8;
      if (sizeof(N) == 2) return negative ? type::i16 : type::u16;
      if (sizeof(N) == 4) return negative ? type::i32 : type::u32;
      return negative ? type::i64 : type::u64;
    } else if constexpr (std::same_as<N, T>) {
      return type::element;
    } else {
      static_assert(
          std::same_as<N, float> || std::same_as<N, double>,
          "sage: weights and upstream values on a device are integers, truth values, float, double, or of "
          "the inputs' element type");
      return std::same_as<N, float> ? type::f32 : type::f64;
    }
  }

  rows_view<unsigned char const> bytes_{};
  type type_ = type::none;
};

/// What a row of a batch is told besides its operands; `weight` is its weight in the reduction, 0 if skipped.
template <class A>
struct batch_row : row_parameters<A> {
  A weight = A(1);
  A share = A(1);        // what multiplies it in the divisor of the mean
  bool invalid = false;  // its label is no class: loss and gradients are NaN
};

/// Labels, weights and upstream values in the memory where the rows are worked, which nobody has checked.
template <class T>
struct batch_rows {
  using A = accumulator_t<T>;

  row_numbers labels, weights, upstreams;
  index_t ignore_index = 0, classes = 0;
  A factor = A(1);               // multiplies the upstream of every row
  T const* shares = nullptr;     // of every label, for the divisor of the mean; null: 1
  index_t between_shares = 0;
  A const* factor_at = nullptr;  // stands for it where the divisor of the mean is known to the device only

  SAGE_HD batch_row<A> parameters_of(index_t i) const noexcept {
    batch_row<A> r;
    if (labels) {
      r.label = labels.template get<index_t, T>(i);
      r.skipped = r.label == ignore_index;
      r.invalid = !r.skipped && (r.label < 0 || r.label >= classes);
    }
    if (weights) {
      r.weight = weights.template get<A, T>(i);
      r.skipped = r.skipped || r.weight == A(0);
    }
    if (r.skipped) r.weight = A(0);
    if (shares != nullptr && !r.skipped && !r.invalid)
      r.share = static_cast<A>(shares[r.label * between_shares]);
    r.upstream = r.weight;
    if (upstreams && !r.skipped) r.upstream = r.upstream * upstreams.template get<A, T>(i);
    r.upstream = r.upstream * (factor_at != nullptr ? *factor_at : factor);
    return r;
  }
};

/// A row problem whose labels, weights and upstream values are batch_rows.
template <class Formula, class T>
struct batch_problem : row_problem<Formula, T>, batch_rows<T> {
  using batch_rows<T>::parameters_of;
};

/// What Σ w l is divided by: nothing, Σ w, or Σ w over the rows with l > 0.
enum class divided_by : unsigned char { nothing, weights, active_weights };

/// How the losses of a batch become its value.
template <class A>
struct batch_reduction {
  divided_by by = divided_by::nothing;
  bool hinged = false;  // an active row is one with l > 0
  A upstream = A(1);    // ∂L/∂(value)
};

// Defined in batch_evaluation.hpp and fused_evaluation.hpp, which device executors include and losses need not.
template <class A>
struct batch_term;
template <class T>
struct term_rows;
template <class Formula, int... At>
struct joined_term;
template <int Inputs, class... Terms>
struct joined_formula;
template <class T, int Operands, int Terms, class... Formulas>
struct fused_family;
namespace detail {
template <class Device, class Problem>
class batch_evaluation;
template <class Device, class T, class... Family>
class fused_evaluation;
}  // namespace detail

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
