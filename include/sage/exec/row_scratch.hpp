#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Memory for a few rows of values: 32 KiB on the stack, or, for long rows, one allocation.
template <class A>
class row_scratch {
 public:
  explicit row_scratch(index_t n) {
    if (n <= inline_size) return;
    allocated_ = new A[static_cast<std::size_t>(n + padding)];
    data_ = allocated_;
    while (reinterpret_cast<std::uintptr_t>(data_) % alignment != 0 && data_ < allocated_ + padding) ++data_;
  }
  row_scratch(row_scratch const&) = delete;
  row_scratch& operator=(row_scratch const&) = delete;
  ~row_scratch() { delete[] allocated_; }

  /// At a multiple of 64 bytes.
  A* data() noexcept { return data_; }

 private:
  static constexpr std::size_t alignment = 64;
  static constexpr index_t padding = static_cast<index_t>(alignment / sizeof(A));
  // Elements with a constructor (autodiff scalars) are made as they are needed.
  static constexpr index_t inline_size =
      std::is_trivially_default_constructible_v<A> ? static_cast<index_t>(32768 / sizeof(A)) : 0;
  alignas(alignment) A inline_[inline_size > 0 ? inline_size : 1];
  A* data_ = inline_;
  A* allocated_ = nullptr;
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
