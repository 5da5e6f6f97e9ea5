#pragma once
/// Configuration: version, compiler switches, and the inline namespace that carries the target's name.
///
/// Switches a user may set before the first include:
///   SAGE_NO_SIMD      leaves out vector types and run-time dispatch; everything runs on the scalar schedules.
///   SAGE_NO_DISPATCH  compiles the row loops for the compiler's own target alone, which compiles faster.

#if __cplusplus < 202002L && !(defined(_MSVC_LANG) && _MSVC_LANG >= 202002L)
#error "sage: needs C++20; with GCC, Clang and nvcc the option is -std=c++20"
#endif

#define SAGE_VERSION_MAJOR 0
#define SAGE_VERSION_MINOR 1
#define SAGE_VERSION_PATCH 0

// Functions of formulas and maths are callable from CUDA kernels when nvcc compiles them.
#if defined(__CUDACC__)
#define SAGE_HD __host__ __device__
#else
#define SAGE_HD
#endif

// Everything called inside a vector kernel is inlined by force: the kernels are instantiated under `target`
// attributes, and only inlined code is compiled for that target.
#if defined(__GNUC__) || defined(__clang__)
#define SAGE_INLINE __attribute__((always_inline)) inline
#elif defined(_MSC_VER)
#define SAGE_INLINE __forceinline
#else
#define SAGE_INLINE inline
#endif

// The same for a lambda: stands after its parameters.
#if defined(__GNUC__) || defined(__clang__)
#define SAGE_INLINE_LAMBDA __attribute__((always_inline))
#else
#define SAGE_INLINE_LAMBDA
#endif

// Before a short loop of constant length whose body must see its index as a constant. (nvcc's host pass knows neither
// pragma; where it reads SAGE's loops, they are scalar.)
#if defined(__CUDA_ARCH__)
#define SAGE_UNROLL _Pragma("unroll")
#elif defined(__CUDACC__)
#define SAGE_UNROLL
#elif defined(__GNUC__) || defined(__clang__)
#define SAGE_UNROLL _Pragma("GCC unroll 64")
#else
#define SAGE_UNROLL
#endif

// At the beginning of a function: its products and sums may be rounded once together with those of others, as GCC does
// everywhere, where the processor can. (Clang would join only what one expression holds.)
#if defined(__clang__)
#define SAGE_CONTRACT _Pragma("clang fp contract(fast)")
/// Likewise: its products are rounded before anything is added to them, under any flags. (GCC has to be told of each.)
#define SAGE_NO_CONTRACT _Pragma("clang fp contract(off)")
#else
#define SAGE_CONTRACT
#define SAGE_NO_CONTRACT
#endif

// nvcc has no vector types: host executors run on the scalar schedules in the sources that it compiles.
#if (defined(__GNUC__) || defined(__clang__)) && !defined(SAGE_NO_SIMD) && !defined(__CUDACC__)
#define SAGE_SIMD 1
#else
#define SAGE_SIMD 0
#endif

#if SAGE_SIMD && !defined(SAGE_NO_DISPATCH) && (defined(__x86_64__) || defined(__i386__))
#define SAGE_X86_DISPATCH 1
#else
#define SAGE_X86_DISPATCH 0
#endif

// _Float16: GCC 12 announces its limits on all targets, and has the type in C++ on x86 alone.
#if defined(__FLT16_MANT_DIG__) && (defined(__clang__) || defined(__SSE2__) || __GNUC__ >= 13)
#define SAGE_HAS_FLOAT16 1
#else
#define SAGE_HAS_FLOAT16 0
#endif

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define SAGE_EXCEPTIONS 1
#else
#define SAGE_EXCEPTIONS 0
#endif

// The name of the target: two translation units compiled with different instruction sets or floating-point rules
// must never share an inline function, or the linker could give AVX-512 code to a program meant for SSE2. All code
// stands inside this inline namespace; plain data types that travel between translation units stand outside.
#if defined(__AVX512BF16__)
#define SAGE_ABI_VECTOR avx512bf16
#elif defined(__AVX512VBMI2__) || defined(__AVX512IFMA__)
#define SAGE_ABI_VECTOR avx512vbmi
#elif defined(__AVX512VL__)
#define SAGE_ABI_VECTOR avx512vl
#elif defined(__AVX512F__)
#define SAGE_ABI_VECTOR avx512f
#elif defined(__AVX2__)
#define SAGE_ABI_VECTOR avx2
#elif defined(__AVX__)
#define SAGE_ABI_VECTOR avx
#elif defined(__SSE4_2__)
#define SAGE_ABI_VECTOR sse42
#elif defined(__SSE3__)
#define SAGE_ABI_VECTOR sse3
#elif defined(__ARM_FEATURE_SVE)
#define SAGE_ABI_VECTOR sve
#elif defined(__ARM_NEON)
#define SAGE_ABI_VECTOR neon
#else
#define SAGE_ABI_VECTOR base
#endif
#if defined(__FMA__)
#define SAGE_ABI_FMA _fma
#else
#define SAGE_ABI_FMA
#endif
#if defined(__BMI2__)
#define SAGE_ABI_BMI _bmi2
#else
#define SAGE_ABI_BMI
#endif
#if defined(__FAST_MATH__)
#define SAGE_ABI_MATH _fast
#elif defined(__ASSOCIATIVE_MATH__) && defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#define SAGE_ABI_MATH _associative_finite
#elif defined(__ASSOCIATIVE_MATH__)
#define SAGE_ABI_MATH _associative
#elif defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__
#define SAGE_ABI_MATH _finite
#else
#define SAGE_ABI_MATH
#endif
#if defined(__CUDACC__)
#define SAGE_ABI_SIMD _cuda
#elif !SAGE_SIMD
#define SAGE_ABI_SIMD _nosimd
#elif defined(SAGE_NO_DISPATCH)
#define SAGE_ABI_SIMD _nodispatch
#else
#define SAGE_ABI_SIMD
#endif
#if SAGE_EXCEPTIONS
#define SAGE_ABI_ERRORS
#else
#define SAGE_ABI_ERRORS _noexcept
#endif
#define SAGE_ABI_JOIN_(a, b, c, d, e, f) a##b##c##d##e##f
#define SAGE_ABI_JOIN(a, b, c, d, e, f) SAGE_ABI_JOIN_(a, b, c, d, e, f)
#define SAGE_ABI \
  SAGE_ABI_JOIN(SAGE_ABI_VECTOR, SAGE_ABI_FMA, SAGE_ABI_BMI, SAGE_ABI_MATH, SAGE_ABI_SIMD, SAGE_ABI_ERRORS)

#define SAGE_ABI_BEGIN inline namespace SAGE_ABI {
#define SAGE_ABI_END }
