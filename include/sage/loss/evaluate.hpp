#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/overlap.hpp>

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN

namespace detail {

/// The members that every loss has, made from a row program. `Loss` is an aggregate of options with
///
///   static constexpr char const* name;                  // "triplet_margin_loss"
///   static constexpr char const* input_names[inputs];   // "anchor", "positive", …
///   static constexpr char const* gradient_names[inputs];
///   static constexpr bool has_labels;                   // integer labels follow the inputs
///   static constexpr index_t smallest_length;           // of a row
///   reduction reduction;
///   auto formula() const;                               // the row program
///   void validate() const;                              // throws argument_error for an option out of range
///
/// and, where it has them, `column_inputs`, how many of the last inputs hold one element per column, and
/// `share(problem, label)`, what a row of that label adds to the divisor of the mean besides its weight.
/// Gradients belong to the first inputs, as many as the row program has.
///
/// and forwards its four members here (an aggregate with a base class could not be initialised by designators
/// without warnings). An executor may stand first in every call, sage::weights(w) last. All tensors of a call have
/// one element type.
template <class Loss>
class evaluation {
 public:
  explicit evaluation(Loss const& loss) noexcept : loss_(loss) {}

  /// loss(x…) → loss_result. Touches no gradient memory.
  template <class... Args>
  auto value(Args&&... args) const {
    return take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return with_element<false>(tensors, [&]<class E>(std::type_identity<E>) {
            return reduced<E, false>(executor, weights, tensors, accumulator_t<E>(1));
          });
        },
        std::forward<Args>(args)...);
  }

  /// loss.value_and_grad(x…, g…) → loss_result; writes ∂(reduced loss)/∂x of every output that is not sage::skip.
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return scaled(1.0, std::forward<Args>(args)...);
  }

  /// The same with the gradients times a factor.
  template <class... Args>
  auto scaled(double factor, Args&&... args) const {
    return take_apart(
        [this, factor](auto const& executor, auto const& weights, auto const& tensors) {
          return with_element<true>(tensors, [&]<class E>(std::type_identity<E>) {
            return reduced<E, true>(executor, weights, tensors, static_cast<accumulator_t<E>>(factor));
          });
        },
        std::forward<Args>(args)...);
  }

  /// loss.per_sample(x…, out): writes the unreduced losses, times their weights; `out` has one element per row.
  template <class... Args>
  auto per_sample(Args&&... args) const {
    return take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return with_element<false, 1>(tensors, [&]<class E>(std::type_identity<E>) {
            return unreduced<E>(executor, weights, tensors);
          });
        },
        std::forward<Args>(args)...);
  }

  /// loss.backward(upstream, x…, g…): the vector-Jacobian product. An upstream number is ∂L/∂(reduced loss); an
  /// upstream tensor is ∂L/∂(loss of each sample).
  template <class... Args>
  void backward(Args&&... args) const {
    split_executor(
        [this]<class Executor, class Upstream, class... Rest>(Executor const& executor, Upstream&& upstream,
                                                              Rest&&... rest) {
          split_weights(
              [&](auto const& weights, auto const& tensors) {
                with_element<true>(tensors, [&]<class E>(std::type_identity<E>) {
                  using A = accumulator_t<E>;
                  if constexpr (tensor<Upstream> || runtime_typed_tensor<Upstream>) {
                    auto const v = input_view<E>(Loss::name, "upstream", upstream);
                    weighted_rows<E>(executor, weights, tensors, v);
                  } else {
                    static_assert(std::convertible_to<Upstream, A>,
                                  "sage: upstream must be a number, or a tensor with one element per sample");
                    reduced<E, true>(executor, weights, tensors, static_cast<A>(upstream));
                  }
                });
              },
              std::forward<Rest>(rest)...);
        },
        std::forward<Args>(args)...);
  }

 private:
  using formula_type = decltype(std::declval<Loss const&>().formula());
  template <class F, class... Args>
  static decltype(auto) take_apart(F const& f, Args&&... args) {
    return split_executor(
        [&](auto const& executor, auto&&... rest) -> decltype(auto) {
          return split_weights(
              [&](auto const& weights, auto const& tensors) -> decltype(auto) {
                return f(executor, weights, tensors);
              },
              std::forward<decltype(rest)>(rest)...);
        },
        std::forward<Args>(args)...);
  }

  static constexpr int inputs() noexcept { return formula_type::inputs; }
  static constexpr int labels_at() noexcept { return inputs(); }
  static constexpr int gradients_at() noexcept { return inputs() + (Loss::has_labels ? 1 : 0); }
  static constexpr int gradients() noexcept { return formula_type::gradients; }
  static constexpr int column_inputs() noexcept {
    if constexpr (requires { Loss::column_inputs; }) return Loss::column_inputs;
    return 0;
  }

  // Counts the arguments and finds the element type, which is that of the first input.
  template <bool Gradients, int Outputs = 0, class Tensors, class F>
  decltype(auto) with_element(Tensors const& tensors, F const& f) const {
    constexpr int expected = gradients_at() + (Gradients ? gradients() : 0) + Outputs;
    static_assert(
        std::tuple_size_v<Tensors> == expected,
        "sage: a loss takes its inputs (and labels, if it has any), then as many gradient outputs for "
        "value_and_grad and backward, or one output for per_sample; sage::skip stands for an output that is "
        "not wanted");
    using first = std::remove_cvref_t<std::tuple_element_t<0, Tensors>>;
    if constexpr (runtime_typed_tensor<first>) {
      return tensor_traits<first>::visit_floating(std::get<0>(tensors), Loss::name, Loss::input_names[0], f);
    } else if constexpr (lazy_tensor<first>) {
      return f(std::type_identity<typename tensor_traits<first>::element_type>{});
    } else {
      static_assert(tensor<first>,
                    "sage: an input is no tensor: include its header of sage/adapt, or specialise "
                    "sage::tensor_traits for it");
      return f(std::type_identity<element_of<first>>{});
    }
  }

  // Validates shapes, binds the inputs and gradient outputs, and calls f(problem, labels, first input's view).
  template <class E, bool Gradients, class Tensors, class F>
  decltype(auto) bound(Tensors const& tensors, F const& f) const {
    loss_.validate();
    return [&]<std::size_t... I>(std::index_sequence<I...>)->decltype(auto) {
      return bind_inputs<E, Gradients>(tensors, f, evaluated(std::get<I>(tensors))...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(inputs())>{});
  }

  template <class E, bool Gradients, class Tensors, class F, class... Inputs>
  decltype(auto) bind_inputs(Tensors const& tensors, F const& f, Inputs const&... input) const {
    auto const views = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::make_tuple(input_view<E>(Loss::name, Loss::input_names[I], input)...);
    }
    (std::index_sequence_for<Inputs...>{});
    auto const& first = std::get<0>(views);
    require_rank(Loss::name, Loss::input_names[0], first);
    row_problem<formula_type, E> p;
    p.formula = loss_.formula();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (bind_input<E, I>(p, std::get<I>(views), first), ...);
    }
    (std::index_sequence_for<Inputs...>{});
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      if constexpr (Gradients)
        (bind_gradient<E, I>(p, std::get<gradients_at() + I>(tensors), std::get<I>(views)), ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(gradients())>{});
    p.rows = p.in[0].rows;
    p.length = p.in[0].length;
    if (p.length < Loss::smallest_length && p.rows > 0)
      raise<shape_error>(Loss::name, ": ", Loss::input_names[0], " has shape ", shape_text(first),
                         ", expected rows of at least ", Loss::smallest_length, " elements");
    require_disjoint(p);
    if constexpr (Loss::has_labels) {
      return with_labels(std::get<static_cast<std::size_t>(labels_at())>(tensors),
                         [&](auto const& labels) -> decltype(auto) {
                           require_rank(Loss::name, "labels", labels);
                           require_one_per_row(Loss::name, "labels", labels, p.rows);
                           auto const elements = as_elements(labels);
                           require_labels(Loss::name, elements, classes_of(p.length), loss_.ignore_index);
                           return f(p, elements);
                         });
    } else {
      return f(p, none_t{});
    }
  }

  template <class E, std::size_t I, class Problem, class View, class First>
  void bind_input(Problem& p, View const& v, First const& first) const {
    static_assert(std::is_same_v<typename View::value_type, E>,
                  "sage: all inputs of a loss have one element type");
    static_assert(View::space == memory_space::host,
                  "sage: this tensor lives on a CUDA device; host executors read host memory");
    if constexpr (I >= inputs() - column_inputs()) {
      p.in[I] = as_columns(Loss::name, Loss::input_names[I], v, p.in[0]);
    } else {
      if constexpr (I > 0)
        require_same_shape(Loss::name, Loss::input_names[I], v, Loss::input_names[0], first);
      p.in[I] = read_only(as_rows(v));
    }
  }

  template <class E, std::size_t I, class Problem, class Gradient, class View>
  void bind_gradient(Problem& p, Gradient&& g, View const& of) const {
    p.out[I] = gradient_of<E>(Loss::name, Loss::gradient_names[I], g, Loss::input_names[I], of);
    p.with_gradient = p.with_gradient || p.out[I].mode != gradient_mode::skip;
  }

  template <class Labels, class F>
  static decltype(auto) with_labels(Labels const& labels, F const& f) {
    if constexpr (runtime_typed_tensor<Labels>) {
      return tensor_traits<Labels>::visit_integers(labels, Loss::name, "labels", f);
    } else {
      static_assert(std::integral<element_of<Labels const>>, "sage: labels are integers, one per sample");
      return f(as_view(labels));
    }
  }

  // Labels are columns of the row, unless the loss has classes of its own.
  static constexpr index_t classes_of([[maybe_unused]] index_t length) noexcept {
    if constexpr (requires { Loss::classes; }) {
      return Loss::classes;
    } else {
      return length;
    }
  }

  // An output may be an input of its own place (in place), else outputs overlap nothing.
  template <class Problem>
  void require_disjoint(Problem const& p) const {
    for (int i = 0; i < gradients(); ++i) {
      if (p.out[i].mode == gradient_mode::skip) continue;
      auto const& to = p.out[i].to;
      if (is_broadcast(to))
        raise<argument_error>(Loss::name, ": ", Loss::gradient_names[i],
                              " is a broadcast view (a stride is 0), expected elements of its own");
      for (int k = 0; k < inputs(); ++k) {
        if (!same_elements(to, p.in[k]) && may_overlap(to, p.in[k]))
          raise<argument_error>(Loss::name, ": ", Loss::gradient_names[i], " overlaps ", Loss::input_names[k],
                                ", expected separate memory or exactly the same elements");
        if (k < i && p.out[k].mode != gradient_mode::skip && may_overlap(to, p.out[k].to))
          raise<argument_error>(Loss::name, ": ", Loss::gradient_names[i], " overlaps ",
                                Loss::gradient_names[k], ", expected separate memory");
      }
    }
  }

  // What row i adds to the divisor of the mean.
  template <class Problem, class Table>
  static auto share(Problem const& p, Table& table, index_t i) {
    if constexpr (requires { Loss::share(p, index_t(0)); }) {
      return table.skipped(i) ? table.weight(i) : table.weight(i) * Loss::share(p, table.label(i));
    } else {
      return table.weight(i);
    }
  }
  template <class Problem, class Table>
  static auto sum_of_shares(Problem const& p, Table& table) {
    if constexpr (requires { Loss::share(p, index_t(0)); }) {
      wide_t<typename Problem::accumulator> sum(0);
      for (index_t i = 0; i < p.rows; ++i) sum = sum + share(p, table, i);
      return sum;
    } else {
      return table.weight_sum();
    }
  }

  // Calls f(rows of the weights, or none).
  template <class E, class Weights, class F>
  static decltype(auto) with_weights(Weights const& weights, index_t rows, F const& f) {
    if constexpr (std::is_same_v<Weights, none_t>) {
      return f(none_t{});
    } else {
      return with_checked_weights<E>(Loss::name, weights, rows, f);
    }
  }

  template <class E, bool Gradients, class Executor, class Weights, class Tensors>
  loss_result<accumulator_t<E>> reduced(Executor const& executor, Weights const& weights,
                                        Tensors const& tensors, accumulator_t<E> const& upstream) const {
    using A = accumulator_t<E>;
    return bound<E, Gradients>(tensors, [&](auto& p, auto const& labels) {
      return with_weights<E>(weights, p.rows, [&](auto const& w) {
        row_table<A, std::remove_cvref_t<decltype(labels)>, std::remove_cvref_t<decltype(w)>, none_t> table(
            p.rows, labels, w, none_t{}, ignored());
        return run_reduced<A>(executor, p, table, upstream);
      });
    });
  }

  template <class A>
  struct row_sums {
    wide_t<A> loss, active_weight;  // Σ w l, Σ w of the active rows
    index_t active, non_finite;
  };

  // In one fixed order, whoever computed the rows: four sums of every fourth row hide the latency of the additions.
  template <class A, class Problem, class Table>
  static row_sums<A> sum_rows(Problem const& p, row_buffer<A>& losses, Table& table) {
    using wide = wide_t<A>;
    wide loss[4] = {wide(0), wide(0), wide(0), wide(0)},
         active_weight[4] = {wide(0), wide(0), wide(0), wide(0)};
    index_t active = 0, non_finite = 0, skipped = 0;
    auto const add = [&](index_t i, int k) {
      if (table.skipped(i)) {
        ++skipped;
        return;
      }
      A const l = losses[i];
      bool const is_active = l > A(0);
      wide const w = wide(table.weight(i));
      loss[k] = loss[k] + w * wide(l);
      active_weight[k] = active_weight[k] + (is_active ? wide(share(p, table, i)) : wide(0));
      active += is_active;
      non_finite += is_non_finite(l);
    };
    index_t i = 0;
    for (; i + 4 <= p.rows; i += 4)
      for (int k = 0; k < 4; ++k) add(i + k, k);
    for (; i < p.rows; ++i) add(i, 0);
    return {(loss[0] + loss[1]) + (loss[2] + loss[3]),
            (active_weight[0] + active_weight[1]) + (active_weight[2] + active_weight[3]),
            decltype(p.formula)::hinged ? active : p.rows - skipped, non_finite};
  }

  template <class A, class Executor, class Problem, class Table>
  loss_result<A> run_reduced(Executor const& executor, Problem& p, Table& table, A const& upstream) const {
    using wide = wide_t<A>;
    row_buffer<A> losses(p.rows);
    p.losses = losses.data();
    table.attach(p);
    bool const with_gradient = p.with_gradient;
    bool const by_active = loss_.reduction == reduction::mean_active;

    wide normalizer = loss_.reduction == reduction::mean ? sum_of_shares(p, table) : wide(1);
    auto const factor = [&] {
      return normalizer == wide(0) ? A(0) : static_cast<A>(wide(upstream) / normalizer);
    };
    // The weight of the active rows is known only after all losses are: their gradient takes a second run.
    p.with_gradient = with_gradient && !by_active;
    if (p.with_gradient) table.scale(p, factor());
    executor(p);

    loss_result<A> r;
    row_sums<A> const sums = sum_rows(p, losses, table);
    r.active = sums.active;
    r.non_finite = sums.non_finite;
    if (by_active) {
      normalizer = sums.active_weight;
      p.with_gradient = with_gradient;
      if (with_gradient) {
        table.scale(p, factor());
        executor(p);
      }
    }
    bool const nothing = normalizer == wide(0) && (Table::has_weights || by_active);
    r.value = nothing ? A(0) : static_cast<A>(sums.loss / normalizer);
    return r;
  }

  template <class E, class Executor, class Weights, class Tensors, class Upstream>
  void weighted_rows(Executor const& executor, Weights const& weights, Tensors const& tensors,
                     Upstream const& upstream) const {
    using A = accumulator_t<E>;
    bound<E, true>(tensors, [&](auto& p, auto const& labels) {
      require_rank(Loss::name, "upstream", upstream);
      require_one_per_row(Loss::name, "upstream", upstream, p.rows);
      with_weights<E>(weights, p.rows, [&](auto const& w) {
        auto const u = as_elements(upstream);
        row_table<A, std::remove_cvref_t<decltype(labels)>, std::remove_cvref_t<decltype(w)>,
                  std::remove_cvref_t<decltype(u)>>
            table(p.rows, labels, w, u, ignored());
        row_buffer<A> losses(p.rows);
        p.losses = losses.data();
        table.attach(p);
        executor(p);
      });
    });
  }

  template <class E, class Executor, class Weights, class Tensors>
  void unreduced(Executor const& executor, Weights const& weights, Tensors const& tensors) const {
    using A = accumulator_t<E>;
    bound<E, false>(tensors, [&](auto& p, auto const& labels) {
      auto&& out = std::get<static_cast<std::size_t>(gradients_at())>(tensors);
      auto const v = output_view<E>(Loss::name, out);
      require_rank(Loss::name, "out", v);
      require_one_per_row(Loss::name, "out", v, p.rows);
      with_weights<E>(weights, p.rows, [&](auto const& w) {
        row_table<A, std::remove_cvref_t<decltype(labels)>, std::remove_cvref_t<decltype(w)>, none_t> table(
            p.rows, labels, w, none_t{}, ignored());
        row_buffer<A> losses(p.rows);
        p.losses = losses.data();
        table.attach(p);
        executor(p);
        auto const to = as_elements(v);
        for (index_t i = 0; i < p.rows; ++i)
          *to.row(i) = static_cast<E>(table.skipped(i) ? A(0) : table.weight(i) * losses[i]);
      });
    });
  }

  index_t ignored() const noexcept {
    if constexpr (Loss::has_labels) {
      return loss_.ignore_index;
    } else {
      return 0;
    }
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
