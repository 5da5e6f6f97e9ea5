#pragma once

#include "sage_calls.hpp"

#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/saliency_pair.hpp>
#include <sage/core/half_format.hpp>
#include <sage/exec/scalar.hpp>
#include <sage/exec/simd.hpp>
#include <sage/exec/threads.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/strided_view.hpp>

#include <algorithm>
#include <optional>

template <>
inline constexpr bool sage::is_half<bench::bfloat16> = true;
template <>
inline constexpr sage::half_format sage::half_format_of<bench::bfloat16> = sage::half_format::bfloat16;

namespace bench {

/// Any of the library's executors, chosen at run time, so that each loss is compiled once; or one as a framework with OpenMP
/// may write it: each thread of its region runs `simd` on a part of the rows.
struct any_executor {
  std::string name;
  sage::exec::isa level = sage::exec::isa::best;
  bool is_scalar = false;
  std::optional<sage::exec::threads> threads = std::nullopt;
  parallel_region region = nullptr;  // and its threads:
  int region_threads = 1;

  int thread_count() const { return threads ? threads->size() : region_threads; }

  template <class Problem>
  void operator()(Problem const& p) const {
    if (threads) return (*threads)(p);
    if (region != nullptr)
      return region(region_threads, [&p](int thread, int count) {
        sage::exec::simd{}(p, p.rows * thread / count, p.rows * (thread + 1) / count);
      });
    if (is_scalar) return sage::exec::scalar{}(p);
    sage::exec::simd{.level = level}(p);
  }
};

/// "sage" is the default executor with the processor's widest instructions; beside it the narrower ones, one element
/// after the other, its own threads and a host's.
inline std::vector<any_executor> sage_executors(settings const& s, bool every) {
  using sage::exec::isa;
  std::vector<any_executor> r{{.name = "sage"}};
  if (every) {
    if (sage::exec::best_isa() != isa::baseline) r.push_back({.name = "sage sse2", .level = isa::baseline});
    if (sage::exec::best_isa() == isa::avx512) r.push_back({.name = "sage avx2", .level = isa::avx2});
    r.push_back({.name = "sage scalar", .is_scalar = true});
  }
  for (int n = every ? 2 : std::max(2, s.threads); n <= s.threads; ++n)
    if (n == s.threads || n % 2 == 0)
      r.push_back({.name = "sage " + std::to_string(n) + " threads", .threads = sage::exec::threads{n}});
  if (s.openmp != nullptr && s.threads > 1)
    r.push_back({.name = "sage in OpenMP, " + std::to_string(s.threads) + " threads",
                 .region = s.openmp,
                 .region_threads = s.threads});
  return r;
}

/// Raw pointers on one executor. Narrow types have value and gradients alone, for the compiler's time.
template <class T>
provider sage_on(any_executor const& e, batch<T>& b) {
  workload const& w = b.what;
  auto const view = [](auto const& x) {
    return sage::strided_view{x.data, sage::extents{x.rows, x.columns}};
  };
  auto const with = [&](auto const& call) { return sage_provider(e.name, b, view, view, call); };
  auto const& labels = b.labels;
  auto const how = w.mode;
  switch (w.loss) {
    case loss::triplet:
      return with([=](auto const& x, auto const& g) -> double {
        if constexpr (!is_narrow<T>) {
          if (how == mode::value) return sage_triplet(e, x[0], x[1], x[2]).value;
          if (how == mode::backward) {
            sage_triplet.backward(e, T(1), x[0], x[1], x[2], g[0], g[1], g[2]);
            return 0;
          }
        }
        return sage_triplet.value_and_grad(e, x[0], x[1], x[2], g[0], g[1], g[2]).value;
      });
    case loss::consistency:
      return with([=](auto const& x, auto const& g) -> double {
        if constexpr (!is_narrow<T>) {
          if (how == mode::value) return sage_consistency(e, x[0], x[1]).value;
          if (how == mode::backward) {
            sage_consistency.backward(e, T(1), x[0], x[1], g[0], g[1]);
            return 0;
          }
        }
        return sage_consistency.value_and_grad(e, x[0], x[1], g[0], g[1]).value;
      });
    case loss::cross_entropy:
      return with([=, &labels](auto const& x, auto const& g) -> double {
        if constexpr (!is_narrow<T>) {
          if (how == mode::value) return sage_cross_entropy(e, x[0], labels).value;
          if (how == mode::backward) {
            sage_cross_entropy.backward(e, T(1), x[0], labels, g[0]);
            return 0;
          }
        }
        return sage_cross_entropy.value_and_grad(e, x[0], labels, g[0]).value;
      });
    case loss::sage:
      return with([=, &labels](auto const& x, auto const& g) -> double {
        auto const z = sage::views(x[0], x[1], x[2]), h = sage::views(x[3], x[4], x[5]);
        auto const d_z = sage::views(g[0], g[1], sage::skip);
        auto const d_h = sage::views(g[2], g[3], g[4]);
        if constexpr (!is_narrow<T>) {
          if (how == mode::value) return sage_complete(e, z, h, labels).value;
          if (how == mode::backward) {
            sage_complete.backward(e, T(1), z, h, labels, d_z, d_h);
            return 0;
          }
        }
        return sage_complete.value_and_grad(e, z, h, labels, d_z, d_h).value;
      });
    case loss::blur_pair: {
      sage::saliency_pair<sage::gaussian_blur> const pair{{.sigma = w.sigma}};
      auto const images = [n = w.rows, h = w.length, width = w.classes](auto const& x) {
        return sage::strided_view{x.data, sage::extents{n, x.rows / n, h, width}};
      };
      return sage_provider(e.name, b, images, images, [e, pair](auto const& x, auto const& out) {
        pair(e, x[0], x[1], out[0], out[1]);
        return 0.0;
      });
    }
  }
  return {};
}

template <class T>
void add_sage(providers& list, batch<T>& b, settings const& s) {
  bool const is_growth = !b.what.family.empty(), every = s.shapes != selection::quick && !is_growth;
  for (auto const& e : sage_executors(s, every)) {
    if (is_growth && e.thread_count() > 1 && (e.region != nullptr || b.what.family != "threads")) continue;
    if (e.is_scalar && b.what.loss == loss::blur_pair) continue;  // a second for each call
    list.push_back(sage_on(e, b));
    list.back().threads = e.thread_count();
  }
}

}  // namespace bench
