#pragma once

#include <sage/core/config.hpp>
#include <sage/loss/arguments.hpp>
#include <sage/loss/batch_pairs.hpp>
#include <sage/loss/batch_samples.hpp>

#include <concepts>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// How many samples have a label, for at most `samples` labels of any value.
class label_counts {
 public:
  explicit label_counts(index_t samples) : mask_(size_for(samples) - 1), entries_(mask_ + 1) {
    for (index_t i = 0; i <= mask_; ++i) entries_[i] = {0, -1};
  }
  /// The count of a label, from 0 on; open addressing with Fibonacci hashing.
  index_t& of(index_t label) {
    auto at = static_cast<index_t>((static_cast<std::uint64_t>(label) * 0x9e3779b97f4a7c15u) >> 32) & mask_;
    while (entries_[at].count >= 0 && entries_[at].label != label) at = (at + 1) & mask_;
    if (entries_[at].count < 0) entries_[at] = {label, 0};
    return entries_[at].count;
  }

 private:
  struct entry {
    index_t label, count;
  };
  static index_t size_for(index_t samples) noexcept {
    index_t size = 2;
    while (size < 2 * samples) size *= 2;
    return size;
  }

  index_t mask_;
  row_buffer<entry> entries_;
};

/// The members of a loss that finds its pairs or triplets in a batch of rows with labels. What an anchor's are,
/// its rule says; Loss::result is the value, their number, how many have a loss, and the non-finite anchors.
template <class Loss>
class labelled_batch_evaluation {
 public:
  explicit labelled_batch_evaluation(Loss const& loss) noexcept : loss_(loss) {}

