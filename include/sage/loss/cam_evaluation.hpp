#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/error.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/cam_kernels.hpp>
#include <sage/loss/reduction.hpp>
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
    split_executor(
        [&]<class Executor, class Upstream, class... Rest>(Executor const& executor, Upstream&& upstream,
                                                           Rest&&... rest) {
          take_apart<6>(
              [&]<class E>(std::type_identity<E>, auto const& ex, auto const& weights, auto const& tensors) {
                using A = accumulator_t<E>;
                auto const& d_f = std::get<4>(tensors);
                auto const& d_w = std::get<5>(tensors);
                if constexpr (tensor<Upstream> || runtime_typed_tensor<Upstream>) {
                  auto const u = input_view<E>(Loss::name, "upstream", upstream);
                  require_rank(Loss::name, "upstream", u);
                  bound<E>(weights, tensors, u, d_f, d_w, [&](auto& p, auto&) { differentiate_rows(ex, p); });
                } else {
                  static_assert(std::convertible_to<Upstream, A>,
                                "sage: upstream must be a number, or a tensor with one element per sample");
                  bound<E>(weights, tensors, none_t{}, d_f, d_w,
                           [&](auto& p, auto& table) { reduced(ex, p, table, static_cast<A>(upstream)); });
                }
              },
              executor, std::forward<Rest>(rest)...);
        },
        std::forward<Args>(args)...);
  }

 private:
  // Calls f(element type, executor, weights or none, tuple of `Expected` tensors).
  template <std::size_t Expected, class F, class... Args>
  static decltype(auto) take_apart(F const& f, Args&&... args) {
    return split_executor(
        [&](auto const& executor, auto&&... rest) -> decltype(auto) {
          return split_weights(
              [&](auto const& weights, auto const& tensors) -> decltype(auto) {
                static_assert(
                    std::tuple_size_v<std::remove_cvref_t<decltype(tensors)>> == Expected,
                    "sage: cam_alignment_loss takes features, class weights, labels and maps, then the "
                    "gradients of features and class weights, or one output for per_sample");
                auto const& features = std::get<0>(tensors);
                using first = std::remove_cvref_t<decltype(features)>;
                auto const call = [&]<class E>(std::type_identity<E> e) {
                  return f(e, executor, weights, tensors);
                };
                if constexpr (runtime_typed_tensor<first>) {
                  return tensor_traits<first>::visit_floating(features, Loss::name, "features", call);
                } else if constexpr (lazy_tensor<first>) {
                  return call(std::type_identity<typename tensor_traits<first>::element_type>{});
                } else {
                  static_assert(tensor<first>,
                                "sage: features are no tensor: include their header of sage/adapt, or "
                                "specialise sage::tensor_traits for them");
                  return call(std::type_identity<element_of<first>>{});
                }
              },
              std::forward<decltype(rest)>(rest)...);
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
    auto const& maps = evaluated(std::get<3>(tensors));
    auto const fv = input_view<E>(Loss::name, "features", features);
    auto const wv = input_view<E>(Loss::name, "class_weights", class_weights);
    auto const mv = input_view<E>(Loss::name, "maps", maps);
    require_shapes(fv, wv, mv);
    cam_problem<E> p;
    auto const rows_f = as_rows(fv), rows_m = as_rows(mv);
    p.features = as_planes(read_only(rows_f), fv.extent(2));
    p.class_weights = read_only(as_rows(wv));
    p.maps = as_planes(read_only(rows_m), fv.extent(2));
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
    return with_labels(std::get<2>(tensors), [&](auto const& labels) -> decltype(auto) {
      require_rank(Loss::name, "labels", labels);
      require_one_per_row(Loss::name, "labels", labels, p.rows);
      auto const y = as_elements(labels);
      require_labels(Loss::name, y, p.classes, loss_.ignore_index);
      return with_elements<E>("weights", weights, p.rows, [&](auto const& w) -> decltype(auto) {
        require_weights(Loss::name, w);
        return with_elements<E>("upstream", upstream, p.rows, [&](auto const& u) -> decltype(auto) {
          row_table<accumulator_t<E>, std::remove_cvref_t<decltype(y)>, std::remove_cvref_t<decltype(w)>,
                    std::remove_cvref_t<decltype(u)>>
              table(p.rows, y, w, u, loss_.ignore_index);
          table.attach(p);
          return f(p, table);
        });
      });
    });
  }

  template <class FV, class WV, class MV>
  static void require_shapes(FV const& f, WV const& w, MV const& m) {
    if (f.rank() != 4)
      raise<shape_error>(Loss::name, ": features has shape ", shape_text(f), ", expected (N, C, H, W)");
    if (w.rank() != 2 || w.extent(1) != f.extent(1))
      raise<shape_error>(Loss::name, ": class_weights has shape ", shape_text(w), ", expected (K, ",
                         f.extent(1), ") for features ", shape_text(f));
    std::size_t const at = m.rank() == 4 ? 2 : 1;
    if ((m.rank() != 3 && m.rank() != 4) || (at == 2 && m.extent(1) != 1) || m.extent(0) != f.extent(0) ||
        m.extent(at) != f.extent(2) || m.extent(at + 1) != f.extent(3))
      raise<shape_error>(Loss::name, ": maps has shape ", shape_text(m), ", expected (", f.extent(0), ", ",
                         f.extent(2), ", ", f.extent(3), ") for features ", shape_text(f));
    if (f.extent(0) > 0 && f.extent(2) * f.extent(3) == 0)
      raise<shape_error>(Loss::name, ": features has shape ", shape_text(f),
                         ", expected planes of at least 1 x 1");
  }

  // Outputs are written after inputs are read, but not all: they overlap nothing.
  template <class E>
  static void require_disjoint(cam_problem<E> const& p, gradient_rows<E> const& df) {
    auto const require = [&](char const* name, gradient_rows<E> const& g, gradient_rows<E> const* other) {
      if (g.mode == gradient_mode::skip) return;
      if (is_broadcast(g.to))
        raise<argument_error>(Loss::name, ": ", name,
                              " is a broadcast view (a stride is 0), expected elements of its own");
      auto const separate = [&](char const* of, bool overlap) {
        if (overlap)
          raise<argument_error>(Loss::name, ": ", name, " overlaps ", of, ", expected separate memory");
      };
      separate("features", may_overlap(g.to, p.features.rows));
      separate("class_weights", may_overlap(g.to, p.class_weights));
      separate("maps", may_overlap(g.to, p.maps.rows));
      if (other && other->mode != gradient_mode::skip) separate("d_features", may_overlap(g.to, other->to));
    };
    require("d_features", df, nullptr);
    require("d_class_weights", p.d_class_weights, &df);
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

  // Calls f(one element per row, or none).
  template <class E, class Tensor, class F>
  static decltype(auto) with_elements(char const* name, Tensor const& t, index_t rows, F const& f) {
    if constexpr (std::is_same_v<Tensor, none_t>) {
      return f(none_t{});
    } else {
      auto const& given = evaluated(t);
      auto const v = input_view<E>(Loss::name, name, given);
      require_rank(Loss::name, name, v);
      require_one_per_row(Loss::name, name, v, rows);
      return f(as_elements(v));
    }
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
    loss_result<A> r;
    wide sum = wide(0), active = wide(0);
    for (index_t i = 0; i < p.rows; ++i) {  // in the order of the rows, whoever computed them
      if (table.skipped(i)) continue;
      wide const w = wide(table.weight(i));
      sum = sum + w * wide(p.losses[i]);
      if (p.losses[i] > A(0)) active = active + w;
      ++r.active;
      if (is_non_finite(p.losses[i])) ++r.non_finite;
    }
    wide const normalizer = loss_.reduction == reduction::mean          ? table.weight_sum()
                            : loss_.reduction == reduction::mean_active ? active
                                                                        : wide(1);
    bool const nothing =
        normalizer == wide(0) && (Table::has_weights || loss_.reduction == reduction::mean_active);
    r.value = nothing ? A(0) : static_cast<A>(sum / normalizer);
    table.scale(p, normalizer == wide(0) ? A(0) : static_cast<A>(wide(upstream) / normalizer));
    differentiate(executor, p);
    return r;
  }

  template <class E, class Executor, class Table, class Out>
  static void unreduced(Executor const& executor, cam_problem<E>& p, Table& table, Out& out) {
    auto const v = output_view<E>(Loss::name, out);
    require_rank(Loss::name, "out", v);
    require_one_per_row(Loss::name, "out", v, p.rows);
    workspace<cam_problem<E>> memory(p);
    evaluate(executor, p);
    auto const to = as_elements(v);
    for (index_t i = 0; i < p.rows; ++i)
      *to.row(i) = static_cast<E>(table.skipped(i) ? accumulator_t<E>(0) : table.weight(i) * p.losses[i]);
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
