#pragma once

#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/device_evaluation.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/loss/row_sums.hpp>
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
/// and, where it has them, `column_inputs`, how many of the last inputs hold one number ≥ 0 per column, and
/// `share_input`, the one whose element at its label multiplies what a row adds to the divisor of the mean.
/// Gradients belong to the first inputs, as many as the row program has.
///
/// and forwards its four members here (an aggregate with a base class could not be initialised by designators
/// without warnings). An executor may stand first in every call, sage::weights(w) last. All tensors of a call have
/// one element type. On a device executor the value stays there: value and value_and_grad end with sage::into(r) and
/// return nothing, and a label that is no class makes its row NaN.
template <class Loss>
class evaluation {
 public:
  explicit evaluation(Loss const& loss) noexcept : loss_(loss) {}

  /// loss(x…) → loss_result. Touches no gradient memory.
  template <class... Args>
  auto value(Args&&... args) const {
    return detail::take_apart<runs::anywhere>(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return with_element<false>(tensors, [&]<class E>(std::type_identity<E>) {
            return reduced<E, false, true>(executor, weights, tensors, accumulator_t<E>(1));
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
    return detail::take_apart<runs::anywhere>(
        [this, factor](auto const& executor, auto const& weights, auto const& tensors) {
          return with_element<true>(tensors, [&]<class E>(std::type_identity<E>) {
            return reduced<E, true, true>(executor, weights, tensors, static_cast<accumulator_t<E>>(factor));
          });
        },
        std::forward<Args>(args)...);
  }

  /// loss.per_sample(x…, out): writes the unreduced losses, times their weights; `out` has one element per row.
  template <class... Args>
  auto per_sample(Args&&... args) const {
    return detail::take_apart<runs::anywhere>(
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
    detail::take_apart_backward<runs::anywhere>(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          with_element<true>(tensors, [&]<class E>(std::type_identity<E>) {
            with_upstream<accumulator_t<E>>(
                upstream, [&](auto const& u) { weighted_rows<E>(executor, weights, tensors, u); },
                [&](accumulator_t<E> const& u) { reduced<E, true, false>(executor, weights, tensors, u); });
          });
        },
        std::forward<Args>(args)...);
  }

 private:
  using formula_type = decltype(std::declval<Loss const&>().formula());
  static constexpr int inputs() noexcept { return formula_type::inputs; }
  static constexpr int labels_at() noexcept { return inputs(); }
  static constexpr int gradients_at() noexcept { return inputs() + (Loss::has_labels ? 1 : 0); }
  static constexpr int gradients() noexcept { return formula_type::gradients; }
  static constexpr int column_inputs() noexcept {
    if constexpr (requires { Loss::column_inputs; }) return Loss::column_inputs;
    return 0;
  }

  static constexpr bool has_shares = requires { Loss::share_input; };

  // Counts the arguments and finds the element type, which is that of the first input.
  template <bool Gradients, int Outputs = 0, class Tensors, class F>
  decltype(auto) with_element(Tensors const& tensors, F const& f) const {
    constexpr bool counts =
        std::tuple_size_v<Tensors> == gradients_at() + (Gradients ? gradients() : 0) + Outputs;
    static_assert(
        counts,
        "sage: a loss takes its inputs (and labels, if it has any), then as many gradient outputs for "
        "value_and_grad and backward, or one output for per_sample; sage::skip stands for an output that is "
        "not wanted; backward takes the upstream gradient before all of them");
    if constexpr (counts) return with_element_of(Loss::name, Loss::input_names[0], std::get<0>(tensors), f);
  }

  // Validates shapes, binds the inputs and gradient outputs, and calls f(problem, labels, first input's view).
  template <class E, bool Gradients, class Executor, class Tensors, class F>
  decltype(auto) bound(Executor const& executor, Tensors const& tensors, F const& f) const {
    loss_.validate();
    return [&]<std::size_t... I>(std::index_sequence<I...>)->decltype(auto) {
      return bind_inputs<E, Gradients>(executor, tensors, f, evaluated(std::get<I>(tensors))...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(inputs())>{});
  }

  template <class E, bool Gradients, class Executor, class Tensors, class F, class... Inputs>
  decltype(auto) bind_inputs(Executor const& executor, Tensors const& tensors, F const& f,
                             Inputs const&... input) const {
    auto const views = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::make_tuple(input_view<E>(Loss::name, Loss::input_names[I], input)...);
    }
    (std::index_sequence_for<Inputs...>{});
    auto const& first = std::get<0>(views);
    require_rank(Loss::name, Loss::input_names[0], first);
    row_problem<formula_type, E> p;
    p.formula = loss_.formula();
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      (bind_input<E, I>(executor, p, std::get<I>(views), first), ...);
    }
    (std::index_sequence_for<Inputs...>{});
    [&]<std::size_t... I>(std::index_sequence<I...>) {
      if constexpr (Gradients)
        (bind_gradient<E, I>(executor, p, std::get<gradients_at() + I>(tensors), std::get<I>(views)), ...);
    }
    (std::make_index_sequence<static_cast<std::size_t>(gradients())>{});
    p.rows = p.in[0].rows;
    p.length = p.in[0].length;
    if (p.length < Loss::smallest_length && p.rows > 0)
      raise<shape_error>(Loss::name, ": ", Loss::input_names[0], " has shape ", shape_text(first),
                         ", expected rows of at least ", Loss::smallest_length, " elements");
    require_disjoint(p);
    if constexpr (Loss::has_labels) {
      return with_labels(Loss::name, std::get<static_cast<std::size_t>(labels_at())>(tensors),
                         [&](auto const& labels) -> decltype(auto) {
                           require_rank(Loss::name, "labels", labels);
                           require_one_per_row(Loss::name, "labels", labels, p.rows);
                           require_space<Executor, std::remove_cvref_t<decltype(labels)>>();
                           auto const elements = as_elements(labels);
                           if constexpr (is_device_call<Executor>) {
                             require_reachable(executor, "labels", elements);
                           } else {
                             require_labels(Loss::name, elements, classes_of(p.length), loss_.ignore_index);
                           }
                           return f(p, elements);
                         });
    } else {
      return f(p, none_t{});
    }
  }

  template <class E, std::size_t I, class Executor, class Problem, class View, class First>
  void bind_input([[maybe_unused]] Executor const& executor, Problem& p, View const& v,
                  First const& first) const {
    constexpr bool same_type = std::is_same_v<typename View::value_type, E>;
    static_assert(same_type, "sage: all inputs of a loss have one element type");
    require_space<Executor, View>();
    if constexpr (!same_type) {
      return;
    } else if constexpr (I >= inputs() - column_inputs()) {
      p.in[I] = as_columns(Loss::name, Loss::input_names[I], v, p.in[0]);
      if constexpr (is_device_call<Executor>) {
        require_reachable(executor, Loss::input_names[I], p.in[I]);
      } else {
        require_column_weights(Loss::name, Loss::input_names[I], p.in[I]);
      }
    } else {
      if constexpr (I > 0)
        require_same_shape(Loss::name, Loss::input_names[I], v, Loss::input_names[0], first);
      p.in[I] = read_only(as_rows(v));
      if constexpr (is_device_call<Executor>) require_reachable(executor, Loss::input_names[I], p.in[I]);
    }
  }

  template <class E, std::size_t I, class Executor, class Problem, class Gradient, class View>
  void bind_gradient([[maybe_unused]] Executor const& executor, Problem& p, Gradient&& g,
                     View const& of) const {
    require_output_space<Executor, std::remove_cvref_t<Gradient>>();
    p.out[I] = gradient_of<E>(Loss::name, Loss::gradient_names[I], g, Loss::input_names[I], of);
    p.with_gradient = p.with_gradient || p.out[I].mode != gradient_mode::skip;
    if constexpr (is_device_call<Executor>)
      if (p.out[I].mode != gradient_mode::skip)
        require_reachable(executor, Loss::gradient_names[I], p.out[I].to);
  }

  // Throws cuda_error unless the device of the call can read the rows.
  template <class Call, class Rows>
  static void require_reachable(Call const& call, char const* name, Rows const& rows) {
    if (rows.rows > 0 && rows.length > 0) call.executor.require_reachable(Loss::name, name, rows.data);
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
      require_own_elements(Loss::name, Loss::gradient_names[i], to);
      for (int k = 0; k < inputs(); ++k) {
        if (!same_elements(to, p.in[k]) && may_overlap(to, p.in[k]))
          raise<argument_error>(Loss::name, ": ", Loss::gradient_names[i], " overlaps ", Loss::input_names[k],
                                ", expected separate memory or exactly the same elements");
        if (k < i && p.out[k].mode != gradient_mode::skip)
          require_separate(Loss::name, Loss::gradient_names[i], to, Loss::gradient_names[k], p.out[k].to);
      }
    }
  }

  // What row i adds to the divisor of the mean.
  template <class Problem, class Table>
  static auto share(Problem const& p, Table& table, index_t i) {
    if constexpr (has_shares) {
      auto const& shares = p.in[Loss::share_input];
      using A = typename Problem::accumulator;
      return table.skipped(i)
                 ? table.weight(i)
                 : table.weight(i) * static_cast<A>(shares.row(0)[table.label(i) * shares.stride]);
    } else {
      return table.weight(i);
    }
  }
  template <class Problem, class Table>
  static auto sum_of_shares(Problem const& p, Table& table) {
    if constexpr (has_shares) {
      wide_t<typename Problem::accumulator> sum(0);
      for (index_t i = 0; i < p.rows; ++i) sum = sum + share(p, table, i);
      return sum;
    } else {
      return table.weight_sum();
    }
  }

  // Value and, unless Gradients is false, gradients; the value is wanted unless HasValue is false.
  template <class E, bool Gradients, bool HasValue, class Executor, class Weights, class Tensors>
  auto reduced(Executor const& executor, Weights const& weights, Tensors const& tensors,
               accumulator_t<E> const& upstream) const {
    if constexpr (is_device_call<Executor>) {
      bound<E, Gradients>(executor, tensors, [&](auto& p, auto const& labels) {
        auto b = batch_of<E>(executor, Loss::name, p, labels, weights, ignored(), classes_of(p.length));
        if constexpr (has_shares) {
          b.shares = p.in[Loss::share_input].data;
          b.between_shares = p.in[Loss::share_input].stride;
        }
        reduce_on_device<HasValue>(executor, b, loss_.reduction, upstream);
      });
    } else {
      return reduced_on_host<E, Gradients>(executor, weights, tensors, upstream);
    }
  }

  template <class E, bool Gradients, class Executor, class Weights, class Tensors>
  loss_result<accumulator_t<E>> reduced_on_host(Executor const& executor, Weights const& weights,
                                                Tensors const& tensors,
                                                accumulator_t<E> const& upstream) const {
    using A = accumulator_t<E>;
    return bound<E, Gradients>(executor, tensors, [&](auto& p, auto const& labels) {
      return with_weights<E>(Loss::name, weights, p.rows, [&](auto const& w) {
        row_table<A, std::remove_cvref_t<decltype(labels)>, std::remove_cvref_t<decltype(w)>, none_t> table(
            p.rows, labels, w, none_t{}, ignored());
        return run_reduced<A>(executor, p, table, upstream);
      });
    });
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
    // The weight of the active rows is known only after all losses are: their gradient takes a second run.
    p.with_gradient = with_gradient && !by_active;
    if (p.with_gradient) table.scale(p, over_divisor(upstream, normalizer));
    executor(p);

    auto const sums = sum_rows(p.rows, losses.data(), table, formula_type::hinged, by_active,
                               [&](index_t i) { return share(p, table, i); });
    if (by_active) {
      normalizer = sums.active_weight;
      p.with_gradient = with_gradient;
      if (with_gradient) {
        table.scale(p, over_divisor(upstream, normalizer));
        executor(p);
      }
    }
    return {mean_of<A>(sums.loss, normalizer, Table::has_weights || by_active), sums.active, sums.non_finite};
  }

  template <class E, class Executor, class Weights, class Tensors, class Upstream>
  void weighted_rows(Executor const& executor, Weights const& weights, Tensors const& tensors,
                     Upstream const& upstream) const {
    using A = accumulator_t<E>;
    bound<E, true>(executor, tensors, [&](auto& p, auto const& labels) {
      if constexpr (is_device_call<Executor>) {
        auto b = batch_of<E>(executor, Loss::name, p, labels, weights, ignored(), classes_of(p.length));
        b.upstreams = numbers_on_device<E>(executor, Loss::name, "upstream", upstream, p.rows);
        return evaluation_on(executor, b).gradients();
      } else {
        with_weights<E>(Loss::name, weights, p.rows, [&](auto const& w) {
          auto const u = per_sample_input<E>(Loss::name, "upstream", upstream, p.rows);
          row_table<A, std::remove_cvref_t<decltype(labels)>, std::remove_cvref_t<decltype(w)>,
                    std::remove_cvref_t<decltype(u)>>
              table(p.rows, labels, w, u, ignored());
          row_buffer<A> losses(p.rows);
          p.losses = losses.data();
          table.attach(p);
          executor(p);
        });
      }
    });
  }

  template <class E, class Executor, class Weights, class Tensors>
  void unreduced(Executor const& executor, Weights const& weights, Tensors const& tensors) const {
    using A = accumulator_t<E>;
    bound<E, false>(executor, tensors, [&](auto& p, auto const& labels) {
      auto&& out = std::get<static_cast<std::size_t>(gradients_at())>(tensors);
      require_output_space<Executor, std::remove_cvref_t<decltype(out)>>();
      auto const to = per_sample_output<E>(Loss::name, out, p.rows);
      if constexpr (is_device_call<Executor>) {
        require_reachable(executor, "out", to);
        auto const b = batch_of<E>(executor, Loss::name, p, labels, weights, ignored(), classes_of(p.length));
        return evaluation_on(executor, b).values(to);
      } else {
        with_weights<E>(Loss::name, weights, p.rows, [&](auto const& w) {
          row_table<A, std::remove_cvref_t<decltype(labels)>, std::remove_cvref_t<decltype(w)>, none_t> table(
              p.rows, labels, w, none_t{}, ignored());
          row_buffer<A> losses(p.rows);
          p.losses = losses.data();
          table.attach(p);
          executor(p);
          for (index_t i = 0; i < p.rows; ++i)
            *to.row(i) = static_cast<E>(table.skipped(i) ? A(0) : table.weight(i) * losses[i]);
        });
      }
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
