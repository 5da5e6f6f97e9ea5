#include "sage_adapted.hpp"

#include <sage/adapt/xtensor.hpp>

#if __has_include(<xtensor/containers/xadapt.hpp>)  // from 0.26 on
#include <xtensor/containers/xadapt.hpp>
#else
#include <xtensor/xadapt.hpp>
#endif

#include <array>

void bench::add_sage_xtensor(providers& list, batch<float>& b) {
  add_adapted(list, "sage via xtensor", b, [](auto const& x) {
    std::array<std::size_t, 2> const shape{std::size_t(x.rows), std::size_t(x.columns)};
    return xt::adapt(const_cast<float*>(x.data), std::size_t(x.size()), xt::no_ownership(), shape);
  });
}
