#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>

#include <cstdlib>
#include <string_view>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// Instruction sets that the row loops are instantiated for: `best` is the widest that the processor has, `baseline` the
/// compiler's own target, SSE2 on x86-64. Executors take one as an option, and use the widest there is where the processor
/// has it not: `exec::simd{.level = exec::isa::avx2}`, `exec::threads{4, {.level = exec::isa::avx2}}`.
enum class isa { best, baseline, avx2, avx512 };

#if SAGE_X86_DISPATCH
namespace detail {

// Does the processor convert binary16? (Clang 14 does not know the feature's name, and <cpuid.h> has names of its own.)
inline bool has_f16c() noexcept {
  unsigned a = 1, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (c >> 29 & 1) != 0;
}

}  // namespace detail
#endif

/// The widest instruction set of this processor, or what the environment variable SAGE_ISA (sse2, avx2 or avx512) names
/// where that is less: asked once. Where nothing is chosen at run time (SAGE_NO_DISPATCH, SAGE_NO_SIMD, processors other
/// than x86-64) it is `baseline`, and SAGE_ISA is not read.
/// Errors: argument_error where SAGE_ISA is something else.
inline isa best_isa() {
#if SAGE_X86_DISPATCH
  static isa const found = [] {
    __builtin_cpu_init();
    bool const avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && detail::has_f16c();
    bool const avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    isa const widest = avx512 ? isa::avx512 : avx2 ? isa::avx2 : isa::baseline;
    char const* const wanted = std::getenv("SAGE_ISA");
    if (wanted == nullptr || *wanted == '\0') return widest;
    std::string_view const name = wanted;
    isa const named = name == "sse2" ? isa::baseline : name == "avx2" ? isa::avx2 : isa::avx512;
    if (named == isa::avx512 && name != "avx512")
      sage::detail::raise<argument_error>("the environment variable SAGE_ISA is '", name,
                                          "', expected sse2, avx2 or avx512");
    return named < widest ? named : widest;
  }();
  return found;
#else
  return isa::baseline;
#endif
}

/// Can this processor run code for `wanted`?
inline bool has_isa(isa wanted) {
  return wanted == isa::best || static_cast<int>(wanted) <= static_cast<int>(best_isa());
}

namespace detail {

template <int Bytes>
using vector_bytes = std::integral_constant<int, Bytes>;

// The kernel's body is inlined into these functions by force and so compiled for their target.
template <class Kernel>
void run_baseline(Kernel const& kernel) {
#if !SAGE_X86_DISPATCH && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__AVX512VL__)
  kernel(vector_bytes<64>{});
#elif !SAGE_X86_DISPATCH && defined(__AVX2__) && defined(__FMA__)
  kernel(vector_bytes<32>{});
#else
  kernel(vector_bytes<16>{});
#endif
}
#if SAGE_X86_DISPATCH
template <class Kernel>
__attribute__((target("avx2,fma,f16c"))) void run_avx2(Kernel const& kernel) {
  kernel(vector_bytes<32>{});
}
template <class Kernel>
__attribute__((target("avx2,fma,f16c,avx512f,avx512dq,avx512bw,avx512vl"))) void run_avx512(
    Kernel const& kernel) {
  kernel(vector_bytes<64>{});
}
#endif

}  // namespace detail

/// Calls kernel(std::integral_constant<int, Bytes>) with the vector width in bytes of `wanted` (or of the best below
/// it), inside a function compiled for that instruction set. The call operator must be SAGE_INLINE throughout.
template <class Kernel>
void dispatch(isa wanted, Kernel const& kernel) {
#if SAGE_X86_DISPATCH
  isa const usable = has_isa(wanted) && wanted != isa::best ? wanted : best_isa();
  if (usable == isa::avx512) return detail::run_avx512(kernel);
  if (usable == isa::avx2) return detail::run_avx2(kernel);
#else
  static_cast<void>(wanted);
#endif
  detail::run_baseline(kernel);
}

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
