#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/gradient_sums.hpp>
#include <sage/loss/row_sums.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/loss/sage_operands.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/shape.hpp>

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN

/// The SAGE loss with every term by name, each before its weight.
template <class A>
struct sage_result {
  A value{};                    // the total
  A classification{};           // cross entropy of x
  A positive_classification{};  // cross entropy of x⁺
  A triplet{};
  A consistency{};
  A degradation{};
  index_t active = 0;      // triplets that violate the margin
  index_t non_finite = 0;  // non-finite losses of samples, over all terms

  /// In another precision, see loss_result.
  template <class B>
  explicit constexpr operator sage_result<B>() const {
    return {static_cast<B>(value),       static_cast<B>(classification), static_cast<B>(positive_classification),
            static_cast<B>(triplet),     static_cast<B>(consistency),    static_cast<B>(degradation),
            active,                      non_finite};
  }
};

namespace detail {

/// The members of sage_loss: validates everything once, then runs term after term. `Loss` is sage_loss<…>.
template <class Loss>
class sage_evaluation {
 public:
  explicit sage_evaluation(Loss const& loss) noexcept : loss_(loss) {}

  template <class... Args>
  auto value(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<0>(weights, tensors, [&](auto const& given, auto const&, auto const&) {
            return in_accumulator(given, [&](auto const& x) {
              auto dz = no_gradients(x), de = no_gradients(x);
              return reduced(executor, x, 1.0, dz, de);
            });
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<2>(weights, tensors, [&](auto const& given, auto const& shapes, auto const& outputs) {
            return with_gradients(given, shapes, outputs, [&](auto const& x, auto& dz, auto& de) {
              return reduced(executor, x, 1.0, dz, de);
            });
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          bound<1>(weights, tensors, [&](auto const& given, auto const&, auto const& outputs) {
            in_accumulator(given, [&](auto const& x) { unreduced(executor, x, std::get<0>(outputs)); });
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void backward(Args&&... args) const {
    detail::take_apart_backward(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          bound<2>(weights, tensors, [&](auto const& given, auto const& shapes, auto const& outputs) {
            with_gradients(given, shapes, outputs, [&](auto const& x, auto& dz, auto& de) {
              with_upstream<double>(
                  upstream, [&](auto const& u) { weighted_rows(executor, x, u, dz, de); },
                  [&](double u) { reduced(executor, x, u, dz, de); });
            });
          });
        },
        std::forward<Args>(args)...);
  }

 private:
  // Calls f(operands, shapes of logits and embeddings, tuple of the arguments behind the labels).
  template <int Outputs, class Weights, class Tensors, class F>
  decltype(auto) bound(Weights const& weights, Tensors const& tensors, F const& f) const {
    constexpr bool counts = std::tuple_size_v<Tensors> == 3 + Outputs;
    static_assert(counts,
                  "sage: sage_loss takes sage::views of the logits, sage::views of the embeddings and the labels; "
                  "then sage::views of both gradients for value_and_grad and backward, or one output for per_sample; "
                  "sage::weights(w) last; backward takes the upstream gradient before all of them");
    if constexpr (counts)
      return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
        return bind(weights, std::get<0>(tensors), std::get<1>(tensors), std::get<2>(tensors), f,
                    std::tie(std::get<3 + I>(tensors)...));
      }(std::make_index_sequence<static_cast<std::size_t>(Outputs)>{});
  }

  template <class Weights, class Z, class H, class Labels, class F, class Outputs>
  decltype(auto) bind(Weights const& weights, Z const& z, H const& e, Labels const& labels, F const& f,
                      Outputs const& outputs) const {
    constexpr bool given_as_views = is_views<Z> && is_views<H>;
    static_assert(given_as_views, "sage: logits and embeddings are given as sage::views(x, plus, minus)");
    if constexpr (given_as_views)
      return with_element_of(Loss::name, "logits", z.x, [&]<class E>(std::type_identity<E>) -> decltype(auto) {
        return with_labels(Loss::name, labels, [&](auto const& y) -> decltype(auto) {
          return bind_views<E>(weights, y, f, outputs, evaluated(z.x), evaluated(z.plus), evaluated(z.minus),
                               evaluated(e.x), evaluated(e.plus), evaluated(e.minus));
        });
      });
  }

  template <class E, class Weights, class Labels, class F, class Outputs, class Z, class Zp, class Zm, class H,
            class Hp, class Hm>
  decltype(auto) bind_views(Weights const& weights, Labels const& labels, F const& f, Outputs const& outputs, Z const& z,
                            Zp const& zp, Zm const& zm, H const& e, Hp const& ep, Hm const& em) const {
    loss_.validate();
    auto const zv = views(input_view<E>(Loss::name, "logits", z), input_view<E>(Loss::name, "logits of x+", zp),
                          input_view<E>(Loss::name, "logits of x-", zm));
    auto const ev = views(input_view<E>(Loss::name, "embeddings", e), input_view<E>(Loss::name, "embeddings of x+", ep),
                          input_view<E>(Loss::name, "embeddings of x-", em));
    require_rank(Loss::name, "logits", zv.x);
    require_rank(Loss::name, "embeddings", ev.x);
    require_same_shape(Loss::name, "logits of x+", zv.plus, "logits", zv.x);
    require_same_shape(Loss::name, "logits of x-", zv.minus, "logits", zv.x);
    require_same_shape(Loss::name, "embeddings of x+", ev.plus, "embeddings", ev.x);
    require_same_shape(Loss::name, "embeddings of x-", ev.minus, "embeddings", ev.x);
    index_t const rows = as_rows(zv.x).rows;
    if (as_rows(ev.x).rows != rows)
      raise<shape_error>(Loss::name, ": embeddings has shape ", shape_text(ev.x), ", logits ", shape_text(zv.x),
                         ", expected as many rows");
    if (rows > 0 && as_rows(zv.x).length < 1)
      raise<shape_error>(Loss::name, ": logits has shape ", shape_text(zv.x), ", expected rows of at least 1 elements");
    require_rank(Loss::name, "labels", labels);
    require_one_per_row(Loss::name, "labels", labels, rows);
    auto const label_rows = as_elements(labels);
    require_labels(Loss::name, label_rows, as_rows(zv.x).length, loss_.ignore_index);
    return with_weights<E>(Loss::name, weights, rows, [&](auto const& w) -> decltype(auto) {
      using label = std::remove_reference_t<decltype(*label_rows.data)>;
      sage_operands<E, label, std::remove_cvref_t<decltype(w)>> const x{rows_of<E>(zv), rows_of<E>(ev),
                                                                        label_rows, w, rows};
      return f(x, std::pair(zv.x, ev.x), outputs);
    });
  }

  template <class E, class Views>
  static auto rows_of(Views const& v) {
    return views(rows_of_view<E>(v.x), rows_of_view<E>(v.plus), rows_of_view<E>(v.minus));
  }
  template <class E, class View>
  static rows_view<E const> rows_of_view(View const& v) {
    constexpr bool same_type = std::is_same_v<typename View::value_type, E>;
    static_assert(same_type, "sage: all inputs of a loss have one element type");
    static_assert(View::space == memory_space::host,
                  "sage: this tensor lives on a CUDA device; host executors read host memory");
    if constexpr (same_type) {
      return read_only(as_rows(v));
    } else {
      return {};
    }
  }

  // Outputs as slots whose mode changes from write to add when a term has written them.
  template <class Operands, class Shapes, class Outputs, class F>
  decltype(auto) with_gradients(Operands const& x, Shapes const& shapes, Outputs const& outputs,
                                F const& f) const {
    auto& z = std::get<0>(outputs);
    auto& e = std::get<1>(outputs);
    static_assert(is_views<std::remove_cvref_t<decltype(z)>> && is_views<std::remove_cvref_t<decltype(e)>>,
                  "sage: gradients of logits and embeddings are given as sage::views(d_x, d_plus, d_minus)");
    auto dz = views(slot<Operands>("d_logits", z.x, shapes.first),
                    slot<Operands>("d_logits of x+", z.plus, shapes.first),
                    slot<Operands>("d_logits of x-", z.minus, shapes.first));
    auto de = views(slot<Operands>("d_embeddings", e.x, shapes.second),
                    slot<Operands>("d_embeddings of x+", e.plus, shapes.second),
                    slot<Operands>("d_embeddings of x-", e.minus, shapes.second));
    require_disjoint(x, dz, de);
    return in_accumulator(x, [&](auto const& wide) {
      if constexpr (std::is_same_v<decltype(wide), Operands const&>) {
        return followed_by([&] { return f(wide, dz, de); },
                           [&] { zero(dz.x), zero(dz.plus), zero(dz.minus), zero(de.x), zero(de.plus), zero(de.minus); });
      } else {
        using sums = gradient_sums<typename Operands::element>;
        sums zx(dz.x), zp(dz.plus), zm(dz.minus), ex(de.x), ep(de.plus), em(de.minus);
        auto wz = views(zx.output(), zp.output(), zm.output()), we = views(ex.output(), ep.output(), em.output());
        return followed_by([&] { return f(wide, wz, we); },
                           [&] { zx.finish(), zp.finish(), zm.finish(), ex.finish(), ep.finish(), em.finish(); });
      }
    });
  }

  template <class F, class Finish>
  static auto followed_by(F const& f, Finish const& finish) {
    if constexpr (std::is_void_v<decltype(f())>) {
      f();
      finish();
    } else {
      auto const result = f();
      finish();
      return result;
    }
  }

  template <class Operands, class G, class Shape>
  static auto slot(char const* name, G& g, Shape const& shape) {
    return gradient_of<typename Operands::element>(Loss::name, name, g, "its input", shape);
  }

  template <class Slot>
  static void zero(Slot const& s) {
    if (s.mode != gradient_mode::write) return;
    for (index_t i = 0; i < s.to.rows; ++i) {
      auto* const row = s.to.row(i);
      if (s.to.stride == 1) {  // which compilers make a call of memset
        for (index_t j = 0; j < s.to.length; ++j) row[j] = {};
      } else {
        for (index_t j = 0; j < s.to.length; ++j) row[j * s.to.stride] = {};
      }
    }
  }
  template <class... Slots>
  static void written(Slots&... s) {
    ((s.mode = s.mode == gradient_mode::write ? gradient_mode::add : s.mode), ...);
  }

  template <class Operands>
  static auto no_gradients(Operands const&) {
    using none = gradient_rows<typename Operands::element>;
    return views(none{}, none{}, none{});
  }

  // An argument's rows, and the bytes that they can touch, which rule out most overlaps at once.
  template <class E>
  struct memory_of {
    char const* name;
    rows_view<E const> rows;
    byte_range bytes = bytes_of(rows);
  };

  // Terms read their inputs after others have written: no output may stand in an input's memory.
  template <class Operands, class DZ, class DE>
  static void require_disjoint(Operands const& x, DZ const& dz, DE const& de) {
    using E = typename Operands::element;
    constexpr int inputs = 6;
    memory_of<E> all[2 * inputs] = {
        {"logits", x.z.x},     {"logits of x+", x.z.plus},     {"logits of x-", x.z.minus},
        {"embeddings", x.e.x}, {"embeddings of x+", x.e.plus}, {"embeddings of x-", x.e.minus}};
    int count = inputs;
    auto const add_output = [&](char const* name, gradient_rows<E> const& g) {
      if (g.mode != gradient_mode::skip) all[count++] = {name, read_only(g.to)};
    };
    add_output("d_logits", dz.x), add_output("d_logits of x+", dz.plus),
        add_output("d_logits of x-", dz.minus);
    add_output("d_embeddings", de.x), add_output("d_embeddings of x+", de.plus),
        add_output("d_embeddings of x-", de.minus);
    for (int i = inputs; i < count; ++i) {
      require_own_elements(Loss::name, all[i].name, all[i].rows);
      for (int k = 0; k < count; ++k)
        if (k != i && all[i].bytes.first < all[k].bytes.last && all[k].bytes.first < all[i].bytes.last)
          require_separate(Loss::name, all[i].name, all[i].rows, all[k].name, all[k].rows);
    }
  }

  // Calls f(member of sage_result, weight of the term, row problem, row table) term by term. An output that a term has
  // written is added to from then on. `upstream` are rows of one number for each sample, or none_t.
  template <class Operands, class Upstream, class DZ, class DE, class F>
  void each_term(Operands const& x, Upstream const& upstream, DZ& dz, DE& de, F const& f) const {
    using result = sage_result<typename Operands::element>;
    auto const term = [&](auto member, double weight, auto const& formula, auto const& labels,
                          auto const& weights, auto const& in, auto const& out) {
      row_problem<std::remove_cvref_t<decltype(formula)>, typename Operands::element> p;
      p.formula = formula;
      bind_rows(p, in, out);
      row_table<typename Operands::element, std::remove_cvref_t<decltype(labels)>,
                std::remove_cvref_t<decltype(weights)>, Upstream>
          table(p.rows, labels, weights, upstream, loss_.ignore_index);
      table.attach(p);
      f(member, weight, p, table);
      std::apply([](auto&... s) { written(s...); }, out);
    };
    auto const classification = loss_.classification_term().formula();
    term(&result::classification, 1.0, classification, x.labels, none_t{}, std::tie(x.z.x), std::tie(dz.x));
    if (double const w = loss_.positive_classification_weight; w > 0)
      term(&result::positive_classification, w, classification, x.labels, x.weights, std::tie(x.z.plus),
           std::tie(dz.plus));
    if (double const w = loss_.triplet_weight; w > 0)
      with_options(loss_.triplet_term(), [&](auto const& options) {
        term(&result::triplet, w, options.formula(), none_t{}, x.weights,
             std::tie(x.e.x, x.e.plus, x.e.minus), std::tie(de.x, de.plus, de.minus));
        return 0;
      });
    if (double const w = loss_.consistency_weight; w > 0)
      term(&result::consistency, w, loss_.consistency_term().formula(), none_t{}, x.weights,
           std::tie(x.z.x, x.z.plus), std::tie(dz.x, dz.plus));
    if constexpr (Loss::checks_degradation)
      if (double const w = loss_.degradation_weight; w > 0) {
        auto const formula = loss_.degradation_term().formula();
        constexpr int operands = decltype(formula)::inputs;
        auto const check = [&](auto const& in, auto const& out) {
          term(&result::degradation, w, formula, none_t{}, x.weights, in, out);
        };
        if constexpr (operands == 1) {
          check(std::tie(x.z.minus), std::tie(dz.minus));
        } else if constexpr (operands == 2) {
          check(std::tie(x.z.x, x.z.minus), std::tie(dz.x, dz.minus));
        } else {
          check(std::tie(x.z.x, x.z.plus, x.z.minus), std::tie(dz.x, dz.plus, dz.minus));
        }
      }
  }

  template <class Problem, class In, class Out>
  static void bind_rows(Problem& p, In const& in, Out const& out) {
    using formula_type = typename Problem::formula_type;
    static_assert(formula_type::inputs == static_cast<int>(std::tuple_size_v<In>) &&
                      formula_type::gradients == static_cast<int>(std::tuple_size_v<Out>),
                  "sage: a degradation check has one, two or three operands, and a gradient for each");
    std::apply([&](auto const&... x) { p.in = {{x...}}; }, in);
    std::apply([&](auto const&... g) { p.out = {{g...}}; }, out);
    for (auto const& g : p.out.value) p.with_gradient = p.with_gradient || g.mode != gradient_mode::skip;
    p.rows = p.in[0].rows;
    p.length = p.in[0].length;
  }

  template <class Executor, class Operands, class DZ, class DE>
  auto reduced(Executor const& executor, Operands const& x, double upstream, DZ& dz, DE& de) const {
    using A = typename Operands::element;
    using wide = wide_t<A>;
    sage_result<A> r;
    wide total = wide(0);
    row_buffer<A> losses(x.rows);
    each_term(x, none_t{}, dz, de, [&]<class Table>(auto member, double weight, auto& p, Table& table) {
      p.losses = losses.data();
      if (p.with_gradient)
        table.scale(p, over_divisor(static_cast<A>(upstream * weight), table.weight_sum()));
      executor(p);
      constexpr bool hinged = std::remove_cvref_t<decltype(p)>::formula_type::hinged;
      auto const sums = sum_rows(x.rows, losses.data(), table, hinged, [](index_t) { return A(0); });
      r.*member = mean_of<A>(sums.loss, table.weight_sum(), Table::has_weights);
      total = total + wide(static_cast<A>(weight)) * wide(r.*member);
      r.non_finite += sums.non_finite;
      if (member == &sage_result<A>::triplet) r.active = sums.active;
    });
    r.value = static_cast<A>(total);
    return r;
  }

  template <class Executor, class Operands, class Upstream, class DZ, class DE>
  void weighted_rows(Executor const& executor, Operands const& x, Upstream const& upstream, DZ& dz, DE& de) const {
    using A = typename Operands::element;
    auto const u = per_sample_input<typename Operands::given>(Loss::name, "upstream", upstream, x.rows);
    row_buffer<A> losses(x.rows);
    each_term(x, u, dz, de, [&](auto, double weight, auto& p, auto& table) {
      p.losses = losses.data();
      table.scale(p, static_cast<A>(weight));
      executor(p);
    });
  }

  template <class Executor, class Operands, class Out>
  void unreduced(Executor const& executor, Operands const& x, Out& out) const {
    using A = typename Operands::element;
    using E = typename Operands::given;
    auto const to = per_sample_output<E>(Loss::name, out, x.rows);
    row_buffer<A> losses(x.rows), total(x.rows);
    for (index_t i = 0; i < x.rows; ++i) total[i] = A(0);
    auto dz = no_gradients(x), de = no_gradients(x);
    each_term(x, none_t{}, dz, de, [&](auto, double weight, auto& p, auto& table) {
      p.losses = losses.data();
      executor(p);
      for (index_t i = 0; i < x.rows; ++i)
        if (!table.skipped(i)) total[i] = total[i] + static_cast<A>(weight) * (table.weight(i) * losses[i]);
    });
    for (index_t i = 0; i < x.rows; ++i) *to.row(i) = static_cast<E>(total[i]);
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
