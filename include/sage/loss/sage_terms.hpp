#pragma once

#include <sage/core/config.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/formula/labelled_divergence.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/row_sums.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/loss/sage_operands.hpp>
#include <sage/loss/views.hpp>

#include <tuple>
#include <type_traits>

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
    return {static_cast<B>(value),
            static_cast<B>(classification),
            static_cast<B>(positive_classification),
            static_cast<B>(triplet),
            static_cast<B>(consistency),
            static_cast<B>(degradation),
            active,
            non_finite};
  }
};

namespace detail {

/// The gradients of three views of which none is wanted.
template <class Operands>
auto no_gradients(Operands const&) {
  using none = gradient_rows<typename Operands::element>;
  return views(none{}, none{}, none{});
}

/// The terms of sage_loss, run one after the other on operands that have been checked. `Loss` is sage_loss<…>.
template <class Loss>
class sage_terms {
 public:
  explicit sage_terms(Loss const& loss) noexcept : loss_(loss) {}

  /// The reduced loss as sage_result; its gradients times the upstream are written.
  template <class Executor, class Operands, class DZ, class DE>
  auto reduced(Executor const& executor, Operands const& x, double upstream, DZ& dz, DE& de) const {
    using A = typename Operands::element;
    using wide = wide_t<A>;
    using result = sage_result<A>;
    result r;
    wide total = wide(0);
    row_buffer<A, 3 * 512> losses(3 * x.rows);
    auto const account = [&]<class Table>(auto member, double weight, A const* of_rows, Table& table,
                                          bool hinged) {
      auto const sums = sum_rows(x.rows, of_rows, table, hinged, false, [](index_t) { return A(0); });
      r.*member = mean_of<A>(sums.loss, table.weight_sum(), Table::has_weights);
      total = total + wide(static_cast<A>(weight)) * wide(r.*member);
      r.non_finite += sums.non_finite;
      if (member == &result::triplet) r.active = sums.active;
    };
    bool const joined = with_joined_logits(x, dz, [&](auto& p, auto& table) {
      p.losses = losses.data();
      if (p.with_gradient) table.scale(p, over_divisor(static_cast<A>(upstream), table.weight_sum()));
      executor(p);
      account(&result::classification, 1, p.losses, table, false);
      account(&result::positive_classification, loss_.positive_classification_weight, p.losses + x.rows,
              table, false);
      account(&result::consistency, loss_.consistency_weight, p.losses + 2 * x.rows, table, false);
    });
    each_term(x, none_t{}, dz, de, joined, [&](auto member, double weight, auto& p, auto& table) {
      p.losses = losses.data();
      if (p.with_gradient)
        table.scale(p, over_divisor(static_cast<A>(upstream * weight), table.weight_sum()));
      executor(p);
      account(member, weight, p.losses, table, std::remove_cvref_t<decltype(p)>::formula_type::hinged);
    });
    r.value = static_cast<A>(total);
    return r;
  }

  /// Writes the gradients of Σ u_i l_i.
  template <class Executor, class Operands, class Upstream, class DZ, class DE>
  void weighted_rows(Executor const& executor, Operands const& x, Upstream const& upstream, DZ& dz,
                     DE& de) const {
    using A = typename Operands::element;
    auto const u = per_sample_input<typename Operands::given>(Loss::name, "upstream", upstream, x.rows);
    row_buffer<A> losses(x.rows);
    each_term(x, u, dz, de, false, [&](auto, double weight, auto& p, auto& table) {
      p.losses = losses.data();
      table.scale(p, static_cast<A>(weight));
      executor(p);
    });
  }

  /// Writes the loss of each sample.
  template <class Executor, class Operands, class Out>
  void unreduced(Executor const& executor, Operands const& x, Out& out) const {
    using A = typename Operands::element;
    using E = typename Operands::given;
    auto const to = per_sample_output<E>(Loss::name, out, x.rows);
    row_buffer<A> losses(x.rows), total(x.rows);
    for (index_t i = 0; i < x.rows; ++i) total[i] = A(0);
    auto dz = no_gradients(x), de = no_gradients(x);
    each_term(x, none_t{}, dz, de, false, [&](auto, double weight, auto& p, auto& table) {
      p.losses = losses.data();
      executor(p);
      for (index_t i = 0; i < x.rows; ++i)
        if (!table.skipped(i)) total[i] = total[i] + static_cast<A>(weight) * (table.weight(i) * losses[i]);
    });
    for (index_t i = 0; i < x.rows; ++i) *to.row(i) = static_cast<E>(total[i]);
  }

 private:
  // Calls f(row problem, row table) with the terms of z and z⁺ as one row program, where they can share exponentials: every
  // sample counts alike in all of them.
  template <class Operands, class DZ, class F>
  bool with_joined_logits(Operands const& x, DZ& dz, F const& f) const {
    using A = typename Operands::element;
    using labels = std::remove_cvref_t<decltype(x.labels)>;
    auto const consistency = loss_.consistency_term().formula();
    using consistency_type = std::remove_const_t<decltype(consistency)>;
    if constexpr (is_none<decltype(x.weights)> && shares_exponentials<consistency_type, A>) {
      using formula = labelled_divergence<consistency_type>;
      double const positive = loss_.positive_classification_weight, same = loss_.consistency_weight;
      if (positive == 0 || same == 0 || !formula::shares_at(loss_.temperature)) return false;
      for (index_t i = 0; i < x.rows; ++i)
        if (static_cast<index_t>(*x.labels.row(i)) == loss_.ignore_index) return false;
      row_table<A, labels, none_t, none_t> table(x.rows, x.labels, none_t{}, none_t{}, loss_.ignore_index);
      row_problem<formula, A> p;
      p.formula = {consistency, loss_.classification_term().formula(), positive, same};
      bind_rows(p, std::tie(x.z.x, x.z.plus), std::tie(dz.x, dz.plus));
      table.attach(p);
      f(p, table);
      written(dz.x, dz.plus);
      return true;
    } else {
      return false;
    }
  }
  // Is the formula a softmax_divergence, with exponentials to share?
  template <class Formula, class A>
  static constexpr bool shares_exponentials = requires {
    typename Formula::template exponentials<A>;
  };

  // Calls f(member of sage_result, weight of the term, row problem, row table) term by term. An output that a term has
  // written is added to from then on. `upstream` are rows of one number for each sample, or none_t. `joined` terms have
  // been computed.
  template <class Operands, class Upstream, class DZ, class DE, class F>
  void each_term(Operands const& x, Upstream const& upstream, DZ& dz, DE& de, bool joined, F const& f) const {
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
    if (!joined)
      term(&result::classification, 1.0, classification, x.labels, none_t{}, std::tie(x.z.x), std::tie(dz.x));
    if (double const w = loss_.positive_classification_weight; w > 0 && !joined)
      term(&result::positive_classification, w, classification, x.labels, x.weights, std::tie(x.z.plus),
           std::tie(dz.plus));
    if (double const w = loss_.triplet_weight; w > 0)
      with_options(loss_.triplet_term(), [&](auto const& options) {
        term(&result::triplet, w, options.formula(), none_t{}, x.weights,
             std::tie(x.e.x, x.e.plus, x.e.minus), std::tie(de.x, de.plus, de.minus));
        return 0;
      });
    if (double const w = loss_.consistency_weight; w > 0 && !joined)
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

  template <class... Slots>
  static void written(Slots&... s) {
    ((s.mode = s.mode == gradient_mode::write ? gradient_mode::add : s.mode), ...);
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
