#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/exec/batch_rows.hpp>
#include <sage/exec/row_problem.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/device_evaluation.hpp>
#include <sage/loss/sage_terms.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/math/lanes.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Puts the terms of sage_loss into their places, on the device. The terms of the logits come first, the triplets last.
template <class A, bool ChecksDegradation>
struct sage_conclusion {
  sage_result<A>* result = nullptr;

  template <int Terms, class Sums>
  SAGE_HD void operator()(A const& total, lanes<A, Terms> const& means, Sums const& sums) const {
    result->value = total;
    result->classification = means[0];
    result->positive_classification = means[1];
    result->consistency = means[2];
    result->degradation = ChecksDegradation ? means[3] : A(0);
    result->triplet = means[Terms - 1];
    result->active = sums[Terms - 1].active;
    result->non_finite = 0;
    for (int t = 0; t < Terms; ++t) result->non_finite += sums[t].non_finite;
  }
};

/// The terms of sage_loss on a device: those of the logits are joined into one row program, beside which the triplets of
/// the embeddings run in the same launch. `Loss` is sage_loss<…>, the operands' weights are row_numbers.
template <class Loss>
class sage_on_device {
 public:
  explicit sage_on_device(Loss const& loss) noexcept : loss_(loss) {}

  /// The result into the call's, unless HasValue is false, and the gradients times the upstream.
  template <bool HasValue, class Executor, class Result, class Operands, class Views>
  void reduced(device_call<Executor, Result> const& call, Operands const& x, double upstream, Views const& dz,
               Views const& de) const {
    using A = accumulator_t<typename Operands::element>;
    constexpr bool has_place = std::is_same_v<Result, sage_result<A>>;
    static_assert(
        has_place || !HasValue,
        "sage: a device executor leaves the value on the device: the last argument is sage::into(r), where r "
        "points to a sage::sage_result of the inputs' element type, or of float for halves");
    static_assert(HasValue || is_none<Result>, "sage: backward has no value, and takes no sage::into(r)");
    if constexpr (HasValue && has_place) {
      call.executor.require_reachable("sage::into", "result", call.result);
      evaluated_by(call, x, none_t{}, dz, de, [&](auto const& evaluation) {
        evaluation.reduced(static_cast<A>(upstream),
                           sage_conclusion<A, Loss::checks_degradation>{call.result});
      });
    } else if constexpr (!HasValue) {
      evaluated_by(call, x, none_t{}, dz, de,
                   [&](auto const& evaluation) { evaluation.gradients_of_mean(static_cast<A>(upstream)); });
    }
  }

  /// The gradients of Σ u_i l_i.
  template <class Call, class Operands, class Upstream, class Views>
  void weighted_rows(Call const& call, Operands const& x, Upstream const& upstream, Views const& dz,
                     Views const& de) const {
    evaluated_by(call, x, upstream, dz, de, [](auto const& evaluation) { evaluation.gradients_of_rows(); });
  }

  /// The loss of each sample.
  template <class Call, class Operands, class Out>
  void unreduced(Call const& call, Operands const& x, Out& out) const {
    require_output_space<Call, std::remove_cvref_t<Out>>();
    auto const to = per_sample_output<typename Operands::element>(Loss::name, out, x.rows);
    if (x.rows > 0) call.executor.require_reachable(Loss::name, "out", to.data);
    evaluated_by(call, x, none_t{}, no_gradients(x), no_gradients(x),
                 [&](auto const& evaluation) { evaluation.values(to); });
  }

 private:
  template <class Call, class Operands, class Upstream, class Views, class F>
  void evaluated_by(Call const& call, Operands const& x, Upstream const& upstream, Views const& dz,
                    Views const& de, F const& f) const {
    using E = typename Operands::element;
    using device = std::remove_cvref_t<decltype(call.executor)>;
    exec::term_rows<E> rows;
    rows.labels = exec::row_numbers::of<E>(x.labels);
    rows.weights = x.weights;
    rows.upstreams = numbers_on_device<E>(call, Loss::name, "upstream", upstream, x.rows);
    rows.ignore_index = loss_.ignore_index;
    rows.classes = x.z.x.length;
    auto const of_logits = family_of_logits<E>(x, dz);
    auto const of_embeddings = family_of_embeddings<E>(x, de);
    f(exec::detail::fused_evaluation<device, E, std::remove_cv_t<decltype(of_logits)>,
                                     std::remove_cv_t<decltype(of_embeddings)>>(call.executor, rows, x.rows,
                                                                                of_logits, of_embeddings));
  }

