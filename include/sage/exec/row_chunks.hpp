#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/math/lanes.hpp>

#include <cstdint>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// Width neighbouring elements of one operand.
template <class T, int Width>
struct element_group {
  T value[Width];
};

/// The bytes of a whole group at its own alignment: one instruction on a GPU.
template <class Group>
SAGE_HD Group load_group(void const* from) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(Group) == sizeof(uint4))
    return __builtin_bit_cast(Group, *static_cast<uint4 const*>(from));
#endif
  Group g;
  __builtin_memcpy(&g, from, sizeof g);
  return g;
}
template <class Group>
SAGE_HD void store_group(void* to, Group const& g) noexcept {
#if defined(__CUDA_ARCH__)
  if constexpr (sizeof(Group) == sizeof(uint4)) {
    *static_cast<uint4*>(to) = __builtin_bit_cast(uint4, g);
    return;
  }
#endif
  __builtin_memcpy(to, &g, sizeof g);
}

/// One row cut into chunks of Width positions. Chunks begin where the first contiguous operand is aligned to a whole
/// chunk, so that the first and the last may be partial; operands that are contiguous and aligned there are accessed a
/// chunk at a time, the others element by element.
template <class Problem, int Width>
class row_chunks {
  using T = typename Problem::element;
  using A = typename Problem::accumulator;
  static constexpr int inputs = Problem::formula_type::inputs;
  static constexpr int gradients = Problem::formula_type::gradients;
  using group = element_group<T, Width>;
  static constexpr bool groups = Width > 1 && std::is_trivially_copyable_v<T>;

 public:
  SAGE_HD row_chunks(Problem const& p, index_t i) noexcept : p_(p) {
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) in_[k] = p.in[k].row(i);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k)
      out_[k] = p.out[k].mode == gradient_mode::skip ? nullptr : p.out[k].to.row(i);
    if constexpr (groups) {
      first_ = -misalignment();
      SAGE_UNROLL
      for (int k = 0; k < inputs; ++k) in_groups_[k] = p.in[k].stride == 1 && is_aligned(in_[k]);
      SAGE_UNROLL
      for (int k = 0; k < gradients; ++k)
        out_in_groups_[k] = out_[k] != nullptr && p.out[k].to.stride == 1 && is_aligned(out_[k]);
    }
  }

  /// How many chunks the row has.
  SAGE_HD index_t count() const noexcept { return (p_.length - first_ + Width - 1) / Width; }

  /// Calls f(operands, column) for the positions of a chunk.
  template <class F>
  SAGE_HD void visit(index_t chunk, F const& f) const {
    index_t const j = first_ + chunk * Width;
    auto const x = load(j);
    SAGE_UNROLL
    for (int w = 0; w < Width; ++w)
      if (is_within(j + w)) f(at(x, w), j + w);
  }

  /// Writes the gradients f(operands, column) of a chunk; it may stand in the place of its operands.
  template <class F>
  SAGE_HD void write(index_t chunk, F const& f) const {
    index_t const j = first_ + chunk * Width;
    auto const x = load(j);
    lanes<lanes<A, gradients>, Width> g{};
    SAGE_UNROLL
    for (int w = 0; w < Width; ++w)
      if (is_within(j + w)) g[w] = f(at(x, w), j + w);
    store(j, g);
  }

  /// Writes one number to all gradients of a chunk.
  SAGE_HD void fill(index_t chunk, A const& x) const {
    lanes<lanes<A, gradients>, Width> g{};
    SAGE_UNROLL
    for (int w = 0; w < Width; ++w)
      for (int k = 0; k < gradients; ++k) g[w][k] = x;
    store(first_ + chunk * Width, g);
  }

 private:
  SAGE_HD bool is_within(index_t j) const noexcept { return Width == 1 || (j >= 0 && j < p_.length); }
  SAGE_HD bool is_whole(index_t j) const noexcept { return j >= 0 && j + Width <= p_.length; }

  // Elements by which the first contiguous operand is beyond an aligned address.
  SAGE_HD index_t misalignment() const noexcept {
    for (int k = 0; k < inputs; ++k)
      if (p_.in[k].stride == 1)
        return static_cast<index_t>(reinterpret_cast<std::uintptr_t>(in_[k]) / sizeof(T) % Width);
    for (int k = 0; k < gradients; ++k)
      if (out_[k] != nullptr && p_.out[k].to.stride == 1)
        return static_cast<index_t>(reinterpret_cast<std::uintptr_t>(out_[k]) / sizeof(T) % Width);
    return 0;
  }
  SAGE_HD bool is_aligned(T const* row) const noexcept {
    return (reinterpret_cast<std::uintptr_t>(row) - static_cast<std::uintptr_t>(-first_) * sizeof(T)) %
               sizeof(group) ==
           0;
  }

  SAGE_HD lanes<group, inputs> load(index_t j) const {
    lanes<group, inputs> x{};
    bool const whole = is_whole(j);
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) {
      if (groups && whole && in_groups_[k]) {
        x[k] = load_group<group>(in_[k] + j);
        continue;
      }
      index_t const stride = p_.in[k].stride;
      SAGE_UNROLL
      for (int w = 0; w < Width; ++w)
        if (is_within(j + w)) x[k].value[w] = in_[k][(j + w) * stride];
    }
    return x;
  }
  SAGE_HD static lanes<A, inputs> at(lanes<group, inputs> const& x, int w) {
    lanes<A, inputs> r;
    SAGE_UNROLL
    for (int k = 0; k < inputs; ++k) r[k] = static_cast<A>(x[k].value[w]);
    return r;
  }

  SAGE_HD void store(index_t j, lanes<lanes<A, gradients>, Width> const& g) const {
    bool const whole = is_whole(j);
    SAGE_UNROLL
    for (int k = 0; k < gradients; ++k) {
      if (out_[k] == nullptr) continue;
      bool const add = p_.out[k].mode == gradient_mode::add;
      if (groups && whole && out_in_groups_[k]) {
        group to{};
        if (add) to = load_group<group>(out_[k] + j);
        SAGE_UNROLL
        for (int w = 0; w < Width; ++w)
          to.value[w] = static_cast<T>(add ? static_cast<A>(to.value[w]) + g[w][k] : g[w][k]);
        store_group(out_[k] + j, to);
        continue;
      }
      index_t const stride = p_.out[k].to.stride;
      SAGE_UNROLL
      for (int w = 0; w < Width; ++w) {
        if (!is_within(j + w)) continue;
        T& to = out_[k][(j + w) * stride];
        to = static_cast<T>(add ? static_cast<A>(to) + g[w][k] : g[w][k]);
      }
    }
  }

  Problem const& p_;
  lanes<T const*, inputs> in_;
  lanes<T*, gradients> out_;
  lanes<bool, inputs> in_groups_{};
  lanes<bool, gradients> out_in_groups_{};
  index_t first_ = 0;  // position of chunk 0; not positive
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
