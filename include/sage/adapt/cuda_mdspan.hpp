#pragma once
/// cuda::std::mdspan of the CUDA toolkit's libcu++ (<cuda/std/mdspan>) as memory on a CUDA device: an argument of every loss
/// that runs there, in any layout with strides.
///
///   loss.value_and_grad(sage::exec::cuda{.stream = s}, a, p, n, d_a, sage::skip, sage::skip, sage::into(result));
///
/// An mdspan does not say whose memory it shows. One of the host's, for an executor of the host, is given as
/// sage::strided_view{m.data_handle(), sage::extents{m.extent(0), m.extent(1)}}.

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/core/memory_space.hpp>
#include <sage/tensor/extents.hpp>
#include <sage/tensor/strided_view.hpp>
#include <sage/tensor/tensor_traits.hpp>

#include <cuda/std/mdspan>

#include <cstddef>
#include <type_traits>

namespace sage {

template <class T, class Extents, class Layout, class Accessor>
  requires(Extents::rank() > 0 && std::is_same_v<typename Accessor::reference, T&> &&
           Layout::template mapping<Extents>::is_always_strided())
struct tensor_traits<cuda::std::mdspan<T, Extents, Layout, Accessor>> {
  using element_type = std::remove_cv_t<T>;
  static constexpr std::size_t rank = Extents::rank();
  static constexpr auto space = memory_space::cuda;

  template <class G>
  SAGE_INLINE static auto view(G& m) noexcept {
    extents<rank> n;
    strides<rank> s;
    for (std::size_t d = 0; d < rank; ++d) {
      n.value[d] = static_cast<index_t>(m.extent(d));
      s.value[d] = static_cast<index_t>(m.stride(d));
    }
    return strided_view<T, rank, memory_space::cuda>(m.data_handle(), n, s);
  }
};

}  // namespace sage