  template <class A>
  static exec::batch_term<A> term(double weight, bool weighted, bool labelled, bool hinged) {
    return {static_cast<A>(weight), weighted, labelled, hinged};
  }

  template <class E, class Operands, class Views>
  auto family_of_logits(Operands const& x, Views const& dz) const {
    using classification = decltype(loss_.classification_term().formula());
    using consistency = decltype(loss_.consistency_term().formula());
    using A = accumulator_t<E>;
    auto const c = term<A>(1, false, true, classification::hinged);
    auto const positive = term<A>(loss_.positive_classification_weight, true, true, classification::hinged);
    auto const same = term<A>(loss_.consistency_weight, true, false, consistency::hinged);
    if constexpr (Loss::checks_degradation) {
      auto const check = loss_.degradation_term().formula();
      using formula =
          exec::joined_formula<3, exec::joined_term<classification, 0>, exec::joined_term<classification, 1>,
                               exec::joined_term<consistency, 0, 1>,
                               typename check_term<std::remove_cv_t<decltype(check)>>::type>;
      auto f = bound<exec::fused_family<E, 3, 4, formula>>(x.z, dz);
      f.set_formulas(formula::made_of(loss_.classification_term().formula(),
                                      loss_.classification_term().formula(),
                                      loss_.consistency_term().formula(), check));
      f.of_terms = {{c, positive, same, term<A>(loss_.degradation_weight, true, false, check.hinged)}};
      return f;
    } else {
      using formula =
          exec::joined_formula<3, exec::joined_term<classification, 0>, exec::joined_term<classification, 1>,
                               exec::joined_term<consistency, 0, 1>>;
      auto f = bound<exec::fused_family<E, 3, 3, formula>>(x.z, dz);
      f.set_formulas(formula::made_of(loss_.classification_term().formula(),
                                      loss_.classification_term().formula(),
                                      loss_.consistency_term().formula()));
      f.of_terms = {{c, positive, same}};
      return f;
    }
  }

  // The operands of a check, by their number: z⁻, (z, z⁻), (z, z⁺, z⁻).
  template <class Check>
  struct check_term {
    static_assert(Check::inputs >= 1 && Check::inputs <= 3 && Check::gradients == Check::inputs,
                  "sage: a degradation check has one, two or three operands, and a gradient for each");
    using type = std::conditional_t<Check::inputs == 1, exec::joined_term<Check, 2>,
                                    std::conditional_t<Check::inputs == 2, exec::joined_term<Check, 0, 2>,
                                                       exec::joined_term<Check, 0, 1, 2>>>;
  };

  template <class E, class Operands, class Views>
  auto family_of_embeddings(Operands const& x, Views const& de) const {
    using A = accumulator_t<E>;
    auto const plain = formula_with<false>(loss_.triplet_term());
    auto const swapped = formula_with<true>(loss_.triplet_term());
    using family =
        exec::fused_family<E, 3, 1, std::remove_cv_t<decltype(plain)>, std::remove_cv_t<decltype(swapped)>>;
    auto f = bound<family>(x.e, de);
    f.set_formulas(plain, swapped);
    f.chosen = loss_.swap;
    f.of_terms = {{term<A>(loss_.triplet_weight, true, false, plain.hinged)}};
    return f;
  }

  template <class Family, class In, class Out>
  static Family bound(In const& in, Out const& out) {
    Family f;
    f.in = {{in.x, in.plus, in.minus}};
    f.out = {{out.x, out.plus, out.minus}};
    f.length = in.x.length;
    for (auto const& g : f.out.value) f.with_gradient = f.with_gradient || g.mode != gradient_mode::skip;
    return f;
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
