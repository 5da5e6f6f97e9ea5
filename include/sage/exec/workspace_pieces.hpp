#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Pieces of a device's workspace, one behind the other: first all are counted, then each is found in the memory.
class workspace_pieces {
 public:
  static constexpr index_t alignment = 256;

  /// The offset of a piece of n elements of type A.
  template <class A>
  constexpr index_t add(index_t n) noexcept {
    index_t const at = bytes_;
    bytes_ += (n * static_cast<index_t>(sizeof(A)) + alignment - 1) / alignment * alignment;
    return at;
  }
  constexpr index_t bytes() const noexcept { return bytes_; }

 private:
  index_t bytes_ = 0;
};

template <class A>
A* piece_at(unsigned char* memory, index_t offset) noexcept {
  return reinterpret_cast<A*>(memory + offset);
}

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
