#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

#include <cstddef>
#include <new>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Uninitialised rows and planes for one thread: one allocation, handed out piece by piece, each piece at an
/// address that is a multiple of 64 bytes.
template <class A>
class scratch {
 public:
  /// Elements that a piece of n elements takes.
  static constexpr index_t padded(index_t n) noexcept {
    constexpr index_t step = static_cast<index_t>(alignment / sizeof(A) > 0 ? alignment / sizeof(A) : 1);
    return (n + step - 1) / step * step;
  }

  /// `total` is the sum of the padded sizes of all pieces.
  explicit scratch(index_t total)
      : data_(static_cast<A*>(
            ::operator new (static_cast<std::size_t>(total) * sizeof(A), std::align_val_t{alignment}))),
        next_(data_) {}
  scratch(scratch const&) = delete;
  scratch& operator=(scratch const&) = delete;
  ~scratch() { ::operator delete (data_, std::align_val_t{alignment}); }

  A* take(index_t n) noexcept {
    A* const piece = next_;
    next_ += padded(n);
    return piece;
  }

 private:
  static constexpr std::size_t alignment = 64;
  A* data_;
  A* next_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
