#pragma once

#include "halves.hpp"

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

namespace bench {

using index = std::int64_t;

enum class loss { triplet, consistency, cross_entropy, sage, blur_pair };
/// What is asked of a provider: the value alone; value and all gradients; the gradients for an upstream of 1, where a
/// framework may have kept what it likes from its forward pass. blur_pair has one, which writes x⁺ and x⁻.
enum class mode { value, value_and_grad, backward, pair };
/// The numbers that tensors are of: float, double, _Float16 (half), bfloat16.
enum class element_kind { float32, float64, half, bfloat16 };

/// One question that is put to every provider.
struct workload {
  bench::loss loss;
  bench::mode mode;
  element_kind element = element_kind::float32;
  index rows = 0, length = 0, classes = 0;  // N, D, K; for images N, H, W
  index channels = 0;
  double sigma = 0;
  bool beyond_cache = false;  // sets of tensors are rotated, so that each call finds its data in memory
  std::string family;         // "" or the curve it belongs to, as "growth_N"
};

std::string name_of(workload const& w);

/// f(std::type_identity<T>) of the workload's element type.
template <class F>
auto with_element(workload const& w, F const& f) {
  switch (w.element) {
    case element_kind::float64:
      return f(std::type_identity<double>{});
    case element_kind::bfloat16:
      return f(std::type_identity<bfloat16>{});
    case element_kind::half:
#if SAGE_BENCH_FLOAT16
      return f(std::type_identity<half>{});
#else
      throw std::runtime_error(name_of(w) + ": this compiler has no _Float16");
#endif
    case element_kind::float32:
      break;
  }
  return f(std::type_identity<float>{});
}

inline workload rows_of(loss l, mode m, index n, index d, index k) {
  workload w{};
  w.loss = l;
  w.mode = m;
  w.rows = n;
  w.length = d;
  w.classes = k;
  return w;
}
inline workload images_of(index n, index c, index h, index width, double sigma) {
  workload w = rows_of(loss::blur_pair, mode::pair, n, h, width);
  w.channels = c;
  w.sigma = sigma;
  return w;
}

/// The options of all losses, the same for every provider.
inline constexpr double margin = 0.5, temperature = 2, epsilon = 1e-6;

/// A row-major matrix, or one plane after the other.
template <class T>
struct operand {
  T* data;
  index rows, columns;
  index size() const { return rows * columns; }
};

/// Tensors of one call. Inputs and what is to be written, by loss:
///
///   triplet        a p n (N,D)                             gradients of the same
///   consistency    z z⁺ (N,K)                              gradients of the same
///   cross_entropy  z (N,K), labels                         gradient of z
///   sage           z z⁺ z⁻ (N,K), e e⁺ e⁻ (N,D), labels    gradients of z z⁺ e e⁺ e⁻ (no term reaches z⁻)
///   blur_pair      x (N·C,H·W), s (N,H·W)                  x⁺ x⁻, and A(x) for providers that only blur
template <class T>
struct tensors {
  std::vector<operand<T const>> inputs;
  std::vector<operand<T>> outputs;
};

/// How many sets of a workload's tensors there shall be: one, or as many as reach over so many bytes if it is beyond_cache.
template <class T>
std::size_t sets_of(workload const& w, std::size_t rotate_bytes);

/// A workload's data: equal sets of tensors.
template <class T>
class batch {
 public:
  batch(workload const& what, std::size_t sets);
  batch(batch const&) = delete;
  batch& operator=(batch const&) = delete;
  ~batch();

  workload const& what;
  std::vector<tensors<T>> sets;
  std::vector<std::int64_t> labels;
  index bytes = 0;  // that one call must read and write at least

 private:
  void* memory_;
};

/// The indices of the outputs that a workload's mode writes; empty for a value alone.
template <class T>
std::vector<std::size_t> written(batch<T> const& b);

}  // namespace bench
