#pragma once

#include <cstddef>

/// What the whole program has taken from operator new so far, which main.cpp replaces.
struct allocation_count {
  long calls;
  std::size_t bytes;
};
allocation_count allocations();
