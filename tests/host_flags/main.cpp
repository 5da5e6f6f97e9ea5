// Runs the comparisons of one translation unit, or of two with different flags in one program. Without an argument
// counts what every loss allocates.

#include "allocations.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <new>

int HOST_FLAGS_ENTRY(char const* reference_file);
#ifdef HOST_FLAGS_OTHER_ENTRY
int HOST_FLAGS_OTHER_ENTRY(char const* reference_file);
#endif

namespace {

std::atomic<long> calls{0};
std::atomic<std::size_t> bytes{0};

void* counted(std::size_t size, std::size_t alignment) {
  calls += 1;
  bytes += size;
  void* const p = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
  if (p == nullptr) std::abort();
  return p;
}

}  // namespace

allocation_count allocations() { return {calls, bytes}; }

// Arrays come here too: the library's operator new[] calls operator new.
void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

int main(int argc, char** argv) {
  char const* const reference_file = argc > 1 ? argv[1] : nullptr;
  int failures = HOST_FLAGS_ENTRY(reference_file);
#ifdef HOST_FLAGS_OTHER_ENTRY
  failures += HOST_FLAGS_OTHER_ENTRY(reference_file);
#endif
  std::printf("%d wrong\n", failures);
  return failures == 0 ? 0 : 1;
}
