#include "catch.hpp"

#include <sage/adapt/cuda_mdspan.hpp>
#include <sage/exec/emulated.hpp>
#include <sage/loss/triplet_margin.hpp>

#include <type_traits>
#include <vector>

// libcu++ needs no CUDA compiler: what an mdspan becomes is tested on the host, where the emulation of a device stands for
// sage::exec::cuda.

namespace {

namespace cu = cuda::std;
using matrix = cu::mdspan<float, cu::dextents<int, 2>>;
using transposed = cu::mdspan<float const, cu::dextents<int, 2>, cu::layout_left>;
using pitched = cu::mdspan<float, cu::dextents<long long, 2>, cu::layout_stride>;

static_assert(sage::tensor<matrix> && sage::tensor<transposed const> && sage::tensor<pitched>);
static_assert(sage::tensor_traits<matrix>::space == sage::memory_space::cuda);
static_assert(
    std::is_same_v<sage::view_of<transposed>, sage::strided_view<float const, 2, sage::memory_space::cuda>>);
static_assert(!sage::tensor<cu::mdspan<float, cu::extents<int>>>);

/// A device whose memory is the host's.
struct gpu : sage::exec::emulated_device<> {
  static constexpr auto space = sage::memory_space::cuda;
};

}  // namespace

TEST_CASE("an mdspan shows its own elements, whatever its layout") {
  std::vector<float> memory(24);
  matrix const m(memory.data(), 4, 6);
  auto const v = sage::as_view(m);
  CHECK(v.data_handle() == memory.data());
  CHECK(v.extent(0) == 4);
  CHECK(v.stride(0) == 6);
  CHECK(v.stride(1) == 1);
  transposed const left(memory.data(), 4, 6);
  auto const t = sage::as_view(left);
  CHECK(t.stride(0) == 1);
  CHECK(t.stride(1) == 4);
  cu::array<long long, 2> const strides{8, 1};
  pitched const part(memory.data() + 2, {cu::dextents<long long, 2>(3, 5), strides});
  auto const p = sage::as_view(part);
  CHECK(p.data_handle() == memory.data() + 2);
  CHECK(p.extent(1) == 5);
  CHECK(p.stride(0) == 8);
}

TEST_CASE("mdspans are operands and gradients of a loss on a device") {
  std::vector<float> x{0, 0, 1, 1}, x_plus{3, 4, 1, 2}, x_minus{0, 4, 5, 1}, d_x(4);
  auto const rows = [](std::vector<float>& v) { return matrix(v.data(), 2, 2); };
  sage::loss_result<float> r;
  sage::triplet_margin_loss<>{.margin = 0.2}.value_and_grad(
      gpu{}, rows(x), rows(x_plus), rows(x_minus), rows(d_x), sage::skip, sage::skip, sage::into(&r));
  // examples/quickstart.cpp: 0.600, and the gradient of the first row −0.300 0.100
  CHECK(r.value == Approx(0.6));
  CHECK(r.active == 1);
  CHECK(d_x[0] == Approx(-0.3));
  CHECK(d_x[1] == Approx(0.1));
}
