#pragma once

#include <sage/core/config.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/evaluate.hpp>
#include <sage/loss/gradient_sums.hpp>
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

/// The members of sage_loss: validates everything, then evaluates term after term. `Loss` is sage_loss<…>.
template <class Loss>
class sage_evaluation {
 public:
  explicit sage_evaluation(Loss const& loss) noexcept : loss_(loss) {}

  template <class... Args>
  auto value(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<0>(weights, tensors, [&](auto const& given, auto const&) {
            return in_accumulator(given, [&](auto const& x) {
              auto dz = no_gradients(x), de = no_gradients(x);
              return terms(executor, x, 1.0, dz, de);
            });
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<2>(weights, tensors, [&](auto const& given, auto const& outputs) {
            return with_gradients(given, outputs, [&](auto const& x, auto& dz, auto& de) {
              return terms(executor, x, 1.0, dz, de);
            });
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          bound<1>(weights, tensors, [&](auto const& given, auto const& outputs) {
            in_accumulator(given, [&](auto const& x) { unreduced(executor, x, std::get<0>(outputs)); });
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void backward(Args&&... args) const {
    detail::take_apart_backward(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          bound<2>(weights, tensors, [&](auto const& given, auto const& outputs) {
            with_gradients(given, outputs, [&](auto const& x, auto& dz, auto& de) {
              with_upstream<double>(
                  upstream, [&](auto const& u) { weighted_rows(executor, x, u, dz, de); },
                  [&](double u) { terms(executor, x, u, dz, de); });
            });
          });
        },
        std::forward<Args>(args)...);
  }

 private:
  // Calls f(operands, tuple of the arguments behind the labels).
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
    require_labels(Loss::name, as_elements(labels), as_rows(zv.x).length, loss_.ignore_index);
    return with_weights<E>(Loss::name, weights, rows, [&](auto const& w) -> decltype(auto) {
      sage_operands<E, std::remove_cv_t<decltype(zv)>, std::remove_cv_t<decltype(ev)>, Labels,
                    std::remove_cvref_t<decltype(w)>> const x{zv, ev, labels, w, rows};
      return f(x, outputs);
    });
  }

  // Outputs as slots whose mode changes from write to add when a term has written them.
  template <class Operands, class Outputs, class F>
  decltype(auto) with_gradients(Operands const& x, Outputs const& outputs, F const& f) const {
    auto& z = std::get<0>(outputs);
    auto& e = std::get<1>(outputs);
    static_assert(is_views<std::remove_cvref_t<decltype(z)>> && is_views<std::remove_cvref_t<decltype(e)>>,
                  "sage: gradients of logits and embeddings are given as sage::views(d_x, d_plus, d_minus)");
    auto dz = views(slot<Operands>("d_logits", z.x, x.z.x), slot<Operands>("d_logits of x+", z.plus, x.z.x),
                    slot<Operands>("d_logits of x-", z.minus, x.z.x));
    auto de = views(slot<Operands>("d_embeddings", e.x, x.e.x), slot<Operands>("d_embeddings of x+", e.plus, x.e.x),
                    slot<Operands>("d_embeddings of x-", e.minus, x.e.x));
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

  // Terms read their inputs after others have written: no output may stand in an input's memory.
  template <class Operands, class DZ, class DE>
  static void require_disjoint(Operands const& x, DZ const& dz, DE const& de) {
    auto const each_slot = [&](auto const& f) {
      f("d_logits", dz.x), f("d_logits of x+", dz.plus), f("d_logits of x-", dz.minus);
      f("d_embeddings", de.x), f("d_embeddings of x+", de.plus), f("d_embeddings of x-", de.minus);
    };
    auto const each_input = [&](auto const& f) {
      f("logits", x.z.x), f("logits of x+", x.z.plus), f("logits of x-", x.z.minus);
      f("embeddings", x.e.x), f("embeddings of x+", x.e.plus), f("embeddings of x-", x.e.minus);
    };
    each_slot([&](char const* name, auto const& s) {
      if (s.mode == gradient_mode::skip) return;
      require_own_elements(Loss::name, name, s.to);
      each_input([&](char const* input, auto const& v) { require_separate(Loss::name, name, s.to, input, as_rows(v)); });
      each_slot([&](char const* other, auto const& t) {
        if (&t != &s && t.mode != gradient_mode::skip) require_separate(Loss::name, name, s.to, other, t.to);
      });
    });
  }

  // Calls f(member of sage_result, weight of the term, its loss, the samples' weights, inputs, outputs) term by term.
  template <class Operands, class DZ, class DE, class F>
  void each_term(Operands const& x, DZ& dz, DE& de, F const& f) const {
    using result = sage_result<typename Operands::element>;
    f(&result::classification, 1.0, loss_.classification_term(), none_t{}, std::tie(x.z.x, x.labels), std::tie(dz.x));
    if (double const w = loss_.positive_classification_weight; w > 0)
      f(&result::positive_classification, w, loss_.classification_term(), x.weights, std::tie(x.z.plus, x.labels),
        std::tie(dz.plus));
    if (double const w = loss_.triplet_weight; w > 0)
      f(&result::triplet, w, loss_.triplet_term(), x.weights, std::tie(x.e.x, x.e.plus, x.e.minus),
        std::tie(de.x, de.plus, de.minus));
    if (double const w = loss_.consistency_weight; w > 0)
      f(&result::consistency, w, loss_.consistency_term(), x.weights, std::tie(x.z.x, x.z.plus),
        std::tie(dz.x, dz.plus));
    if constexpr (Loss::checks_degradation)
      if (double const w = loss_.degradation_weight; w > 0) {
        auto const term = loss_.degradation_term();
        constexpr int operands = decltype(term.formula())::inputs;
        if constexpr (operands == 1) {
          f(&result::degradation, w, term, x.weights, std::tie(x.z.minus), std::tie(dz.minus));
        } else if constexpr (operands == 2) {
          f(&result::degradation, w, term, x.weights, std::tie(x.z.x, x.z.minus), std::tie(dz.x, dz.minus));
        } else {
          f(&result::degradation, w, term, x.weights, std::tie(x.z.x, x.z.plus, x.z.minus),
            std::tie(dz.x, dz.plus, dz.minus));
        }
      }
  }

  static auto weights_argument(none_t) { return std::tuple<>{}; }
  template <class W>
  static auto weights_argument(rows_view<W> const& w) {
    return std::tuple(sage::weights(w));
  }

  template <class Executor, class Operands, class DZ, class DE>
  auto terms(Executor const& executor, Operands const& x, double upstream, DZ& dz, DE& de) const {
    using A = typename Operands::element;
    using wide = wide_t<A>;
    sage_result<A> r;
    wide total = wide(0);
    each_term(x, dz, de, [&](auto member, double weight, auto const& term, auto const& w, auto const& in, auto out) {
      auto const result = with_options(term, [&](auto const& options) {
        return std::apply(
            [&](auto&&... args) { return evaluation(options).scaled(upstream * weight, executor, args...); },
            std::tuple_cat(in, out, weights_argument(w)));
      });
      std::apply([](auto&... s) { written(s...); }, out);
      r.*member = result.value;
      total = total + wide(static_cast<A>(weight)) * wide(result.value);
      r.non_finite += result.non_finite;
      if (member == &sage_result<A>::triplet) r.active = result.active;
    });
    r.value = static_cast<A>(total);
    return r;
  }

  template <class Executor, class Operands, class Upstream, class DZ, class DE>
  void weighted_rows(Executor const& executor, Operands const& x, Upstream const& upstream, DZ& dz, DE& de) const {
    using A = typename Operands::element;
    auto const u = per_sample_input<typename Operands::given>(Loss::name, "upstream", upstream, x.rows);
    row_buffer<A> scaled(x.rows);
    each_term(x, dz, de, [&](auto, double weight, auto const& term, auto const& w, auto const& in, auto out) {
      for (index_t i = 0; i < x.rows; ++i)
        scaled[i] = static_cast<A>(*u.row(i)) * static_cast<A>(weight);
      strided_view const row_upstream{scaled.data(), extents{x.rows}};
      with_options(term, [&](auto const& options) {
        std::apply([&](auto&&... args) { evaluation(options).backward(executor, row_upstream, args...); },
                   std::tuple_cat(in, out, weights_argument(w)));
        return 0;
      });
      std::apply([](auto&... s) { written(s...); }, out);
    });
  }

  template <class Executor, class Operands, class Out>
  void unreduced(Executor const& executor, Operands const& x, Out& out) const {
    using A = typename Operands::element;
    using E = typename Operands::given;
    auto const to = per_sample_output<E>(Loss::name, out, x.rows);
    row_buffer<A> term_losses(x.rows), total(x.rows);
    for (index_t i = 0; i < x.rows; ++i) total[i] = A(0);
    auto dz = no_gradients(x), de = no_gradients(x);
    each_term(x, dz, de, [&](auto, double weight, auto const& term, auto const& w, auto const& in, auto const&) {
      strided_view const losses{term_losses.data(), extents{x.rows}};
      with_options(term, [&](auto const& options) {
        std::apply([&](auto&&... args) { evaluation(options).per_sample(executor, args...); },
                   std::tuple_cat(in, std::tie(losses), weights_argument(w)));
        return 0;
      });
      for (index_t i = 0; i < x.rows; ++i)
        total[i] = total[i] + static_cast<A>(weight) * term_losses[i];
    });
    for (index_t i = 0; i < x.rows; ++i) *to.row(i) = static_cast<E>(total[i]);
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
