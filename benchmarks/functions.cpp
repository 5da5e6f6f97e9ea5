#include "functions.hpp"

#include <sage/exec/isa.hpp>
#include <sage/math/pack.hpp>
#include <sage/math/pack_functions.hpp>

#include <array>
#include <cmath>
#include <tuple>

#if SAGE_BENCH_LIBMVEC
#include <immintrin.h>
// The names are those of the x86-64 vector function ABI: b, d, e are SSE, AVX2 and AVX-512.
extern "C" {
#define DECLARE(function)                \
  __m128 _ZGVbN4v_##function##f(__m128); \
  __m256 _ZGVdN8v_##function##f(__m256); \
  __m512 _ZGVeN16v_##function##f(__m512);
DECLARE(exp) DECLARE(log) DECLARE(log1p) DECLARE(expm1)
#undef DECLARE
}
#endif

namespace bench {

namespace {

alignas(64) std::array<float, function_arguments> x, y;

#define FUNCTION(name)                                     \
  struct name##_function {                                 \
    static double exact(double v) { return std::name(v); } \
    static float scalar(float v) { return std::name(v); }  \
    template <class V>                                     \
    SAGE_INLINE static V packed(V const& v) {              \
      return sage::math::name(v);                          \
    }                                                      \
  };
FUNCTION(exp)
FUNCTION(log)
FUNCTION(log1p)
FUNCTION(expm1)
#undef FUNCTION

#if SAGE_SIMD
template <class F>
struct pack_loop {
  template <class Bytes>
  SAGE_INLINE void operator()(Bytes) const {
    using V = sage::pack<float, Bytes::value / 4>;
    for (std::size_t i = 0; i < function_arguments; i += Bytes::value / 4)
      sage::store_pack(y.data() + i, F::packed(sage::load_pack<V>(x.data() + i)));
  }
};
#endif

#if SAGE_BENCH_LIBMVEC
#define LIBMVEC(function)                                                                   \
  void function##_sse2() {                                                                  \
    for (std::size_t i = 0; i < function_arguments; i += 4)                                 \
      _mm_store_ps(y.data() + i, _ZGVbN4v_##function##f(_mm_load_ps(x.data() + i)));        \
  }                                                                                         \
  __attribute__((target("avx2,fma"))) void function##_avx2() {                              \
    for (std::size_t i = 0; i < function_arguments; i += 8)                                 \
      _mm256_store_ps(y.data() + i, _ZGVdN8v_##function##f(_mm256_load_ps(x.data() + i)));  \
  }                                                                                         \
  __attribute__((target("avx512f"))) void function##_avx512() {                             \
    for (std::size_t i = 0; i < function_arguments; i += 16)                                \
      _mm512_store_ps(y.data() + i, _ZGVeN16v_##function##f(_mm512_load_ps(x.data() + i))); \
  }
LIBMVEC(exp)
LIBMVEC(log)
LIBMVEC(log1p)
LIBMVEC(expm1)
#undef LIBMVEC
#endif

struct vector_functions {
  void (*sse2)(), (*avx2)(), (*avx512)();
};

// 80 of 88 for exp, so that neither overflows; positive numbers for the logarithms.
void fill(bool is_exponential) {
  for (std::size_t i = 0; i < x.size(); ++i) {
    float const u = (float(i) + 0.5f) / float(x.size());
    x[i] = is_exponential ? 160 * u - 80 : 100 * u;
  }
}

template <class F>
function_benchmark benchmark_of(std::string const& name, vector_functions const& library) {
  using sage::exec::isa;
  function_benchmark r{
      "function/" + name + "/float/" + std::to_string(function_arguments), {}, x, y, F::exact};
  bool const is_exponential = name[0] == 'e';
  auto const add = [&](std::string provider, auto f) {
    r.list.push_back({.name = std::move(provider),
                      .run = [f](std::size_t) { f(); },
                      .before = [is_exponential] { fill(is_exponential); }});
  };
  for (auto const& [level, suffix, function] :
       {std::tuple{isa::baseline, "sse2", library.sse2}, std::tuple{isa::avx2, "avx2", library.avx2},
        std::tuple{isa::avx512, "avx512", library.avx512}}) {
    if (!sage::exec::has_isa(level)) continue;
#if SAGE_SIMD
    add(std::string("sage ") + suffix, [level = level] { sage::exec::dispatch(level, pack_loop<F>{}); });
#endif
    if (function != nullptr) add(std::string("libmvec ") + suffix, function);
  }
  add("C library", [] {
    for (std::size_t i = 0; i < function_arguments; ++i) y[i] = F::scalar(x[i]);
  });
  return r;
}

}  // namespace

std::vector<function_benchmark> function_benchmarks() {
#if SAGE_BENCH_LIBMVEC
#define VECTOR(name) \
  vector_functions { name##_sse2, name##_avx2, name##_avx512 }
#else
#define VECTOR(name) \
  vector_functions {}
#endif
  return {benchmark_of<exp_function>("exp", VECTOR(exp)), benchmark_of<log_function>("log", VECTOR(log)),
          benchmark_of<log1p_function>("log1p", VECTOR(log1p)),
          benchmark_of<expm1_function>("expm1", VECTOR(expm1))};
#undef VECTOR
}

double seconds_of_functions(workload const& w, rates const& r) {
  static_assert(temperature == 2);
  double const logits = double(w.rows * w.classes);
  if (w.element == element_kind::float64) return 0;
  switch (w.loss) {
    case loss::consistency:
    case loss::sage:
      return 2 * logits / r.exp + logits / r.log;
    case loss::cross_entropy:
      return logits / r.exp;
    default:
      return 0;
  }
}

}  // namespace bench
