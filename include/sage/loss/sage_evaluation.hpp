#pragma once

#include <sage/core/config.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/device_evaluation.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/loss/sage_on_device.hpp>
#include <sage/loss/sage_operands.hpp>
#include <sage/loss/sage_terms.hpp>
#include <sage/loss/views.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/shape.hpp>

#include <tuple>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The members of sage_loss: validates everything once, then has the terms computed. `Loss` is sage_loss<…>.
template <class Loss>
class sage_evaluation {
 public:
  explicit sage_evaluation(Loss const& loss) noexcept : loss_(loss) {}

  template <class... Args>
  auto value(Args&&... args) const {
    return detail::take_apart<runs::anywhere>(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<0>(executor, weights, tensors, [&](auto const& given, auto const&, auto const&) {
            if constexpr (on_device<decltype(executor)>) {
              on_a_device().template reduced<true>(executor, given, 1.0, no_gradients(given),
                                                   no_gradients(given));
            } else {
              return in_accumulator(executor, given, [&](auto const& x) {
                auto dz = no_gradients(x), de = no_gradients(x);
                return terms().reduced(executor, x, 1.0, dz, de);
              });
            }
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::take_apart<runs::anywhere>(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<2>(executor, weights, tensors,
                          [&](auto const& given, auto const& shapes, auto const& outputs) {
                            return with_gradients(
                                executor, given, shapes, outputs, [&](auto const& x, auto& dz, auto& de) {
                                  if constexpr (on_device<decltype(executor)>) {
                                    on_a_device().template reduced<true>(executor, x, 1.0, dz, de);
                                  } else {
                                    return terms().reduced(executor, x, 1.0, dz, de);
                                  }
                                });
                          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::take_apart<runs::anywhere>(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          bound<1>(executor, weights, tensors, [&](auto const& given, auto const&, auto const& outputs) {
            if constexpr (on_device<decltype(executor)>) {
              on_a_device().unreduced(executor, given, std::get<0>(outputs));
            } else {
              in_accumulator(executor, given,
                             [&](auto const& x) { terms().unreduced(executor, x, std::get<0>(outputs)); });
            }
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void backward(Args&&... args) const {
    detail::take_apart_backward<runs::anywhere>(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          bound<2>(
              executor, weights, tensors, [&](auto const& given, auto const& shapes, auto const& outputs) {
                with_gradients(executor, given, shapes, outputs, [&](auto const& x, auto& dz, auto& de) {
                  if constexpr (on_device<decltype(executor)>) {
                    with_upstream<double>(
                        upstream, [&](auto const& u) { on_a_device().weighted_rows(executor, x, u, dz, de); },
                        [&](double u) { on_a_device().template reduced<false>(executor, x, u, dz, de); });
                  } else {
                    with_upstream<double>(
                        upstream, [&](auto const& u) { terms().weighted_rows(executor, x, u, dz, de); },
                        [&](double u) { terms().reduced(executor, x, u, dz, de); });
                  }
                });
              });
        },
        std::forward<Args>(args)...);
  }

 private:
  template <class Executor>
  static constexpr bool on_device = is_device_call<std::remove_cvref_t<Executor>>;

  // Calls f(operands, shapes of logits and embeddings, tuple of the arguments behind the labels).
  template <int Outputs, class Executor, class Weights, class Tensors, class F>
  decltype(auto) bound(Executor const& executor, Weights const& weights, Tensors const& tensors,
                       F const& f) const {
    constexpr bool counts = std::tuple_size_v<Tensors> == 3 + Outputs;
    static_assert(counts,
                  "sage: sage_loss takes sage::views of the logits, sage::views of the embeddings and the labels; "
                  "then sage::views of both gradients for value_and_grad and backward, or one output for per_sample; "
                  "sage::weights(w) last; backward takes the upstream gradient before all of them");
    if constexpr (counts)
      return [&]<std::size_t... I>(std::index_sequence<I...>) -> decltype(auto) {
        return bind(executor, weights, std::get<0>(tensors), std::get<1>(tensors), std::get<2>(tensors), f,
                    std::tie(std::get<3 + I>(tensors)...));
      }(std::make_index_sequence<static_cast<std::size_t>(Outputs)>{});
  }

  template <class Executor, class Weights, class Z, class H, class Labels, class F, class Outputs>
  decltype(auto) bind(Executor const& executor, Weights const& weights, Z const& z, H const& e,
                      Labels const& labels, F const& f, Outputs const& outputs) const {
    constexpr bool given_as_views = is_views<Z> && is_views<H>;
    static_assert(given_as_views, "sage: logits and embeddings are given as sage::views(x, plus, minus)");
    if constexpr (given_as_views)
      return with_element_of(
          Loss::name, "logits", z.x, [&]<class E>(std::type_identity<E>) -> decltype(auto) {
            return with_labels(Loss::name, labels, [&](auto const& y) -> decltype(auto) {
              return bind_views<E>(executor, weights, y, f, outputs, evaluated(z.x), evaluated(z.plus),
                                   evaluated(z.minus), evaluated(e.x), evaluated(e.plus), evaluated(e.minus));
            });
          });
  }

  template <class E, class Executor, class Weights, class Labels, class F, class Outputs, class Z, class Zp,
            class Zm, class H, class Hp, class Hm>
  decltype(auto) bind_views(Executor const& executor, Weights const& weights, Labels const& labels,
                            F const& f, Outputs const& outputs, Z const& z, Zp const& zp, Zm const& zm,
                            H const& e, Hp const& ep, Hm const& em) const {
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
    require_space<Executor, Labels>();
    auto const label_rows = as_elements(labels);
    auto const with = [&](auto const& w) -> decltype(auto) {
      using label = std::remove_reference_t<decltype(*label_rows.data)>;
      sage_operands<E, label, std::remove_cvref_t<decltype(w)>> const x{
          rows_of<E, Executor>(zv), rows_of<E, Executor>(ev), label_rows, w, rows};
      if constexpr (is_device_call<Executor>) require_reachable(executor, x);
      return f(x, std::pair(zv.x, ev.x), outputs);
    };
    if constexpr (is_device_call<Executor>) {
      return with(numbers_on_device<E>(executor, Loss::name, "weights", weights, rows));
    } else {
      require_labels(Loss::name, label_rows, as_rows(zv.x).length, loss_.ignore_index);
      return with_weights<E>(Loss::name, weights, rows, with);
    }
  }

  template <class E, class Executor, class Views>
  static auto rows_of(Views const& v) {
    return views(rows_of_view<E, Executor>(v.x), rows_of_view<E, Executor>(v.plus),
                 rows_of_view<E, Executor>(v.minus));
  }
  template <class E, class Executor, class View>
  static rows_view<E const> rows_of_view(View const& v) {
    constexpr bool same_type = std::is_same_v<typename View::value_type, E>;
    static_assert(same_type, "sage: all inputs of a loss have one element type");
    require_space<Executor, View>();
    if constexpr (same_type) {
      return read_only(as_rows(v));
    } else {
      return {};
    }
  }

  // Throws cuda_error unless the device of the call can read the operands.
  template <class Call, class Operands>
  static void require_reachable(Call const& call, Operands const& x) {
    require_reachable(call, "logits", x.z.x), require_reachable(call, "logits of x+", x.z.plus),
        require_reachable(call, "logits of x-", x.z.minus);
    require_reachable(call, "embeddings", x.e.x), require_reachable(call, "embeddings of x+", x.e.plus),
        require_reachable(call, "embeddings of x-", x.e.minus);
    require_reachable(call, "labels", x.labels);
  }
  template <class Call, class Rows>
  static void require_reachable(Call const& call, char const* name, Rows const& rows) {
    if (rows.rows > 0 && rows.length > 0) call.executor.require_reachable(Loss::name, name, rows.data);
  }

  // Outputs as slots whose mode changes from write to add when a term has written them.
  template <class Executor, class Operands, class Shapes, class Outputs, class F>
  decltype(auto) with_gradients(Executor const& executor, Operands const& x, Shapes const& shapes,
                                Outputs const& outputs, F const& f) const {
    auto& z = std::get<0>(outputs);
    auto& e = std::get<1>(outputs);
    static_assert(is_views<std::remove_cvref_t<decltype(z)>> && is_views<std::remove_cvref_t<decltype(e)>>,
                  "sage: gradients of logits and embeddings are given as sage::views(d_x, d_plus, d_minus)");
    auto dz = views(slot<Operands>(executor, "d_logits", z.x, shapes.first),
                    slot<Operands>(executor, "d_logits of x+", z.plus, shapes.first),
                    slot<Operands>(executor, "d_logits of x-", z.minus, shapes.first));
    auto de = views(slot<Operands>(executor, "d_embeddings", e.x, shapes.second),
                    slot<Operands>(executor, "d_embeddings of x+", e.plus, shapes.second),
                    slot<Operands>(executor, "d_embeddings of x-", e.minus, shapes.second));
    require_disjoint(x, dz, de);
    if constexpr (is_device_call<Executor>) {
      return f(x, dz, de);  // which rounds every sum of terms once
    } else {
      return in_accumulator(executor, x, [&](auto const& wide) {
        if constexpr (std::is_same_v<decltype(wide), Operands const&>) {
          return followed_by(
              [&] { return f(wide, dz, de); },
              [&] { zero(dz.x), zero(dz.plus), zero(dz.minus), zero(de.x), zero(de.plus), zero(de.minus); });
        } else {
          gradients_in_accumulator<typename Operands::element, 6> const sums(
              {dz.x, dz.plus, dz.minus, de.x, de.plus, de.minus});
          auto wz = views(sums.output(0), sums.output(1), sums.output(2)),
               we = views(sums.output(3), sums.output(4), sums.output(5));
          return followed_by(
              [&] { return f(wide, wz, we); },
              [&] {
                zero(wz.x), zero(wz.plus), zero(wz.minus), zero(we.x), zero(we.plus), zero(we.minus);
                sums.round(executor);
              });
        }
      });
    }
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

  template <class Operands, class Executor, class G, class Shape>
  static auto slot([[maybe_unused]] Executor const& executor, char const* name, G& g, Shape const& shape) {
    require_output_space<Executor, std::remove_cvref_t<G>>();
    auto const rows = gradient_of<typename Operands::element>(Loss::name, name, g, "its input", shape);
    if constexpr (is_device_call<Executor>)
      if (rows.mode != gradient_mode::skip) require_reachable(executor, name, rows.to);
    return rows;
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

  sage_terms<Loss> terms() const noexcept { return sage_terms<Loss>(loss_); }
  sage_on_device<Loss> on_a_device() const noexcept { return sage_on_device<Loss>(loss_); }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
