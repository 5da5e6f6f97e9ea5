#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/batch_terms.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/exec/cooperative_rows.hpp>
#include <sage/exec/fused_family.hpp>
#include <sage/exec/row_launches.hpp>
#include <sage/exec/row_layout.hpp>
#include <sage/math/functions.hpp>
#include <sage/math/lanes.hpp>
#include <sage/math/mean.hpp>

#include <type_traits>
#include <utility>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

namespace detail {

/// What the blocks of a fused launch do. Block by block the families have their rows worked, with as many threads to a
/// row as suit each; then a block sums the losses of its rows, and the last to arrive joins the sums of all of them. The
/// divisors of the means are known before, or every block counts the rows for itself.
template <class T, class Families, class Conclusion>
struct fused_work {
  static constexpr int most_threads = row_policy::large_block;
  static constexpr int block_threads = row_policy::large_block;
  using A = accumulator_t<T>;
  template <int F>
  static constexpr int terms_of = Families::template family<F>::terms;
  template <int F>
  using totals_of = lanes<term_total<A>, terms_of<F>>;

  term_rows<T> rows_of{};
  index_t rows = 0;
  Families families{};
  A upstream = A(1);
  bool takes_mean = false;                 // else the upstream of a term is its weight
  row_counts<A> const* counted = nullptr;  // null: every block counts
  A* losses = nullptr;                     // of all terms, N each; null: nobody wants them
  unsigned* arrivals = nullptr;            // zero before the launch; null: no value is wanted
  term_total<A>* totals = nullptr;         // of the blocks
  Conclusion conclusion{};

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    row_counts<A> const counts = counts_of(block);
    [&]<int... F>(std::integer_sequence<int, F...>) {
      (work_family<F>(block, counts), ...);
      if (arrivals == nullptr) return;
      block.sync();
      (sum_family<F>(block), ...);
      if (!block.is_last(arrivals)) return;
      lanes<term_total<A>, Families::terms> all{};
      (join_family<F>(block, all), ...);
      block.template for_each_group<block_threads>([&](auto const& group, int) {
        group.for_each([&](int rank) {
          if (rank == 0) conclude(all, counts);
        });
      });
    }
    (typename Families::numbers{});
  }

 private:
  template <class Block>
  SAGE_HD row_counts<A> counts_of(Block const& block) const {
    row_counts<A> n{};
    if (!takes_mean) return n;
    if (counted != nullptr) return *counted;
    block.template for_each_group<block_threads>([&](auto const& group, int) {
      typename std::remove_cvref_t<decltype(group)>::template own<row_counts<A>> part{};
      group.for_each([&](int rank) {
        for (index_t i = rank; i < rows; i += block_threads) rows_of.count(part[rank], i);
      });
      n = combined<row_counts<A>>(group, join_counts{}, part);
    });
    return n;
  }

  template <int F, class Block>
  SAGE_HD bool is_of_family(Block const& block) const noexcept {
    index_t const number = block.number() - families.first_block(F);
    return number >= 0 && number < families.layouts[F].blocks;
  }

  template <int F, class Block>
  SAGE_HD void work_family(Block const& block, row_counts<A> const& counts) const {
    if (!is_of_family<F>(block)) return;
    auto const& family = at<F>(families.all);
    row_layout const& l = families.layouts[F];
    if (l.threads_per_row == 1) {
      if constexpr (keeps_values<std::remove_cvref_t<decltype(family)>>)
        choose<F, 1, true>(block, family, counts);
    } else if (l.threads_per_row == row_policy::warp) {
      choose<F, row_policy::warp, true>(block, family, counts);
    } else if (l.keeps) {
      choose<F, block_threads, true>(block, family, counts);
    } else {
      choose<F, block_threads, false>(block, family, counts);
    }
  }
  template <int F, int Threads, bool Keeps, class Block, int Operands, int Terms, class... Formulas>
  SAGE_HD void choose(Block const& block, fused_family<T, Operands, Terms, Formulas...> const& family,
                      row_counts<A> const& counts) const {
    [&]<int... C>(std::integer_sequence<int, C...>) {
      ((family.chosen == C ? work_rows<F, Threads, Keeps>(block, family, at<C>(family.formulas), counts)
                           : void()),
       ...);
    }
    (std::make_integer_sequence<int, static_cast<int>(sizeof...(Formulas))>{});
  }
  template <int F, int Threads, bool Keeps, class Block, class Family, class Formula>
  SAGE_HD void work_rows(Block const& block, Family const& family, Formula const& formula,
                         row_counts<A> const& counts) const {
    // The same schedule where there is nothing to keep.
    if constexpr (Keeps && Threads == block_threads && kept_by<Formula> == 0) {
      work_rows<F, Threads, false>(block, family, formula, counts);
    } else {
      using problem = family_problem<Formula, T>;
      constexpr int groups = block_threads / Threads, kept = Keeps ? kept_by<Formula> : 0;
      problem const p{formula,
                      family.in,
                      family.out,
                      rows,
                      family.length,
                      family.with_gradient,
                      losses == nullptr ? nullptr : losses + Families::template terms_before<F> * rows};
      lanes<A, Family::terms> factors{};
      SAGE_UNROLL
      for (int t = 0; t < Family::terms; ++t) factors[t] = factor_of(family.of_terms[t], counts);
      index_t const number = block.number() - families.first_block(F), blocks = families.layouts[F].blocks;
      block.template for_each_group<Threads>([&](auto const& group, int member) {
        auto const memory =
            kept_of<Threads, kept>(reinterpret_cast<A*>(block.shared()), member, groups, family.length);
        for (index_t i = number * groups + member; i < rows; i += blocks * groups)
          cooperative_row<std::remove_cvref_t<decltype(group)>, problem, Keeps>(
              group, p, i, memory)(rows_of.parameters_of(i, family.of_terms, factors));
      });
    }
  }
  SAGE_HD A factor_of(batch_term<A> const& t, row_counts<A> const& counts) const {
    A const weight = upstream * t.weight;
    return takes_mean ? sage::detail::over_divisor<A>(weight, counts.of(t)) : weight;
  }

