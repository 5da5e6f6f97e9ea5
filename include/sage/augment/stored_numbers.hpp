#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Numbers of the host into memory of a device, as arguments of kernels: in the order of the stream, and part of a graph
/// that is captured, where a copy would read memory that may be gone.
template <class A>
struct stored_numbers {
  static constexpr int most_threads = 256;
  A* to;
  int count;
  A number[256];

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      group.for_each([&](int rank) {
        if (rank < count) to[rank] = number[rank];
      });
    });
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
