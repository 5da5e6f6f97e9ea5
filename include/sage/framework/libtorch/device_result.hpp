#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace libtorch {
namespace detail {

/// Memory of a device for the result of a loss, a struct of numbers, which only the device can read: nobody waits for it.
template <class Result>
class device_result {
 public:
  explicit device_result(at::TensorOptions const& device)
      : memory_(at::empty({static_cast<std::int64_t>(sizeof(Result))}, device.dtype(c10::kByte))) {}

  Result* get() const { return static_cast<Result*>(memory_.data_ptr()); }

  /// A number of the result, (), in its place. No view of autograd's, which would tell it of the memory's other numbers.
  template <class Number>
  at::Tensor operator()(Number Result::*member) const {
    constexpr auto type =
        std::is_same_v<Number, index_t> ? c10::kLong : c10::CppTypeToScalarType<Number>::value;
    static_assert(sizeof(Number) == sizeof(std::int64_t) || type == c10::kFloat);
    Result const layout{};
    auto const* const first = reinterpret_cast<unsigned char const*>(&layout);
    auto const* const number = reinterpret_cast<unsigned char const*>(&(layout.*member));
    return at::empty({0}, memory_.options().dtype(type))
        .set_(memory_.storage(), (number - first) / static_cast<std::int64_t>(sizeof(Number)), {}, {});
  }

 private:
  at::Tensor memory_;
};

}  // namespace detail
}  // namespace libtorch
SAGE_ABI_END
}  // namespace sage
