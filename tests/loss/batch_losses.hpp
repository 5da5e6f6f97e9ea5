#pragma once

#include "loss/every_loss.hpp"

#include <sage/formula/dot_product.hpp>
#include <sage/loss/cam_alignment.hpp>
#include <sage/loss/info_nce.hpp>
#include <sage/loss/mined_triplet.hpp>
#include <sage/loss/nt_xent.hpp>

#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

/// The losses that every_loss.hpp does not list: their operands have several shapes, or their rows meet each other.
/// What needs no definition (scalars of all kinds, precision of halves) is tested over this list; each has a test of
/// its definition in the file of its name.
namespace every_loss {

/// A loss with the number of elements of each operand, and how its members are called: `call(members, x, g)` hands the
/// operands and gradients on as tensors of their shapes.
template <class Call>
struct batch_subject {
  char const* name;
  index_t rows;
  std::vector<index_t> sizes;
  Call call;

  std::vector<std::vector<double>> random(std::uint64_t seed) const {
    std::vector<std::vector<double>> x;
    for (std::size_t k = 0; k < sizes.size(); ++k)
      x.push_back(normal_values(sizes[k], 8 * seed + static_cast<std::uint64_t>(k)));
    return x;
  }

  template <class T>
  auto run(std::vector<std::vector<T>> const& x) const {
    std::vector<std::vector<T>> g;
    for (index_t const n : sizes) g.emplace_back(static_cast<std::size_t>(n), T(0));
    std::vector<T> values(static_cast<std::size_t>(rows));
    auto const members = [&values](auto const& loss, auto const& inputs, auto const& gradients) {
      sage::exec::scalar const scalar;
      std::apply([&](auto const&... in) { loss.per_sample(scalar, in..., values); }, inputs);
      return std::apply([&](auto const&... all) { return loss.value_and_grad(scalar, all...); },
                        std::tuple_cat(inputs, gradients));
    };
    auto const result = call(members, x, g);
    return outcome<T, decltype(result.value)>{result.value, result.active, result.non_finite, std::move(values),
                                              std::move(g)};
  }
};

/// Calls f(batch_subject) for every such loss.
template <class F>
void for_each_batch_loss(F const& f) {
  auto const as = [](auto& v, auto... n) { return sage::strided_view{v.data(), sage::extents{n...}}; };
  auto const subject = []<class Call>(char const* name, index_t rows, std::vector<index_t> sizes,
                                      Call const& call) {
    return batch_subject<Call>{name, rows, std::move(sizes), call};
  };
  auto const of_batch = [&](char const* name, auto const& loss) {
    f(subject(name, 6, {24}, [=](auto const& members, auto& x, auto& g) {
      std::vector<int> const labels{0, 0, 1, 1, 0, 1};
      return members(loss, std::tuple(as(x[0], 6, 4), labels), std::tuple(as(g[0], 6, 4)));
    }));
  };
  of_batch("mined_triplet_loss<batch_hard>", sage::mined_triplet_loss<>{.margin = 1});
  of_batch("mined_triplet_loss<batch_all, euclidean>",
           sage::mined_triplet_loss<sage::batch_all, sage::euclidean>{.margin = 1});
  of_batch("nt_xent_loss", sage::nt_xent_loss<>{.temperature = 1});

  f(subject("info_nce_loss with negatives", 4, {20, 20, 60}, [=](auto const& members, auto& x, auto& g) {
    sage::info_nce_loss<sage::dot_product> const loss{.temperature = 2};
    return members(loss, std::tuple(as(x[0], 4, 5), as(x[1], 4, 5), as(x[2], 4, 3, 5)),
                   std::tuple(as(g[0], 4, 5), as(g[1], 4, 5), as(g[2], 4, 3, 5)));
  }));
  f(subject("info_nce_loss in-batch", 4, {20, 20}, [=](auto const& members, auto& x, auto& g) {
    sage::info_nce_loss<> const loss{.temperature = 1, .symmetric = true};
    return members(loss, std::tuple(as(x[0], 4, 5), as(x[1], 4, 5)),
                   std::tuple(as(g[0], 4, 5), as(g[1], 4, 5)));
  }));
  // Two pictures of three channels and 2 × 2 pixels, two classes; the human maps are constants.
  f(subject("cam_alignment_loss", 2, {24, 6}, [=](auto const& members, auto& x, auto& g) {
    std::vector<int> const labels{1, 0};
    std::remove_cvref_t<decltype(x[0])> map;
    for (int j = 0; j < 8; ++j) map.push_back(static_cast<typename decltype(map)::value_type>(j / 8.0f));
    return members(sage::cam_alignment_loss{},
                   std::tuple(as(x[0], 2, 3, 2, 2), as(x[1], 2, 3), labels, as(map, 2, 2, 2)),
                   std::tuple(as(g[0], 2, 3, 2, 2), as(g[1], 2, 3)));
  }));
}

}  // namespace every_loss