  template <class... Args>
  auto value(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<2>(weights, tensors, [&](auto& b, none_t) { return reduced(executor, b, 1.0, skip); });
        },
        std::forward<Args>(args)...);
  }
  template <class... Args>
  auto value_and_grad(Args&&... args) const {
    return detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          return bound<3>(weights, tensors, [&](auto& b, auto& g) { return reduced(executor, b, 1.0, g); });
        },
        std::forward<Args>(args)...);
  }
  template <class... Args>
  void per_sample(Args&&... args) const {
    detail::take_apart(
        [this](auto const& executor, auto const& weights, auto const& tensors) {
          bound<3>(weights, tensors, [&](auto& b, auto& out) { unreduced(executor, b, out); });
        },
        std::forward<Args>(args)...);
  }
  template <class... Args>
  void backward(Args&&... args) const {
    detail::take_apart_backward(
        [this](auto const& executor, auto const& upstream, auto const& weights, auto const& tensors) {
          bound<3>(weights, tensors, [&](auto& b, auto& g) {
            with_upstream<double>(
                upstream, [&](auto const& u) { weighted_anchors(executor, b, u, g); },
                [&](double u) { reduced(executor, b, u, g); });
          });
        },
        std::forward<Args>(args)...);
  }

 private:
  // Rows, labels and weights of one call, checked.
  template <class E, class View>
  struct batch {
    using element = E;
    using A = accumulator_t<E>;

    View view;
    rows_view<E const> x;
    row_buffer<index_t> labels;
    batch_samples<E> samples;
    row_buffer<rating<A>> ratings;
    row_buffer<A> factors;

    template <class Weights>
    batch(View const& v, Weights const& weights)
        : view(v),
          x(read_only(as_rows(v))),
          labels(x.rows),
          samples(Loss::name, x.rows, weights),
          ratings(x.rows),
          factors(x.rows) {}
  };

  // Calls f(batch, the argument behind the labels or none).
  template <std::size_t Expected, class Weights, class Tensors, class F>
  auto bound(Weights const& weights, Tensors const& tensors, F const& f) const {
    constexpr bool counts = std::tuple_size_v<Tensors> == Expected;
    static_assert(counts,
                  "sage: this loss takes embeddings and labels, then one gradient output for value_and_grad and "
                  "backward, or one output for per_sample; backward takes the upstream gradient before all of them");
    if constexpr (counts)
      return with_element_of(Loss::name, "embeddings", std::get<0>(tensors), [&]<class E>(std::type_identity<E>) {
        return bound_as<E>(weights, tensors, f, evaluated(std::get<0>(tensors)));
      });
  }

  template <class E, class Weights, class Tensors, class F, class X>
  auto bound_as(Weights const& weights, Tensors const& tensors, F const& f, X const& embeddings) const {
    loss_.validate();
    auto const v = input_view<E>(Loss::name, "embeddings", embeddings);
    require_host<decltype(v)>();
    require_rank(Loss::name, "embeddings", v);
    batch<E, std::remove_const_t<decltype(v)>> b(v, weights);
    read_labels(std::get<1>(tensors), b);
    if constexpr (std::tuple_size_v<Tensors> == 3) {
      return f(b, std::get<2>(tensors));
    } else {
      return f(b, none_t{});
    }
  }

  template <class Labels, class Batch>
  static void read_labels(Labels const& labels, Batch& b) {
    with_labels(Loss::name, labels, [&](auto const& v) {
      require_rank(Loss::name, "labels", v);
      require_one_per_row(Loss::name, "labels", v, b.x.rows);
      auto const elements = as_elements(v);
      for (index_t i = 0; i < b.x.rows; ++i) b.labels[i] = static_cast<index_t>(*elements.row(i));
    });
  }

  template <class Batch, class G>
  auto output(Batch const& b, G& g) const {
    auto const out =
        gradient_of<typename Batch::element>(Loss::name, "d_embeddings", g, "embeddings", b.view);
    require_apart(Loss::name, "d_embeddings", out, "embeddings", b.x);
    return out;
  }

  template <class Batch>
  auto pairs_of(Batch& b) const {
    using E = typename Batch::element;
    auto const rule = loss_.rule(b.labels.data());
    return batch_pairs<std::remove_cvref_t<decltype(loss_.distance)>, std::remove_cvref_t<decltype(rule)>, E>{
        loss_.distance, rule, b.x, b.x, b.samples.left_out(), b.ratings.data(), b.factors.data()};
  }

  template <class Executor, class Batch, class G>
  auto reduced(Executor const& executor, Batch& b, double upstream, G& g) const {
    using E = typename Batch::element;
    using A = accumulator_t<E>;
    auto const out = output(b, g);
    auto const pairs = pairs_of(b);
    bool const with_gradient = out.mode != gradient_mode::skip;
    // Where only the distances tell how many a mean is over, its gradient takes a second run.
    constexpr bool labels_tell = decltype(pairs.rule)::counts_labels;
    bool const mean_of_labels = labels_tell && loss_.reduction == reduction::mean;
    if (!with_gradient || !(loss_.reduction == reduction::sum || mean_of_labels))
      run_batch_pairs<decltype(pairs.distance), decltype(pairs.rule), E>(pairs, nullptr, nullptr, executor);
    if (with_gradient) {
      A scale = static_cast<A>(upstream);
      if (mean_of_labels) {
        if constexpr (labels_tell) scale = over_divisor(scale, positive_pairs(b));
      } else if (loss_.reduction != reduction::sum) {
        scale = over_divisor(scale, batch_totals<E>(b.samples, b.ratings.data()).normalizer(loss_.reduction));
      }
      for (index_t i = 0; i < b.x.rows; ++i) b.factors[i] = scale * b.samples.weight(i);
      run_gradient(executor, pairs, out);
    }
    batch_totals<E> const t(b.samples, b.ratings.data());
    return typename Loss::template result<A>{mean_of<A>(t.loss, t.normalizer(loss_.reduction), true), t.triplets,
                                             t.active_triplets, t.non_finite};
  }

  // Σ w_i · other samples with the label of sample i.
  template <class Batch>
  static auto positive_pairs(Batch& b) {
    using wide = typename batch_totals<typename Batch::element>::wide;
    label_counts counts(b.x.rows);
    bool const* const left_out = b.samples.left_out();
    for (index_t i = 0; i < b.x.rows; ++i)
      if (!left_out || !left_out[i]) ++counts.of(b.labels[i]);
    wide pairs = wide(0);
    for (index_t i = 0; i < b.x.rows; ++i)
      if (!left_out || !left_out[i])
        pairs = pairs + wide(b.samples.weight(i)) * wide(static_cast<double>(counts.of(b.labels[i]) - 1));
    return pairs;
  }

  template <class Executor, class Batch, class Upstream, class G>
  void weighted_anchors(Executor const& executor, Batch& b, Upstream const& upstream, G& g) const {
    using E = typename Batch::element;
    using A = accumulator_t<E>;
    auto const u = per_sample_input<E>(Loss::name, "upstream", upstream, b.x.rows);
    auto const out = output(b, g);
    for (index_t i = 0; i < b.x.rows; ++i) b.factors[i] = b.samples.weight(i) * static_cast<A>(*u.row(i));
    if (out.mode != gradient_mode::skip) run_gradient(executor, pairs_of(b), out);
  }

  template <class Executor, class Pairs, class Out>
  static void run_gradient(Executor const& executor, Pairs const& pairs, Out const& out) {
    gradient_sums sums(out);
    run_batch_pairs(pairs, &sums, &sums, executor);
    sums.finish();
  }

  template <class Executor, class Batch, class Out>
  void unreduced(Executor const& executor, Batch& b, Out& out) const {
    using E = typename Batch::element;
    auto const to = per_sample_output<E>(Loss::name, out, b.x.rows);
    auto const pairs = pairs_of(b);
    run_batch_pairs<decltype(pairs.distance), decltype(pairs.rule), E>(pairs, nullptr, nullptr, executor);
    for (index_t i = 0; i < b.x.rows; ++i)
      *to.row(i) = static_cast<E>(b.samples.weight(i) * b.ratings[i].loss);
  }

  Loss const& loss_;
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
