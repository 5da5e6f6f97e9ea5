#include "provider.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// The memory's limit for a workload: its very tensors, read and written in as many streams as a loss must, and nothing
/// computed; with ordinary and with non-temporal stores. Written with the widest loads of the processor, and compiled
/// with more optimisation than anything that is compared with it.
namespace bench {

namespace {

// Inputs that are read side by side, and outputs written beside them.
struct streams {
  std::vector<char const*> in;
  std::vector<char*> out;
  std::size_t bytes = 0;  // of each, a multiple of 64: tensors are padded
};

/// Operands of equal size go side by side, as in a loss; others one group after the other.
template <class T>
std::vector<streams> streams_of(batch<T> const& b, std::size_t s) {
  auto const& t = b.sets[s];
  std::vector<streams> groups;
  auto const group_of = [&](index size) -> streams& {
    std::size_t const bytes = (std::size_t(size) * sizeof(T) + 63) / 64 * 64;
    for (auto& g : groups)
      if (g.bytes == bytes) return g;
    groups.push_back({{}, {}, bytes});
    return groups.back();
  };
  for (std::size_t k = 0; k < t.inputs.size(); ++k)
    if (!(b.what.loss == loss::sage && k == 2))
      group_of(t.inputs[k].size()).in.push_back(reinterpret_cast<char const*>(t.inputs[k].data));
  for (std::size_t const k : written(b))
    group_of(t.outputs[k].size()).out.push_back(reinterpret_cast<char*>(t.outputs[k].data));
  return groups;
}

#if defined(__x86_64__)

struct sse2 {
  using V = __m128i;
  static V zero() { return _mm_setzero_si128(); }
  static V load(char const* p) { return _mm_load_si128(reinterpret_cast<V const*>(p)); }
  static V merge(V a, V b) { return _mm_xor_si128(a, b); }
  static void store(char* p, V v) { _mm_store_si128(reinterpret_cast<V*>(p), v); }
  static void stream(char* p, V v) { _mm_stream_si128(reinterpret_cast<V*>(p), v); }
};
#define AVX2 __attribute__((target("avx2"), always_inline)) static inline
struct avx2 {
  using V = __m256i;
  AVX2 V zero() { return _mm256_setzero_si256(); }
  AVX2 V load(char const* p) { return _mm256_load_si256(reinterpret_cast<V const*>(p)); }
  AVX2 V merge(V a, V b) { return _mm256_xor_si256(a, b); }
  AVX2 void store(char* p, V v) { _mm256_store_si256(reinterpret_cast<V*>(p), v); }
  AVX2 void stream(char* p, V v) { _mm256_stream_si256(reinterpret_cast<V*>(p), v); }
};
#undef AVX2
#define AVX512 __attribute__((target("avx512f"), always_inline)) static inline
struct avx512 {
  using V = __m512i;
  AVX512 V zero() { return _mm512_setzero_si512(); }
  AVX512 V load(char const* p) { return _mm512_load_si512(p); }
  AVX512 V merge(V a, V b) { return _mm512_xor_si512(a, b); }
  AVX512 void store(char* p, V v) { _mm512_store_si512(p, v); }
  AVX512 void stream(char* p, V v) { _mm512_stream_si512(reinterpret_cast<V*>(p), v); }
};
#undef AVX512

// The loop stands in a macro, for the functions that differ in nothing but their target cannot share a body.
#define STREAM_BODY(Isa)                                                                  \
  using V = typename Isa::V;                                                              \
  V sum = Isa::zero();                                                                    \
  for (std::size_t i = 0; i < s.bytes; i += sizeof(V)) {                                  \
    V x[R];                                                                               \
    for (int r = 0; r < R; ++r) {                                                         \
      x[r] = Isa::load(in[r] + i);                                                        \
      if (W == 0) sum = Isa::merge(sum, x[r]);                                            \
    }                                                                                     \
    for (int w = 0; w < W; ++w)                                                           \
      NonTemporal ? Isa::stream(out[w] + i, x[w % R]) : Isa::store(out[w] + i, x[w % R]); \
  }                                                                                       \
  if (NonTemporal) _mm_sfence();                                                          \
  std::uint64_t r;                                                                        \
  std::memcpy(&r, &sum, sizeof(r));                                                       \
  return r

template <int R, int W, bool NonTemporal>
__attribute__((target("avx512f"))) std::uint64_t run_avx512(streams const& s, char const* const (&in)[R],
                                                            char* const (&out)[W + 1]) {
  STREAM_BODY(avx512);
}
template <int R, int W, bool NonTemporal>
__attribute__((target("avx2"))) std::uint64_t run_avx2(streams const& s, char const* const (&in)[R],
                                                       char* const (&out)[W + 1]) {
  STREAM_BODY(avx2);
}
template <int R, int W, bool NonTemporal>
std::uint64_t run_sse2(streams const& s, char const* const (&in)[R], char* const (&out)[W + 1]) {
  STREAM_BODY(sse2);
}
#undef STREAM_BODY

template <int R, int W, bool NonTemporal>
std::uint64_t run(streams const& s) {
  char const* in[R];
  char* out[W + 1] = {};
  for (int r = 0; r < R; ++r) in[r] = s.in[std::size_t(r)];
  for (int w = 0; w < W; ++w) out[w] = s.out[std::size_t(w)];
  if (__builtin_cpu_supports("avx512f")) return run_avx512<R, W, NonTemporal>(s, in, out);
  if (__builtin_cpu_supports("avx2")) return run_avx2<R, W, NonTemporal>(s, in, out);
  return run_sse2<R, W, NonTemporal>(s, in, out);
}

#else

template <int R, int W, bool NonTemporal>
std::uint64_t run(streams const& s) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < s.bytes; i += 8) {
    std::uint64_t x[R];
    for (int r = 0; r < R; ++r) {
      std::memcpy(&x[r], s.in[std::size_t(r)] + i, 8);
      sum ^= x[r];
    }
    for (int w = 0; w < W; ++w) std::memcpy(s.out[std::size_t(w)] + i, &x[w % R], 8);
  }
  return sum;
}

