#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/cam_kernels.hpp>
#include <sage/loss/reduction.hpp>
#include <sage/loss/row_sums.hpp>
#include <sage/loss/row_table.hpp>
#include <sage/tensor/overlap.hpp>
#include <sage/tensor/shape.hpp>

#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The members of cam_alignment_loss: validates everything, then runs its kernels.
template <class Loss>
class cam_evaluation {
 public:
  explicit cam_evaluation(Loss const& loss) noexcept : loss_(loss) {}

  template <class... Args>
  auto value(Args&&... args) const {
    return take_apart<4>(
        [&]<class E>(std::type_identity<E>, auto const& executor, auto const& weights, auto const& tensors) {
          return bound<E>(weights, tensors, none_t{}, skip, skip, [&](auto& p, auto& table) {
            return reduced(executor, p, table, accumulator_t<E>(1));
          });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return take_apart<6>(
        [&]<class E>(std::type_identity<E>, auto const& executor, auto const& weights, auto const& tensors) {
          return bound<E>(
              weights, tensors, none_t{}, std::get<4>(tensors), std::get<5>(tensors),
              [&](auto& p, auto& table) { return reduced(executor, p, table, accumulator_t<E>(1)); });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void per_sample(Args&&... args) const {
    take_apart<5>(
        [&]<class E>(std::type_identity<E>, auto const& executor, auto const& weights, auto const& tensors) {
          bound<E>(weights, tensors, none_t{}, skip, skip,
                   [&](auto& p, auto& table) { unreduced<E>(executor, p, table, std::get<4>(tensors)); });
        },
        std::forward<Args>(args)...);
  }

  template <class... Args>
  void backward(Args&&... args) const {
    detail::take_apart_backward(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          with_element<6>(tensors, [&]<class E>(std::type_identity<E>) {
            using A = accumulator_t<E>;
            auto const& d_f = std::get<4>(tensors);
            auto const& d_w = std::get<5>(tensors);
            with_upstream<A>(
                upstream,
                [&](auto const& u) {
                  bound<E>(weights, tensors, u, d_f, d_w, [&](auto& p, auto&) { differentiate_rows(executor, p); });
                },
                [&](A const& u) {
                  bound<E>(weights, tensors, none_t{}, d_f, d_w,
                           [&](auto& p, auto& table) { reduced(executor, p, table, u); });
                });
          });
        },
        std::forward<Args>(args)...);
  }

 private:
  // Calls f(element type) for a tuple of `Expected` tensors.
  template <std::size_t Expected, class Tensors, class F>
  static decltype(auto) with_element(Tensors const& tensors, F const& f) {
    constexpr bool counts = std::tuple_size_v<Tensors> == Expected;
    static_assert(counts,
                  "sage: cam_alignment_loss takes features, class weights, labels and maps, then the gradients of "
                  "features and class weights, or one output for per_sample; backward takes the upstream gradient "
                  "before all of them");
    if constexpr (counts) return with_element_of(Loss::name, "features", std::get<0>(tensors), f);
  }

  // Calls f(element type, executor, weights or none, tuple of `Expected` tensors).
  template <std::size_t Expected, class F, class... Args>
  static decltype(auto) take_apart(F const& f, Args&&... args) {
    return detail::take_apart(
        [&](auto const& executor, auto const& weights, auto const& tensors) -> decltype(auto) {
          return with_element<Expected>(tensors, [&]<class E>(std::type_identity<E> e) {
            return f(e, executor, weights, tensors);
          });
        },
        std::forward<Args>(args)...);
  }

  // Checks and binds every argument, and calls f(problem, table of the samples).
  template <class E, class Weights, class Tensors, class Upstream, class DF, class DW, class F>
  decltype(auto) bound(Weights const& weights, Tensors const& tensors, Upstream const& upstream,
                       DF&& d_features, DW&& d_class_weights, F const& f) const {
    loss_.validate();
    auto const& features = evaluated(std::get<0>(tensors));
    auto const& class_weights = evaluated(std::get<1>(tensors));
    auto const fv = input_view<E>(Loss::name, "features", features);
    auto const wv = input_view<E>(Loss::name, "class_weights", class_weights);
    static_assert(std::is_same_v<typename decltype(wv)::value_type, E>,
                  "sage: features and class weights have one element type; maps may have another");
    require_host<decltype(fv)>();
    require_host<decltype(wv)>();
    require_shapes(fv, wv);
    cam_problem<E> p;
    p.features = as_planes(read_only(as_rows(fv)), fv.extent(2));
    p.class_weights = read_only(as_rows(wv));
    p.rows = fv.extent(0);
    p.channels = fv.extent(1);
    p.classes = wv.extent(0);
    p.area = fv.extent(2) * fv.extent(3);
    p.guard = loss_.guard;
    auto const df = gradient_of<E>(Loss::name, "d_features", d_features, "features", fv);
    p.features_mode = df.mode;
    if (df.mode != gradient_mode::skip) p.d_features = as_planes(df.to, fv.extent(2));
    p.d_class_weights = gradient_of<E>(Loss::name, "d_class_weights", d_class_weights, "class_weights", wv);
    require_disjoint(p, df);
    auto const& maps = evaluated(std::get<3>(tensors));
    with_numbers(Loss::name, "maps", maps, [&](auto const& mv) { bind_maps(p, df, fv, mv); });
    return with_labels(Loss::name, std::get<2>(tensors), [&](auto const& labels) -> decltype(auto) {
      require_rank(Loss::name, "labels", labels);
      require_one_per_row(Loss::name, "labels", labels, p.rows);
      auto const y = as_elements(labels);
      require_labels(Loss::name, y, p.classes, loss_.ignore_index);
      return with_weights<E>(Loss::name, weights, p.rows, [&](auto const& w) -> decltype(auto) {
        auto const u = [&] {
          if constexpr (std::is_same_v<Upstream, none_t>) return none_t{};
          else return per_sample_input<E>(Loss::name, "upstream", upstream, p.rows);
        }();
        row_table<accumulator_t<E>, std::remove_cvref_t<decltype(y)>, std::remove_cvref_t<decltype(w)>,
                  std::remove_cvref_t<decltype(u)>>
            table(p.rows, y, w, u, loss_.ignore_index);
        table.attach(p);
        return f(p, table);
      });
    });
  }

  // Maps of any type of numbers; those of integers say whether map_scale was forgotten.
  template <class E, class FV, class MV>
  void bind_maps(cam_problem<E>& p, gradient_rows<E> const& df, FV const& f, MV const& m) const {
    require_host<MV>();
    std::size_t const at = m.rank() == 4 ? 2 : 1;
    if ((m.rank() != 3 && m.rank() != 4) || (at == 2 && m.extent(1) != 1) || m.extent(0) != f.extent(0) ||
        m.extent(at) != f.extent(2) || m.extent(at + 1) != f.extent(3))
      raise<shape_error>(Loss::name, ": maps has shape ", shape_text(m), ", expected (", f.extent(0), ", ",
                         f.extent(2), ", ", f.extent(3), ") for features ", shape_text(f));
    auto const rows = read_only(as_rows(m));
    if (df.mode != gradient_mode::skip) require_separate(Loss::name, "d_features", df.to, "maps", rows);
    if (p.d_class_weights.mode != gradient_mode::skip)
      require_separate(Loss::name, "d_class_weights", p.d_class_weights.to, "maps", rows);
    if constexpr (std::is_integral_v<typename MV::value_type>)
      for (index_t i = 0; i < rows.rows; ++i)
        for (index_t j = 0; j < rows.length; ++j) {
          auto const got = static_cast<double>(rows.row(i)[j * rows.stride]);
          if (got < 0 || got * loss_.map_scale > 1)
            raise<argument_error>(Loss::name, ": maps has an element ", got, ", expected between 0 and ",
                                  1 / loss_.map_scale, ", for map_scale is ", loss_.map_scale);
        }
    p.maps = {as_planes(rows, f.extent(2)), static_cast<accumulator_t<E>>(loss_.map_scale)};
  }

  template <class FV, class WV>
  static void require_shapes(FV const& f, WV const& w) {
    if (f.rank() != 4)
      raise<shape_error>(Loss::name, ": features has shape ", shape_text(f), ", expected (N, C, H, W)");
    if (w.rank() != 2 || w.extent(1) != f.extent(1))
      raise<shape_error>(Loss::name, ": class_weights has shape ", shape_text(w), ", expected (K, ",
                         f.extent(1), ") for features ", shape_text(f));
    if (f.extent(0) > 0 && f.extent(2) * f.extent(3) == 0)
      raise<shape_error>(Loss::name, ": features has shape ", shape_text(f),
                         ", expected planes of at least 1 x 1");
  }

  // Outputs are written after inputs are read, but not all: they overlap nothing.
  template <class E>
  static void require_disjoint(cam_problem<E> const& p, gradient_rows<E> const& df) {
    auto const require = [&](char const* name, gradient_rows<E> const& g, gradient_rows<E> const* other) {
      if (g.mode == gradient_mode::skip) return;
      require_own_elements(Loss::name, name, g.to);
      require_separate(Loss::name, name, g.to, "features", p.features.rows);
      require_separate(Loss::name, name, g.to, "class_weights", p.class_weights);
      if (other && other->mode != gradient_mode::skip)
        require_separate(Loss::name, name, g.to, "d_features", other->to);
    };
    require("d_features", df, nullptr);
    require("d_class_weights", p.d_class_weights, &df);
  }

  // Scratch of one call.
  template <class Problem>
  struct workspace {
    using A = typename Problem::A;
    row_buffer<A> losses, cams;

    explicit workspace(Problem& p) : losses(p.rows), cams(p.rows * p.area) {
      p.losses = losses.data();
      p.cams = cams.data();
    }
  };

  template <class Executor, class E>
  static void evaluate(Executor const& executor, cam_problem<E> const& p) {
    executor(cam_maps<E>{p, p.rows, p.channels * p.area});
  }

  template <class Executor, class E>
  static void differentiate(Executor const& executor, cam_problem<E> const& p) {
    if (!p.wants_gradient()) return;
    using A = accumulator_t<E>;
    index_t const count = p.d_class_weights.mode != gradient_mode::skip ? p.channels * p.classes : 0;
    row_buffer<A> sums(count);
    for (index_t i = 0; i < count; ++i) sums[i] = A(0);
    executor(cam_gradients<E>{p, sums.data(), p.channels, p.rows * p.area});
  }

  // The gradients alone, each row times its own upstream.
  template <class Executor, class E>
  static void differentiate_rows(Executor const& executor, cam_problem<E>& p) {
    workspace<cam_problem<E>> memory(p);
    evaluate(executor, p);
    differentiate(executor, p);
  }

  template <class Executor, class E, class Table, class A = accumulator_t<E>>
  loss_result<A> reduced(Executor const& executor, cam_problem<E>& p, Table& table, A const& upstream) const {
    using wide = wide_t<A>;
    workspace<cam_problem<E>> memory(p);
    evaluate(executor, p);
    bool const by_active = loss_.reduction == reduction::mean_active;
    auto const sums = sum_rows(p.rows, static_cast<A const*>(p.losses), table, false, by_active,
                               [&](index_t i) { return table.weight(i); });
    wide const normalizer = loss_.reduction == reduction::mean ? table.weight_sum()
                            : by_active                        ? sums.active_weight
                                                               : wide(1);
    table.scale(p, over_divisor(upstream, normalizer));
    differentiate(executor, p);
    return {mean_of<A>(sums.loss, normalizer, Table::has_weights || by_active), sums.active, sums.non_finite};
  }

  template <class E, class Executor, class Table, class Out>
  static void unreduced(Executor const& executor, cam_problem<E>& p, Table& table, Out& out) {
    auto const to = per_sample_output<E>(Loss::name, out, p.rows);
    workspace<cam_problem<E>> memory(p);
    evaluate(executor, p);
    for (index_t i = 0; i < p.rows; ++i)
      *to.row(i) = static_cast<E>(table.skipped(i) ? accumulator_t<E>(0) : table.weight(i) * p.losses[i]);
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
