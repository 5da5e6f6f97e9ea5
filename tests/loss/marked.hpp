#pragma once

#include "loss/compare.hpp"
#include "reference/dual.hpp"

#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace reference {

/// A loss that is always called with the same marked arguments behind the others: make(T()) is the tuple of
/// them for the element type T.
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

/// Every executor in float and two arrangements of memory, and double on the scalar schedule: for row
/// programs whose packs of doubles are those of others.
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

/// Elements of half precision: the loss is that of the same numbers in float, bit for bit, and every gradient
/// is rounded once.
template <std::size_t Operands, class Loss, class... Labels>
void halves_are_rounded_once([[maybe_unused]] Loss const& loss, [[maybe_unused]] problem const& p,
                             [[maybe_unused]] Labels const&... labels) {
#if SAGE_HAS_FLOAT16
  using half = _Float16;
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    sage::exec::scalar const ex;
    matrix<half> const x[Operands]{{p.rows, p.length, arrangement::contiguous, p.x[I]}...};
    matrix<float> const wide[Operands]{{p.rows, p.length, arrangement::contiguous, x[I].values()}...};
    matrix<half> g[Operands]{((void)I, matrix<half>(p.rows, p.length))...};
    matrix<float> g_wide[Operands]{((void)I, matrix<float>(p.rows, p.length))...};
    auto const r = loss.value_and_grad(ex, x[I].view()..., labels..., g[I].view()...);
    auto const expected = loss.value_and_grad(ex, wide[I].view()..., labels..., g_wide[I].view()...);
    CHECK(same_bits(r.value, expected.value));
    for (std::size_t k = 0; k < Operands; ++k)
      for (index_t i = 0; i < p.rows; ++i)
        for (index_t j = 0; j < p.length; ++j) CHECK(g[k](i, j) == static_cast<half>(g_wide[k](i, j)));
  }
  (std::make_index_sequence<Operands>{});
#endif
}

/// The gradients are those that dual numbers carry through the value.
template <std::size_t Operands, class Loss, class... Labels>
void duals_carry_the_gradients(Loss const& loss, problem const& p, Labels const&... labels) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    sage::exec::scalar const ex;
    matrix<double> const x[Operands]{{p.rows, p.length, arrangement::contiguous, p.x[I]}...};
    matrix<autodiff::dual> d[Operands]{{p.rows, p.length, arrangement::contiguous, p.x[I]}...};
    matrix<double> g[Operands]{((void)I, matrix<double>(p.rows, p.length))...};
    loss.value_and_grad(ex, x[I].view()..., labels..., g[I].view()...);
    for (std::size_t k = 0; k < Operands; ++k)
      for (index_t i = 0; i < p.rows; ++i)
        for (index_t j = 0; j < p.length; ++j) {
          d[k](i, j).derivative = 1;
          double const carried = loss(ex, std::as_const(d[I]).view()..., labels...).value.derivative;
          d[k](i, j).derivative = 0;
          CHECK(carried == Approx(g[k](i, j)).epsilon(1e-10).margin(1e-14));
        }
  }
  (std::make_index_sequence<Operands>{});
}

/// Numbers that are exact in float, between low and high.
inline std::vector<double> uniform_values(index_t count, std::uint64_t seed, double low, double high) {
  random r(seed);
  std::vector<double> v(static_cast<std::size_t>(count));
  for (auto& x : v) x = static_cast<float>(low + (high - low) * r.uniform());
  return v;
}

inline row row_of(std::vector<double> const& v) { return row_of(v, static_cast<index_t>(v.size()), 0); }

}  // namespace reference
