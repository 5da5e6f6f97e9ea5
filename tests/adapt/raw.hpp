#pragma once

#include "catch.hpp"
#include "reference/batch.hpp"

#include <sage/loss/triplet_margin.hpp>

#include <array>
#include <cstddef>
#include <vector>

/// What raw pointers give for one batch of triplets: adapted tensors must give the same bits, for only the
/// way to the elements differs.
namespace raw {

using sage::index_t;

inline constexpr index_t rows = 5, columns = 37;  // more than two of the widest vectors, and a tail

template <class T>
struct triplets {
  std::array<std::vector<T>, 3> x, gradient;
  sage::triplet_margin_loss<> loss{.margin = 0.5};
  decltype(loss(std::declval<std::vector<T>&>(), std::declval<std::vector<T>&>(),
                std::declval<std::vector<T>&>())) result;

  triplets() {
    for (std::size_t k = 0; k < 3; ++k) {
      for (double const v : reference::normal_values(rows * columns, 11 + k))
        x[k].push_back(static_cast<T>(v));
      gradient[k].resize(x[k].size());
    }
    result = loss.value_and_grad(view(x[0]), view(x[1]), view(x[2]), view(gradient[0]), view(gradient[1]),
                                 view(gradient[2]));
    REQUIRE(result.active > 0);
  }

  static auto view(std::vector<T>& v) { return sage::strided_view{v.data(), sage::extents{rows, columns}}; }
  T at(std::size_t operand, index_t i, index_t j) const {
    return x[operand][static_cast<std::size_t>(i * columns + j)];
  }

  /// Fills the three tensors through `element(tensor, i, j)`, runs the loss on them, and compares.
  template <class Tensors, class Element>
  void compare(Tensors& in, Tensors& out, Element const& element) const {
    for (std::size_t k = 0; k < 3; ++k)
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < columns; ++j) element(in[k], i, j) = at(k, i, j);
    auto const r = loss.value_and_grad(in[0], in[1], in[2], out[0], out[1], out[2]);
    CHECK(reference::same_bits(r.value, result.value));
    CHECK(r.active == result.active);
    for (std::size_t k = 0; k < 3; ++k) {
      std::vector<T> g;
      for (index_t i = 0; i < rows; ++i)
        for (index_t j = 0; j < columns; ++j) g.push_back(element(out[k], i, j));
      CHECK(reference::same_bits(g, gradient[k]));
    }
  }
};

}  // namespace raw
