#pragma once

#include <sage/core/config.hpp>
#include <sage/formula/info_nce.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/batch_pairs.hpp>
#include <sage/loss/batch_samples.hpp>
#include <sage/loss/own_candidates.hpp>

#include <array>
#include <concepts>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The members of info_nce_loss. The number of arguments tells given negatives (three inputs) from those of the
/// batch (two), and their rank those of each anchor's own from those that all anchors share.
template <class Loss>
class info_nce_evaluation {
 public:
  explicit info_nce_evaluation(Loss const& loss) noexcept : loss_(loss) {}

  template <class... Args>
  auto value(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<arguments::inputs>(executor, weights, tensors, [&](auto& b) { return reduced(b, 1.0); });
        },
        std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<arguments::with_gradients>(executor, weights, tensors,
                                                  [&](auto& b) { return reduced(b, 1.0); });
        },
        std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::take_apart(
        [&](auto const& executor, auto const& weights, auto const& tensors) {
          bound<arguments::with_output>(executor, weights, tensors, [&](auto& b) {
            b.compute();
            b.write_losses();
          });
        },
        std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::take_apart_backward(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          bound<arguments::with_gradients>(executor, weights, tensors, [&](auto& b) {
            with_upstream<double>(
                upstream,
                [&](auto const& u) {
                  b.set_factors(u);
                  b.compute();
                },
                [&](double u) { reduced(b, u); });
          });
        },
        std::forward<Args>(args)...);
  }

 private:
  enum class arguments { inputs, with_gradients, with_output };
  static constexpr char const* input_names[3] = {"anchor", "positive", "negatives"};
  static constexpr char const* gradient_names[3] = {"d_anchor", "d_positive", "d_negatives"};

  enum class negatives { of_batch, own, shared, own_or_shared };

  // What the types of the inputs, a tuple of views, tell.
  template <class View>
  static constexpr bool has_static_rank = requires { typename std::integral_constant<std::size_t, View::rank()>; };
  template <class Views>
  static constexpr negatives kind_of() {
    if constexpr (std::tuple_size_v<Views> == 2) {
      return negatives::of_batch;
    } else {
      using anchor = std::tuple_element_t<0, Views>;
      using given = std::tuple_element_t<2, Views>;
      if constexpr (has_static_rank<anchor> && has_static_rank<given>) {
        return given::rank() == 2 && anchor::rank() != 1 ? negatives::shared : negatives::own;
      } else {
        return negatives::own_or_shared;
      }
    }
  }

  // Operands, outputs and weights of one call, checked.
  template <class E, negatives Kind, class Executor>
  struct batch {
    static constexpr std::size_t inputs = Kind == negatives::of_batch ? 2 : 3;
    using element = E;
    using A = accumulator_t<E>;
    using distance_type = std::remove_cvref_t<decltype(std::declval<Loss const&>().distance)>;

    Loss const& loss;
    Executor const& executor;
    std::array<rows_view<E const>, inputs> x;
    std::array<gradient_rows<E>, inputs> g{};
    rows_view<E> out{};
    batch_samples<E> samples;
    index_t negatives_each;  // or −1 for those that all anchors share
    row_buffer<rating<A>> ratings, reverse_ratings;
    row_buffer<A> factors;
    bool with_gradient = false;

    template <class Weights>
    batch(Loss const& l, Executor const& e, std::array<rows_view<E const>, inputs> const& views,
          Weights const& weights, index_t k)
        : loss(l),
          executor(e),
          x(views),
          samples(Loss::name, views[0].rows, weights),
          negatives_each(k),
          ratings(views[0].rows),
          reverse_ratings(l.symmetric ? views[0].rows : 0),
          factors(views[0].rows) {}

    A share() const noexcept { return loss.symmetric ? A(0.5) : A(1); }

    void set_factor(A const& scale) {
      for (index_t i = 0; i < x[0].rows; ++i) factors[i] = share() * samples.weight(i) * scale;
    }
    template <class Upstream>
    void set_factors(Upstream const& upstream) {
      auto const u = per_sample_input<E>(Loss::name, "upstream", upstream, x[0].rows);
      for (index_t i = 0; i < x[0].rows; ++i)
        factors[i] = share() * samples.weight(i) * static_cast<A>(*u.row(i));
    }

    // The ratings of all samples, and the gradients with the factors that were set.
    void compute() {
      if constexpr (Kind == negatives::of_batch) {
        against_batch();
      } else if constexpr (Kind == negatives::own) {
        against_own();
      } else if constexpr (Kind == negatives::shared) {
        against_shared();
      } else {
        negatives_each < 0 ? against_shared() : against_own();
      }
    }

    void write_losses() {
      for (index_t i = 0; i < x[0].rows; ++i)
        *out.row(i) = static_cast<E>(samples.weight(i) * ratings[i].loss);
    }

   private:
    void against_own() {
      executor(own_candidates<distance_type, info_nce_rule, E>{
          loss.distance, {loss.temperature, negatives_are::own}, x[0], x[1], x[2], g[0], g[1], g[2], samples.left_out(),
          ratings.data(), with_gradient ? factors.data() : nullptr, negatives_each, x[0].rows,
          (negatives_each + 1) * x[0].length});
    }

    void against_shared() {
      batch_pairs<distance_type, info_nce_rule, E> const pairs{
          loss.distance,  {loss.temperature, negatives_are::shared}, x[0], x[2], samples.left_out(), ratings.data(),
          factors.data(), x[1],                            true};
      gradient_sums<E> d_anchor(g[0]), d_positive(g[1]), d_negatives(g[2]);
      run_batch_pairs(pairs, with_gradient ? &d_anchor : nullptr, with_gradient ? &d_negatives : nullptr, executor,
                      with_gradient ? &d_positive : nullptr);
      d_anchor.finish();
      d_positive.finish();
      d_negatives.finish();
    }

    void against_batch() {
      info_nce_rule const rule{loss.temperature};
      gradient_sums<E> d_anchor(g[0]), d_positive(g[1]);
      auto const run = [&](int queries, int keys, rating<A>* to, gradient_sums<E>& d_queries,
                           gradient_sums<E>& d_keys) {
        batch_pairs<distance_type, info_nce_rule, E> const pairs{loss.distance,
                                                                 rule,
                                                                 x[static_cast<std::size_t>(queries)],
                                                                 x[static_cast<std::size_t>(keys)],
                                                                 samples.left_out(),
                                                                 to,
                                                                 factors.data()};
        run_batch_pairs(pairs, with_gradient ? &d_queries : nullptr, with_gradient ? &d_keys : nullptr, executor);
      };
      run(0, 1, ratings.data(), d_anchor, d_positive);
      if (loss.symmetric) {
        run(1, 0, reverse_ratings.data(), d_positive, d_anchor);
        for (index_t i = 0; i < x[0].rows; ++i) {
          ratings[i].loss = A(0.5) * (ratings[i].loss + reverse_ratings[i].loss);
          ratings[i].active = ratings[i].loss > A(0) ? 1 : 0;
        }
      }
      d_anchor.finish();
      d_positive.finish();
    }
  };

  // Calls f(batch).
  template <arguments Given, class Executor, class Weights, class Tensors, class F>
  auto bound(Executor const& executor, Weights const& weights, Tensors const& tensors, F const& f) const {
    constexpr std::size_t count = std::tuple_size_v<Tensors>;
    constexpr std::size_t inputs = Given == arguments::inputs           ? count
                                   : Given == arguments::with_gradients ? count / 2
                                                                        : count - 1;
    constexpr bool counts =
        (inputs == 2 || inputs == 3) && (Given != arguments::with_gradients || count == 2 * inputs);
    static_assert(counts,
                  "sage: info_nce_loss takes anchor and positive, and negatives if they are not those of the batch; "
                  "then as many gradient outputs for value_and_grad and backward, or one output for per_sample; "
                  "backward takes the upstream gradient before all of them");
    if constexpr (counts)
      return with_element_of(Loss::name, "anchor", std::get<0>(tensors), [&]<class E>(std::type_identity<E>) {
        return [&]<std::size_t... I>(std::index_sequence<I...>) {
          return bound_as<E, Given>(executor, weights, tensors, f, evaluated(std::get<I>(tensors))...);
        }(std::make_index_sequence<inputs>{});
      });
  }

  template <class E, arguments Given, class Executor, class Weights, class Tensors, class F, class... Inputs>
  auto bound_as(Executor const& executor, Weights const& weights, Tensors const& tensors, F const& f,
                Inputs const&... input) const {
    loss_.validate();
    constexpr std::size_t inputs = sizeof...(Inputs);
    auto const views = [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::make_tuple(checked<E, I>(input)...);
    }
    (std::make_index_sequence<inputs>{});
    auto const& anchor = std::get<0>(views);
    require_same_shape(Loss::name, "positive", std::get<1>(views), "anchor", anchor);
    index_t negatives_each = 0;
    if constexpr (inputs == 3) negatives_each = require_negatives(std::get<2>(views), anchor);
    auto const rows = std::apply(
        [](auto const&... v) { return std::array<rows_view<E const>, inputs>{read_only(as_rows(v))...}; },
        views);
    constexpr negatives kind = kind_of<std::remove_const_t<decltype(views)>>();
    batch<E, kind, Executor> b(loss_, executor, rows, weights, negatives_each);
    if constexpr (Given == arguments::with_gradients) {
      [&]<std::size_t... I>(std::index_sequence<I...>) {
        ((b.g[I] = gradient_of<E>(Loss::name, gradient_names[I], std::get<inputs + I>(tensors),
                                  input_names[I], std::get<I>(views))),
         ...);
      }
      (std::make_index_sequence<inputs>{});
      require_disjoint(b);
    }
    if constexpr (Given == arguments::with_output)
      b.out = per_sample_output<E>(Loss::name, std::get<inputs>(tensors), b.x[0].rows);
    return f(b);
  }

  template <class E, std::size_t I, class Input>
  static auto checked(Input const& input) {
    auto const v = input_view<E>(Loss::name, input_names[I], input);
    using view = decltype(v);
    static_assert(std::is_same_v<typename view::value_type, E>,
                  "sage: all inputs of a loss have one element type");
    require_host<view>();
    require_rank(Loss::name, input_names[I], v);
    return v;
  }

  // K of negatives (…, K, D) for anchors (…, D), or −1 for negatives (K, D) that all anchors share.
  template <class Negatives, class Anchor>
  index_t require_negatives(Negatives const& n, Anchor const& a) const {
    std::size_t const last = a.rank() - 1;
    bool const own = n.rank() == a.rank() + 1;
    bool fits = (own || n.rank() == 2) && n.extent(n.rank() - 1) == a.extent(last);
    for (std::size_t d = 0; own && fits && d < last; ++d) fits = n.extent(d) == a.extent(d);
    if (!fits)
      raise<shape_error>(Loss::name, ": negatives has shape ", shape_text(n), ", anchor ", shape_text(a),
                         ", expected (..., K, D) or (K, D) for an anchor of (..., D)");
    if (loss_.symmetric)
      raise<argument_error>(Loss::name, ": symmetric is true, expected false with given negatives");
    return own ? n.extent(last) : -1;
  }

  template <class Batch>
  static void require_disjoint(Batch& b) {
    for (std::size_t i = 0; i < b.g.size(); ++i) {
      b.with_gradient = b.with_gradient || b.g[i].mode != gradient_mode::skip;
      for (std::size_t k = 0; k < b.g.size(); ++k) {
        require_apart(Loss::name, gradient_names[i], b.g[i], input_names[k], b.x[k]);
        if (k < i) require_outputs_apart(Loss::name, gradient_names[i], b.g[i], gradient_names[k], b.g[k]);
      }
    }
  }

  // The number of samples that a mean is over is known beforehand; of those with a loss only after a run.
  template <class Batch>
  auto reduced(Batch& b, double upstream) const {
    using E = typename Batch::element;
    using A = accumulator_t<E>;
    using wide = wide_t<A>;
    bool const with_gradient = b.with_gradient;
    if (with_gradient) {
      wide normalizer = wide(1);
      if (loss_.reduction == reduction::mean) {
        normalizer = wide(0);
        for (index_t i = 0; i < b.x[0].rows; ++i) normalizer = normalizer + wide(b.samples.weight(i));
      } else if (loss_.reduction == reduction::mean_active) {
        b.with_gradient = false;
        b.compute();
        normalizer = batch_totals<E>(b.samples, b.ratings.data()).active;
      }
      b.with_gradient = true;
      b.set_factor(over_divisor(static_cast<A>(upstream), normalizer));
    }
    b.compute();
    batch_totals<E> const t(b.samples, b.ratings.data());
    auto const normalizer = t.normalizer(loss_.reduction);
    bool const zero_is_nothing = b.samples.has_weights() || loss_.reduction == reduction::mean_active;
    return loss_result<A>{mean_of<A>(t.loss, normalizer, zero_is_nothing), t.active_triplets, t.non_finite};
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
