#pragma once

#include <cstddef>
#include <cstdint>

namespace sage_train {

/// A number that tells contents apart: FNV-1a, 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv).
struct content_hash {
  std::uint64_t value = 14695981039346656037u;

  void add(void const* bytes, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
      value = (value ^ static_cast<unsigned char const*>(bytes)[i]) * 1099511628211u;
  }
};

}  // namespace sage_train