  // Where the sums of a family's blocks stand.
  template <int F>
  SAGE_HD totals_of<F>* totals_at() const noexcept {
    return [&]<int... G>(std::integer_sequence<int, G...>) {
      index_t const before = (index_t(0) + ... + (families.layouts[G].blocks * terms_of<G>));
      return reinterpret_cast<totals_of<F>*>(totals + before);
    }
    (std::make_integer_sequence<int, F>{});
  }

  template <int F, class Block>
  SAGE_HD void sum_family(Block const& block) const {
    if (!is_of_family<F>(block)) return;
    row_layout const& l = families.layouts[F];
    index_t const number = block.number() - families.first_block(F);
    block.template for_each_group<block_threads>([&](auto const& group, int) {
      typename std::remove_cvref_t<decltype(group)>::template own<totals_of<F>> part{};
      int const groups = l.rows_per_block();
      group.for_each([&](int rank) {
        for (index_t m = rank;; m += block_threads) {
          index_t const round = sage::detail::quotient(m, groups);
          index_t const i = (round * l.blocks + number) * groups + (m - round * groups);
          if (i >= rows) break;
          add<F>(part[rank], i);
        }
      });
      totals_of<F> const total = combined<totals_of<F>>(group, join_terms{}, part);
      group.for_each([&](int rank) {
        if (rank == 0) totals_at<F>()[number] = total;
      });
    });
  }
  template <int F>
  SAGE_HD void add(totals_of<F>& to, index_t i) const {
    auto const& of_terms = at<F>(families.all).of_terms;
    auto const r = rows_of.parameters_of(i, of_terms, {});
    SAGE_UNROLL
    for (int t = 0; t < terms_of<F>; ++t) {
      if (r.states[t] == term_state::skipped) continue;
      A const l = losses[(Families::template terms_before<F> + t) * rows + i];
      to[t].loss = to[t].loss + wide_t<A>(r.weights[t]) * wide_t<A>(l);
      to[t].active += l > A(0) || !of_terms[t].hinged;
      to[t].non_finite += sage::detail::is_non_finite(l);
    }
  }

  template <int F, class Block>
  SAGE_HD void join_family(Block const& block, lanes<term_total<A>, Families::terms>& all) const {
    block.template for_each_group<block_threads>([&](auto const& group, int) {
      typename std::remove_cvref_t<decltype(group)>::template own<totals_of<F>> part{};
      group.for_each([&](int rank) {
        for (index_t b = rank; b < families.layouts[F].blocks; b += block_threads)
          join_terms{}.combine(part[rank], totals_at<F>()[b]);
      });
      totals_of<F> const total = combined<totals_of<F>>(group, join_terms{}, part);
      SAGE_UNROLL
      for (int t = 0; t < terms_of<F>; ++t) all[Families::template terms_before<F> + t] = total[t];
    });
  }

  SAGE_HD void conclude(lanes<term_total<A>, Families::terms> const& all, row_counts<A> const& counts) const {
    lanes<A, Families::terms> means{};
    wide_t<A> total(0);
    [&]<int... F>(std::integer_sequence<int, F...>) { (mean_family<F>(means, total, all, counts), ...); }
    (typename Families::numbers{});
    conclusion(static_cast<A>(total), means, all);
  }
  template <int F>
  SAGE_HD void mean_family(lanes<A, Families::terms>& means, wide_t<A>& total,
                           lanes<term_total<A>, Families::terms> const& all,
                           row_counts<A> const& counts) const {
    SAGE_UNROLL
    for (int t = 0; t < terms_of<F>; ++t) {
      batch_term<A> const& term = at<F>(families.all).of_terms[t];
      int const n = Families::template terms_before<F> + t;
      if (term.weight == A(0)) continue;
      means[n] = sage::detail::mean_of<A>(all[n].loss, counts.of(term), rows_of.weights && term.weighted);
      total = total + wide_t<A>(term.weight) * wide_t<A>(means[n]);
    }
  }
};

}  // namespace detail
}  // namespace exec
SAGE_ABI_END
}  // namespace sage
