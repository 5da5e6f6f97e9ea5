#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/batch_evaluation.hpp>
#include <sage/exec/batch_sums.hpp>
#include <sage/exec/batch_terms.hpp>
#include <sage/exec/fused_family.hpp>
#include <sage/exec/fused_rows.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/exec/workspace_pieces.hpp>
#include <sage/math/lanes.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec::detail {

/// The rows of a large batch counted by a launch of its own, before the fused one.
template <class T>
struct count_work {
  static constexpr int most_threads = row_policy::large_block;
  static constexpr index_t most_blocks = most_threads;  // a block joins the counts of all blocks at once
  using A = accumulator_t<T>;

  term_rows<T> rows_of{};
  index_t rows = 0;
  row_counts<A>* of_blocks = nullptr;
  row_counts<A>* counts = nullptr;
  unsigned* arrivals = nullptr;  // zero before the launch

  static constexpr index_t blocks_for(index_t rows) noexcept {
    index_t const n = (rows + 4 * most_threads - 1) / (4 * most_threads);
    return n < most_blocks ? n : most_blocks;
  }

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    reduce(block, of_blocks + block.number(), [&](row_counts<A>& to, int rank) {
      for (index_t i = block.number() * most_threads + rank; i < rows; i += block.count() * most_threads)
        rows_of.count(to, i);
    });
    if (!block.is_last(arrivals)) return;
    reduce(block, counts, [&](row_counts<A>& to, int rank) {
      if (rank < block.count()) to = of_blocks[rank];
    });
  }

 private:
  template <class Block, class F>
  SAGE_HD void reduce(Block const& block, row_counts<A>* to, F const& own_part) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      typename std::remove_cvref_t<decltype(group)>::template own<row_counts<A>> part{};
      group.for_each([&](int rank) { own_part(part[rank], rank); });
      auto const total = combined<row_counts<A>>(group, join_counts{}, part);
      group.for_each([&](int rank) {
        if (rank == 0) *to = total;
      });
    });
  }
};

/// A row's losses of all terms, times the weights of terms and row, added.
template <class T, int Terms>
struct weighted_terms {
  using A = accumulator_t<T>;

  term_rows<T> rows_of{};
  index_t rows = 0;
  lanes<batch_term<A>, Terms> of_terms{};
  A const* losses = nullptr;

  SAGE_HD A operator()(index_t i) const {
    auto const r = rows_of.parameters_of(i, of_terms, {});
    A total(0);
    for (int t = 0; t < Terms; ++t)
      if (r.states[t] != term_state::skipped)
        total = total + of_terms[t].weight * (r.weights[t] * losses[t * rows + i]);
    return total;
  }
};

/// In the place of a conclusion where no value is wanted.
struct no_conclusion {
  template <class... X>
  SAGE_HD void operator()(X const&...) const {}
};

/// The evaluation of several losses of the same rows in one launch, whose results stay where the tensors are. `device` is
/// that of batch_evaluation, and has
///
///   void clear(void*, index_t bytes) const;   // to zeros, in the order of the launches
template <class Device, class T, class... Family>
class fused_evaluation {
  using A = accumulator_t<T>;
  using all_families = families<Family...>;

 public:
  /// Up to so many rows every block counts them for itself, in less time than a launch takes.
  static constexpr index_t most_rows_counted_by_each = 2048;

  fused_evaluation(Device const& device, term_rows<T> const& rows_of, index_t rows, Family const&... family)
      : device_(device), rows_of_(rows_of), rows_(rows) {
    families_.all = make_slots(numbers{}, family...);
    [&]<int... F>(std::integer_sequence<int, F...>) {
      ((families_.layouts[F] = layout_for(at<F>(families_.all))), ...);
    }
    (numbers{});
  }

  /// The means of the terms and their total into conclusion(total, means, sums of the terms), on the device, and the
  /// gradients that the families ask for. Two launches where labels or weights of many rows must be counted, else one.
  template <class Conclusion>
  void reduced(A const& upstream, Conclusion const& conclusion) const {
    run(true, upstream, conclusion);
  }
  /// The gradients alone of the mean, or of the sum of the rows, each with its own upstream.
  void gradients_of_mean(A const& upstream) const { run(true, upstream, no_conclusion{}); }
  void gradients_of_rows() const { run(false, A(1), no_conclusion{}); }

