#pragma once

#include "provider.hpp"

#include <array>
#include <string>
#include <vector>

/// Every shape that is measured, and what is expected of them.
namespace bench {

inline constexpr index embeddings[][2] = {{32, 128}, {256, 512}, {256, 2048}, {4096, 2048}};  // (N, D)
inline constexpr index logits[][2] = {{32, 2},     {256, 2},     {256, 10},
                                      {256, 1000}, {4096, 1000}, {64, 50000}};  // (N, K)
inline constexpr index complete[][3] = {
    {32, 512, 2}, {64, 512, 5}, {256, 512, 2}, {32, 2048, 1000}, {256, 2048, 1000}};
inline constexpr index images[][4] = {{32, 3, 224, 224}, {8, 1, 512, 512}, {32, 3, 64, 64}};
inline constexpr double sigmas[] = {4, 10};

/// Above this many bytes a workload is measured beyond the cache.
inline constexpr index large_bytes = 64 << 20;

inline index bytes_of(loss l, index n, index d, index k) {
  index const per_row = l == loss::triplet         ? 6 * d
                        : l == loss::consistency   ? 4 * k
                        : l == loss::cross_entropy ? 2 * k
                                                   : 6 * d + 5 * k;
  return n * per_row * 4;
}

inline workload with(workload w, element_kind element = element_kind::float32, std::string family = "") {
  w.element = element;
  w.family = std::move(family);
  w.beyond_cache = w.loss != loss::blur_pair && w.mode != mode::backward &&
                   bytes_of(w.loss, w.rows, w.length, w.classes) >= large_bytes;
  return w;
}

/// The table of targets, by name: `target` times faster than the peer. Source: DESIGN section 9.
struct target {
  char const* workload;
  char const* peer;
  double times;
};
inline constexpr target targets[] = {
    {"triplet/value_and_grad/float/256x2048", "LibTorch eager", 30},
    {"consistency/value_and_grad/float/256x1000", "LibTorch eager", 12},
    {"consistency/value_and_grad/float/256x10", "LibTorch eager", 40},
    {"consistency/value_and_grad/float/256x2", "LibTorch eager", 100},
    {"blur_pair/pair/float/32x3x224x224,sigma=4", "LibTorch eager", 20},
    {"blur_pair/pair/float/32x3x224x224,sigma=4", "OpenCV blur alone", 1},
    {"blur_pair/pair/float/32x3x224x224,sigma=10", "LibTorch eager", 15},
    {"blur_pair/pair/float/32x3x224x224,sigma=10", "OpenCV blur alone", 1},
    {"sage/value_and_grad/float/64x(512,5)", "LibTorch eager", 30},
    {"sage/value_and_grad/float/256x(2048,1000)", "LibTorch eager", 15},
};
/// Beyond the cache, of the memory's limit; an adapter's time over raw pointers'; two threads against one; the exponent of
/// growth, above that of the machine's limit or of linear growth.
inline constexpr double limit_target = 0.9, adapter_target = 1.02, threads_target = 1.8,
                        growth_tolerance = 0.1;

inline std::vector<workload> quick_workloads() {
  auto const both = mode::value_and_grad;
  workload rotated = with(rows_of(loss::triplet, both, 256, 2048, 0));
  rotated.beyond_cache = true;
  return {with(rows_of(loss::triplet, both, 256, 2048, 0)),
          rotated,
          with(rows_of(loss::consistency, both, 256, 0, 1000)),
          with(rows_of(loss::consistency, both, 256, 0, 10)),
          with(rows_of(loss::consistency, both, 256, 0, 2)),
          with(rows_of(loss::consistency, both, 4096, 0, 1000)),
          with(images_of(32, 3, 224, 224, 4)),
          with(images_of(32, 3, 224, 224, 10)),
          with(rows_of(loss::sage, both, 64, 512, 5)),
          with(rows_of(loss::sage, both, 256, 2048, 1000))};
}

/// Curves: how the time grows with each extent, and with threads.
inline std::vector<workload> growth_workloads() {
  std::vector<workload> r;
  auto const both = mode::value_and_grad;
  for (index n = 8; n <= 8192; n *= 4) {
    r.push_back(with(rows_of(loss::triplet, both, n, 512, 0), element_kind::float32, "growth_N"));
    r.push_back(with(rows_of(loss::consistency, both, n, 0, 10), element_kind::float32, "growth_N"));
    r.push_back(with(rows_of(loss::sage, both, n, 512, 2), element_kind::float32, "growth_batch"));
  }
  for (index d = 16; d <= 16384; d *= 4)
    r.push_back(with(rows_of(loss::triplet, both, 256, d, 0), element_kind::float32, "growth_D"));
  for (index k = 2; k <= 32768; k *= 4)
    r.push_back(with(rows_of(loss::consistency, both, 256, 0, k), element_kind::float32, "growth_K"));
  r.push_back(with(rows_of(loss::triplet, both, 1024, 512, 0), element_kind::float32, "threads"));
  r.push_back(with(rows_of(loss::consistency, both, 1024, 0, 1000), element_kind::float32, "threads"));
  r.push_back(with(images_of(32, 3, 224, 224, 4), element_kind::float32, "threads"));
  for (auto& w : r) w.beyond_cache = false;
  return r;
}

/// The shapes with targets, and cross entropy, in the narrow types. A mean over many rows and classes has gradients that
/// half rounds to 0: whether those are right, the shapes of few classes say, and bfloat16.
inline std::vector<workload> narrow_workloads() {
  std::vector<workload> r;
  auto const both = mode::value_and_grad;
  for (auto const element : {element_kind::half, element_kind::bfloat16}) {
#if !SAGE_BENCH_FLOAT16
    if (element == element_kind::half) continue;
#endif
    r.push_back(with(rows_of(loss::triplet, both, 256, 2048, 0), element));
    for (index const k : {2, 10, 1000})
      r.push_back(with(rows_of(loss::consistency, both, 256, 0, k), element));
    for (index const k : {10, 1000})
      r.push_back(with(rows_of(loss::cross_entropy, both, 256, 0, k), element));
    r.push_back(with(rows_of(loss::sage, both, 64, 512, 5), element));
    r.push_back(with(rows_of(loss::sage, both, 256, 2048, 1000), element));
    r.push_back(with(images_of(32, 3, 224, 224, 4), element));
  }
  return r;
}

inline std::vector<workload> all_workloads() {
  std::vector<workload> r;
  for (auto const element : {element_kind::float32, element_kind::float64}) {
    for (mode const m : {mode::value, mode::value_and_grad, mode::backward}) {
      if (element == element_kind::float64 && m != mode::value_and_grad) continue;
      for (auto const& s : embeddings) r.push_back(with(rows_of(loss::triplet, m, s[0], s[1], 0), element));
      if (m != mode::backward) {
        r.push_back(with(rows_of(loss::triplet, m, 256, 2048, 0), element));
        r.back().beyond_cache = true;
      }
      for (auto const l : {loss::consistency, loss::cross_entropy})
        for (auto const& s : logits) r.push_back(with(rows_of(l, m, s[0], 0, s[1]), element));
      for (auto const& s : complete) r.push_back(with(rows_of(loss::sage, m, s[0], s[1], s[2]), element));
    }
  }
  for (auto const& s : images)
    for (double const sigma : sigmas) r.push_back(with(images_of(s[0], s[1], s[2], s[3], sigma)));

  for (auto const& w : narrow_workloads()) r.push_back(w);
  for (auto const& w : growth_workloads()) r.push_back(w);
  return r;
}
/// Every loss, mode and element type, at the shapes that cost little; all that --quick times, and the narrow types.
inline std::vector<workload> smoke_workloads() {
  auto r = quick_workloads();
  for (auto const& w : all_workloads()) {
    bool const is_narrow = w.element == element_kind::half || w.element == element_kind::bfloat16;
    bool const is_small = w.loss == loss::blur_pair
                              ? w.length <= 64
                              : bytes_of(w.loss, w.rows, w.length, w.classes) < (4 << 20);
    if (w.family.empty() && !w.beyond_cache && (is_small || is_narrow)) r.push_back(w);
  }
  return r;
}

inline std::vector<workload> workloads_of(selection s) {
  switch (s) {
    case selection::quick:
      return quick_workloads();
    case selection::growth:
      return growth_workloads();
    case selection::smoke:
      return smoke_workloads();
    case selection::all:
      break;
  }
  return all_workloads();
}

}  // namespace bench
