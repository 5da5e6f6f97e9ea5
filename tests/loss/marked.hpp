#pragma once

#include "loss/compare.hpp"

#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace reference {

/// A loss that is always called with the same marked arguments behind the others: make(T()) is the tuple of them for
/// the element type T.
template <class Loss, class Make>
struct marked {
  Loss loss;
  Make make;

  template <class Executor, class View, class... Rest>
  auto operator()(Executor const& e, View const& x, Rest const&... rest) const {
    return std::apply([&](auto const&... m) { return loss(e, x, rest..., m...); }, marks(x));
  }
  template <class Executor, class View, class... Rest>
  auto value_and_grad(Executor const& e, View const& x, Rest&&... rest) const {
    return std::apply([&](auto const&... m) { return loss.value_and_grad(e, x, rest..., m...); }, marks(x));
  }
  template <class Executor, class View, class... Rest>
  void per_sample(Executor const& e, View const& x, Rest&&... rest) const {
    std::apply([&](auto const&... m) { loss.per_sample(e, x, rest..., m...); }, marks(x));
  }

 private:
  template <class View>
  auto marks(View const&) const {
    return make(typename View::value_type());
  }
};
template <class Loss, class Make>
marked(Loss, Make) -> marked<Loss, Make>;

/// Every executor in float and two arrangements of memory, and double on the scalar schedule: for row programs whose
/// packs of doubles are those of others.
template <std::size_t Operands, class Loss, class... Labels>
void compare_in_float(Loss const& loss, problem const& p, answers const& expected, Labels const&... labels) {
  for_each_executor([&](any_executor const& executor) {
    CAPTURE(executor.name(), p.length);
    compare<float, Operands>(executor, loss, p, expected, arrangement::contiguous, labels...);
    compare<float, Operands>(executor, loss, p, expected, arrangement::strided, labels...);
  });
  CAPTURE(p.length);
  compare<double, Operands>(sage::exec::scalar{}, loss, p, expected, arrangement::transposed, labels...);
}

/// The same numbers in both types.
struct in_both_types {
  std::vector<float> single;
  std::vector<double> twice;

  explicit in_both_types(std::vector<double> const& v) : single(to<float>(v)), twice(v) {}
  std::vector<float> const& of(float) const { return single; }
  std::vector<double> const& of(double) const { return twice; }
};

/// Numbers that are exact in float, between low and high.
inline std::vector<double> uniform_values(index_t count, std::uint64_t seed, double low, double high) {
  random r(seed);
  std::vector<double> v(static_cast<std::size_t>(count));
  for (auto& x : v) x = static_cast<float>(low + (high - low) * r.uniform());
  return v;
}

inline row row_of(std::vector<double> const& v) { return row_of(v, static_cast<index_t>(v.size()), 0); }

}  // namespace reference
