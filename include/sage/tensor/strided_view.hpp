#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/extents.hpp>

#include <cstddef>
#include <type_traits>

namespace sage {

/// Rank of a view whose number of dimensions is known only at run time (at most `max_rank`).
inline constexpr std::size_t dynamic_rank = static_cast<std::size_t>(-1);
inline constexpr std::size_t max_rank = 8;

/// A non-owning, trivially copyable view of elements at any strides, in the vocabulary of std::mdspan.
///
///   v(i, j) = data_handle()[i · stride(0) + j · stride(1)]
///
/// Units:   strides count elements; zero and negative are allowed.
/// Example: strided_view{pointer, extents{rows, columns}, strides{pitch, 1}}; without strides, row-major.
template <class T, std::size_t Rank, memory_space Space = memory_space::host>
class strided_view {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  static constexpr memory_space space = Space;

  strided_view() = default;
  SAGE_HD SAGE_INLINE constexpr strided_view(T* data, sage::extents<Rank> const& n,
                                               sage::strides<Rank> const& s) noexcept
      : data_(data), extents_(n), strides_(s) {}
  SAGE_HD SAGE_INLINE constexpr strided_view(T* data, sage::extents<Rank> const& n) noexcept
      : data_(data), extents_(n) {
    index_t stride = 1;
    for (std::size_t i = Rank; i-- > 0;) {
      strides_.value[i] = stride;
      stride *= n[i];
    }
  }
  /// A view of mutable elements is a view of const elements.
  template <class U>
    requires(std::is_same_v<U const, T> && !std::is_same_v<U, T>)
  SAGE_HD SAGE_INLINE constexpr strided_view(strided_view<U, Rank, Space> const& v) noexcept
      : data_(v.data_handle()), extents_(v.extents()), strides_(v.strides()) {}

  SAGE_HD SAGE_INLINE static constexpr std::size_t rank() noexcept { return Rank; }
  SAGE_HD SAGE_INLINE constexpr T* data_handle() const noexcept { return data_; }
  SAGE_HD SAGE_INLINE constexpr index_t extent(std::size_t i) const noexcept { return extents_[i]; }
  SAGE_HD SAGE_INLINE constexpr index_t stride(std::size_t i) const noexcept { return strides_[i]; }
  SAGE_HD SAGE_INLINE constexpr sage::extents<Rank> const& extents() const noexcept { return extents_; }
  SAGE_HD SAGE_INLINE constexpr sage::strides<Rank> const& strides() const noexcept { return strides_; }
  SAGE_HD SAGE_INLINE constexpr index_t size() const noexcept {
    index_t n = 1;
    for (std::size_t i = 0; i < Rank; ++i) n *= extents_[i];
    return n;
  }
  template <class... I>
    requires(sizeof...(I) == Rank && (std::is_convertible_v<I, index_t> && ...))
  SAGE_HD SAGE_INLINE constexpr T& operator()(I... i) const noexcept {
    index_t offset = 0;
    std::size_t d = 0;
    ((offset += static_cast<index_t>(i) * strides_[d++]), ...);
    return data_[offset];
  }

 private:
  T* data_ = nullptr;
  sage::extents<Rank> extents_{};
  sage::strides<Rank> strides_{};
};

/// The same with the number of dimensions known only at run time, for `at::Tensor`, DLPack and their like.
template <class T, memory_space Space>
class strided_view<T, dynamic_rank, Space> {
 public:
  using element_type = T;
  using value_type = std::remove_cv_t<T>;
  static constexpr memory_space space = Space;

  strided_view() = default;
  /// `rank` ≤ max_rank; extents and strides are copied.
  template <class Extent, class Stride>
  SAGE_INLINE constexpr strided_view(T* data, std::size_t rank, Extent const* n, Stride const* s) noexcept
      : data_(data), rank_(rank) {
    for (std::size_t i = 0; i < rank; ++i) {
      extents_[i] = static_cast<index_t>(n[i]);
      strides_[i] = static_cast<index_t>(s[i]);
    }
  }

  SAGE_INLINE constexpr std::size_t rank() const noexcept { return rank_; }
  SAGE_INLINE constexpr T* data_handle() const noexcept { return data_; }
  SAGE_INLINE constexpr index_t extent(std::size_t i) const noexcept { return extents_[i]; }
  SAGE_INLINE constexpr index_t stride(std::size_t i) const noexcept { return strides_[i]; }
  SAGE_INLINE constexpr index_t size() const noexcept {
    index_t n = 1;
    for (std::size_t i = 0; i < rank_; ++i) n *= extents_[i];
    return n;
  }

 private:
  T* data_ = nullptr;
  std::size_t rank_ = 0;
  index_t extents_[max_rank]{};
  index_t strides_[max_rank]{};
};

template <class T>
inline constexpr bool is_strided_view = false;
template <class T, std::size_t Rank, memory_space Space>
inline constexpr bool is_strided_view<strided_view<T, Rank, Space>> = true;

}  // namespace sage