#endif

template <bool NonTemporal>
std::uint64_t run_mix(streams const& s) {
  switch (10 * s.in.size() + s.out.size()) {
    case 10:
      return run<1, 0, false>(s);
    case 11:
      return run<1, 1, NonTemporal>(s);
    case 12:
      return run<1, 2, NonTemporal>(s);
    case 20:
      return run<2, 0, false>(s);
    case 22:
      return run<2, 2, NonTemporal>(s);
    case 30:
      return run<3, 0, false>(s);
    case 33:
      return run<3, 3, NonTemporal>(s);
  }
  return 0;
}

template <class T, bool NonTemporal>
provider limit_of(std::string name, batch<T>& b) {
  auto const sets = std::make_shared<std::vector<std::vector<streams>>>();
  for (std::size_t s = 0; s < b.sets.size(); ++s) sets->push_back(streams_of(b, s));
  auto const sum = std::make_shared<std::uint64_t>(0);
  return {.name = std::move(name),
          .run =
              [sets, sum](std::size_t s) {
                for (auto const& group : (*sets)[s]) *sum += run_mix<NonTemporal>(group);
              },
          .is_limit = true};
}

}  // namespace

template <class T>
void add_limits(providers& list, batch<T>& b) {
  list.push_back(limit_of<T, false>("limit", b));
  if (!written(b).empty()) list.push_back(limit_of<T, true>("limit non-temporal", b));
}

#define INSTANTIATE(T) template void add_limits(providers&, batch<T>&);
INSTANTIATE(float)
INSTANTIATE(double)
SAGE_BENCH_NARROW_TYPES(INSTANTIATE)
#undef INSTANTIATE

}  // namespace bench