  /// The weighted losses of the rows. Two launches.
  void values(rows_view<T> const& out) const {
    if (rows_ == 0) return;
    workspace_pieces pieces;
    index_t const losses = pieces.add<A>(rows_ * all_families::terms);
    auto const memory = device_.memory(pieces.bytes());
    auto work = work_for(false, A(1), no_conclusion{});
    work.losses = piece_at<A>(memory.data, losses);
    launch(work);
    launch_values(device_, rows_,
                  weighted_terms<T, all_families::terms>{rows_of_, rows_, terms(), work.losses}, out);
  }

 private:
  using numbers = typename all_families::numbers;
  static constexpr index_t exchanged_for_all =
      row_policy::warps_of_block * static_cast<index_t>(sizeof(row_counts<A>)) + 16;
  static constexpr index_t exchanged = (exchanged_for_all + ... + exchanged_by<Family>);

  template <int Operands, int Terms, class... Formulas>
  row_layout layout_for(fused_family<T, Operands, Terms, Formulas...> const& f) const {
    row_layout r;
    [&]<int... C>(std::integer_sequence<int, C...>) {
      ((f.chosen == C ? static_cast<void>(r = layout_with(f, at<C>(f.formulas))) : void()), ...);
    }
    (std::make_integer_sequence<int, static_cast<int>(sizeof...(Formulas))>{});
    return r;
  }
  template <class F, class Formula>
  row_layout layout_with(F const& f, Formula const& formula) const {
    family_problem<Formula, T> const p{formula, f.in, f.out, rows_, f.length, f.with_gradient, nullptr};
    row_shape const s = shape_of(p);
    return row_policy::fused(device_.layout_of(s), s, exchanged);
  }

  template <class Conclusion>
  auto work_for(bool takes_mean, A const& upstream, Conclusion const& conclusion) const {
    fused_work<T, all_families, Conclusion> work;
    work.rows_of = rows_of_;
    work.rows = rows_;
    work.families = families_;
    work.takes_mean = takes_mean;
    work.upstream = upstream;
    work.conclusion = conclusion;
    return work;
  }

  template <class Conclusion>
  void run(bool takes_mean, A const& upstream, Conclusion const& conclusion) const {
    constexpr bool has_value = !std::is_same_v<Conclusion, no_conclusion>;
    bool const counts = takes_mean && rows_ > most_rows_counted_by_each;
    // The arrivals of blocks, the counts of rows, the sums of blocks and the losses of rows.
    workspace_pieces pieces;
    index_t const arrivals = pieces.add<unsigned>(2), counted = pieces.add<row_counts<A>>(1),
                  of_blocks = pieces.add<row_counts<A>>(count_work<T>::most_blocks);
    index_t const totals = pieces.add<term_total<A>>(totals_count());
    index_t const losses = pieces.add<A>(has_value ? rows_ * all_families::terms : 0);
    auto work = work_for(takes_mean, upstream, conclusion);
    if (!has_value && !counts) return launch(work);

    auto const memory = device_.memory(pieces.bytes());
    auto* const arrived = piece_at<unsigned>(memory.data, arrivals);
    device_.clear(arrived, 2 * static_cast<index_t>(sizeof(unsigned)));
    if (counts) {
      count_work<T> const count{rows_of_, rows_, piece_at<row_counts<A>>(memory.data, of_blocks),
                                piece_at<row_counts<A>>(memory.data, counted), arrived + 1};
      device_.launch(count.blocks_for(rows_), count.most_threads, 0, count);
      work.counted = count.counts;
    }
    if (has_value) {
      work.arrivals = arrived;
      work.totals = piece_at<term_total<A>>(memory.data, totals);
      work.losses = piece_at<A>(memory.data, losses);
    }
    launch(work);
  }

  template <class Work>
  void launch(Work const& work) const {
    index_t const blocks = families_.blocks();
    if (blocks > 0 || work.arrivals != nullptr)
      device_.launch(blocks > 0 ? blocks : 1, work.most_threads, families_.shared_bytes(), work);
  }

  index_t totals_count() const noexcept {
    return [&]<int... F>(std::integer_sequence<int, F...>) {
      return (index_t(0) + ... + (families_.layouts[F].blocks * Family::terms));
    }
    (numbers{});
  }
  lanes<batch_term<A>, all_families::terms> terms() const noexcept {
    lanes<batch_term<A>, all_families::terms> all{};
    int n = 0;
    auto const append = [&](auto const& family) {
      for (auto const& t : family.of_terms.value) all[n++] = t;
    };
    [&]<int... F>(std::integer_sequence<int, F...>) { (append(at<F>(families_.all)), ...); }
    (numbers{});
    return all;
  }

  Device const& device_;
  term_rows<T> const rows_of_;
  index_t const rows_;
  all_families families_{};
};

}  // namespace exec::detail
SAGE_ABI_END
}  // namespace sage
