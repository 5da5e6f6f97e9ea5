#include "catch.hpp"
#include "reference/batch.hpp"
#include "reference/tolerances.hpp"

#include <sage/formula/contrastive.hpp>
#include <sage/formula/cross_entropy.hpp>
#include <sage/formula/degradation_checks.hpp>
#include <sage/formula/euclidean.hpp>
#include <sage/formula/jensen_shannon.hpp>
#include <sage/formula/kullback_leibler.hpp>
#include <sage/formula/lp.hpp>
#include <sage/formula/normalized_euclidean.hpp>
#include <sage/formula/skewed_jensen_shannon.hpp>
#include <sage/formula/softmax_divergence.hpp>
#include <sage/formula/triplet.hpp>

#include <vector>

// A formula is pure mathematics: it runs here without an executor or a tensor, on a schedule of a few lines that cuts
// the row into parts of any size, as warps and blocks of a GPU do.

namespace {

using namespace reference;

/// The values that a formula keeps at one position.
template <class T>
struct kept_here {
  T* at;
  T operator[](int slot) const { return at[slot]; }
  void set(int slot, T x) const { at[slot] = x; }
  kept_here from(int first) const { return {at + first}; }
};
template <class F>
constexpr int kept_by() {
  if constexpr (requires { F::kept; }) return F::kept;
  return 0;
}

template <class F, class T>
class schedule {
 public:
  schedule(F const& f, std::vector<std::vector<T>> const& x, index_t label, T upstream, std::size_t part,
           bool in_steps = false)
      : f_(f), x_(x), part_(part), in_steps_(in_steps), kept_(x[0].size() * kept_by<F>()) {
    r_.label = label;
    r_.length = static_cast<T>(x[0].size());
    r_.upstream = upstream;
  }
  auto result() { return run(typename F::template passes<T>{}); }

  std::vector<std::vector<T>> gradient() {
    auto const done = result();
    std::vector<std::vector<T>> g(x_.size(), std::vector<T>(x_[0].size()));
    for (std::size_t j = 0; j < x_[0].size(); ++j) {
      r_.column = static_cast<index_t>(j);
      auto const d = [&] {
        if constexpr (kept_by<F>() > 0)
          return f_.gradient(at(j), r_, kept(j), done);
        else
          return f_.gradient(at(j), r_, done);
      }();
      for (std::size_t k = 0; k < x_.size(); ++k) g[k][j] = d[static_cast<int>(k)];
    }
    return g;
  }

 private:
  sage::lanes<T, F::inputs> at(std::size_t j) const {
    sage::lanes<T, F::inputs> v;
    for (int k = 0; k < F::inputs; ++k) v[k] = x_[static_cast<std::size_t>(k)][j];
    return v;
  }
  template <class... Earlier>
  auto run(sage::pass_list<>, Earlier const&... earlier) {
    return f_.finalize(r_, earlier...);
  }
  template <class State, class... Later, class... Earlier>
  auto run(sage::pass_list<State, Later...>, Earlier const&... earlier) {
    State total{};
    for (std::size_t first = 0; first < x_[0].size(); first += part_) {
      State part{};
      auto const everywhere = [&](auto const& accumulate) {
        for (std::size_t j = first; j < std::min(first + part_, x_[0].size()); ++j) {
          r_.column = static_cast<index_t>(j);
          accumulate(j);
        }
      };
      if constexpr (requires { State::steps; }) {
        if (in_steps_) {
          [&]<int... I>(std::integer_sequence<int, I...>) {
            (everywhere([&](std::size_t j) { accumulate_step<I>(part, j, earlier...); }), ...);
          }
          (std::make_integer_sequence<int, State::steps>{});
          f_.combine(total, part);
          continue;
        }
      }
      everywhere([&](std::size_t j) {
        if constexpr (kept_by<F>() > 0)
          f_.accumulate(part, at(j), r_, kept(j), earlier...);
        else
          f_.accumulate(part, at(j), r_, earlier...);
      });
      f_.combine(total, part);
    }
    if constexpr (requires { f_.conclude(total, r_, earlier...); }) {
      return run(sage::pass_list<Later...>{}, earlier..., f_.conclude(total, r_, earlier...));
    } else {
      return run(sage::pass_list<Later...>{}, earlier..., total);
    }
  }

  template <int I, class State, class... Earlier>
  void accumulate_step(State& part, std::size_t j, Earlier const&... earlier) {
    if constexpr (State::steps == 1)
      f_.accumulate(part, at(j), r_, kept(j), earlier...);
    else
      f_.accumulate(sage::step<I>{}, part, at(j), r_, kept(j), earlier...);
  }

  F const& f_;
  std::vector<std::vector<T>> const& x_;
  kept_here<T> kept(std::size_t j) { return {kept_.data() + j * kept_by<F>()}; }

  std::size_t part_;
  bool in_steps_;
  std::vector<T> kept_;
  sage::row<T> r_{};
};

// `definition(operands)` is the loss; whatever the parts, and whether steps are done one by one, value and gradient are
// those of it.
template <class F, class Definition>
void agree(F const& f, Definition const& definition, double scale = 1) {
  static_assert(std::is_trivially_copyable_v<F>);
  index_t const label = 2;
  for (index_t const length : {3, 12}) {
    std::vector<std::vector<double>> x;
    std::vector<row> exact;
    for (int k = 0; k < F::inputs; ++k) {
      x.push_back(normal_values(length, static_cast<std::uint64_t>(10 * length + k), scale));
      exact.push_back(row_of(x.back(), length, 0));
    }
    real const expected = definition(exact);
    for (std::size_t const part : {1u, 2u, 5u, 12u, 100u}) {
      bool const in_steps = part == 5 || part == 100;
      schedule<F, double> s(f, x, label, 3, part, in_steps);
      CAPTURE(length, part, in_steps);
      CHECK(relative(s.result().loss, expected) <= tolerances<double>{}.value);
      // Upstream 3 multiplies the gradient; Σ_k ∂l/∂x_k · x_k against the difference along x itself.
      auto const g = s.gradient();
      auto const along = [&](real t) {
        auto moved = exact;
        for (auto& operand : moved)
          for (auto& v : operand) v *= 1 + t;
        return definition(moved);
      };
      real const h = 0x1p-30;
      real sum = 0;
      for (std::size_t k = 0; k < x.size(); ++k)
        for (std::size_t j = 0; j < x[k].size(); ++j) sum += real(g[k][j]) * x[k][j];
      CHECK(relative(sum, 3 * (along(h) - along(-h)) / (2 * h)) <=
            1e-12);  // terms of either sign: some digits cancel
    }
  }
}

real js(row const& p, row const& q) { return jensen_shannon(p, q, real(0.3)); }

}  // namespace

TEST_CASE("Formulas give their definitions' values and slopes on rows cut into any parts") {
  real const eps = real(1e-6), tiny = real(1e-12), t = real(2);
  agree(sage::triplet_formula<sage::euclidean, false>{{}, 3}, [&](std::vector<row> const& x) {
    return triplet([&](row const& u, row const& v) { return euclidean(u, v, eps); }, x[0], x[1], x[2], 3,
                   false);
  });
  agree(sage::triplet_formula<sage::euclidean, true>{{}, 3}, [&](std::vector<row> const& x) {
    return triplet([&](row const& u, row const& v) { return euclidean(u, v, eps); }, x[0], x[1], x[2], 3,
                   true);
  });
  agree(sage::triplet_formula<sage::lp, true>{{{.p = 3}}, 3}, [&](std::vector<row> const& x) {
    return triplet([&](row const& u, row const& v) { return minkowski(u, v, 3, eps); }, x[0], x[1], x[2], 3,
                   true);
  });
  agree(sage::contrastive_formula<sage::euclidean, sage::hinge::squared>{{}, 20},
        [&](std::vector<row> const& x) { return half_square(20 - euclidean(x[0], x[1], eps)); });
  agree(sage::softmax_divergence<sage::jensen_shannon>{{}, 2}, [&](std::vector<row> const& x) {
    return jensen_shannon(softmax(x[0], t), softmax(x[1], t), real(0.5));
  });
  agree(sage::softmax_divergence<sage::skewed_jensen_shannon>{{.beta = 0.3}, 2},
        [&](std::vector<row> const& x) { return js(softmax(x[0], t), softmax(x[1], t)); });
  agree(sage::softmax_divergence<sage::kullback_leibler>{{}, 2},
        [&](std::vector<row> const& x) { return kullback_leibler(softmax(x[0], t), softmax(x[1], t)); });
  agree(sage::cross_entropy_formula{0.25},
        [](std::vector<row> const& x) { return cross_entropy(x[0], 2, real(0.25)); });
  agree(sage::uniform_formula<sage::skewed_jensen_shannon>{{{.beta = 0.3}, 2}},
        [&](std::vector<row> const& x) { return toward_uniform(js, x[0], t); });
  sage::repel_formula<sage::skewed_jensen_shannon> repel_program;
  repel_program.divergence.beta = 0.3;
  repel_program.temperature = 2;
  repel_program.margin = 0.5;
  agree(repel_program, [&](std::vector<row> const& x) { return repel(js, x[0], x[1], t, real(0.5)); });
  agree(sage::rank_formula<sage::skewed_jensen_shannon>{{{.beta = 0.3}, 2}, 0.4},
        [&](std::vector<row> const& x) { return rank(js, x[0], x[1], x[2], t, real(0.4)); });
  // Normalised distances do not change along the rows themselves: only their value is compared here.
  auto const x =
      std::vector<std::vector<double>>{normal_values(9, 1), normal_values(9, 2), normal_values(9, 3)};
  sage::triplet_formula<sage::normalized_euclidean, false> const normalized_program{{}, 2};
  for (std::size_t const part : {1u, 4u, 9u})
    CHECK(relative(
              schedule<decltype(normalized_program), double>(normalized_program, x, 0, 1, part).result().loss,
              triplet([&](row const& u, row const& v) { return normalized_euclidean(u, v, tiny); },
                      row_of(x[0], 9, 0), row_of(x[1], 9, 0), row_of(x[2], 9, 0), 2, false)) <=
          tolerances<double>{}.value);
}

TEST_CASE("The gradient of a normalised distance is orthogonal to its row") {
  auto const x =
      std::vector<std::vector<double>>{normal_values(9, 1), normal_values(9, 2), normal_values(9, 3)};
  sage::triplet_formula<sage::normalized_euclidean, false> const f{{}, 2};
  auto const g = schedule<decltype(f), double>(f, x, 0, 1, 9).gradient();
  for (std::size_t k = 0; k < 3; ++k) {
    double along = 0, size = 0;
    for (std::size_t j = 0; j < 9; ++j) along += g[k][j] * x[k][j], size += std::abs(g[k][j] * x[k][j]);
    CHECK(size > 0.01);
    CHECK(std::abs(along) <= tolerances<double>{}.gradient * size);
  }
}

TEST_CASE("The hinges of repel and rank pass the gradient at exactly zero and stop it below") {
  // Two classes of equal logits: D = 0 exactly, so margin 0 is the hinge itself; the divergence is flat there, and
  // what the hinge does shows in the scale that the gradient is multiplied with.
  sage::repel_formula<sage::jensen_shannon> f;
  std::vector<std::vector<double>> const equal{{0, 0}, {0, 0}}, apart{{0, 3}, {3, 0}};
  f.margin = 0;
  CHECK(schedule<decltype(f), double>(f, equal, 0, 1, 2).result().scale == -1);
  CHECK(schedule<decltype(f), double>(f, apart, 0, 1, 2).result().scale == 0);
  sage::rank_formula<sage::jensen_shannon> r;
  std::vector<std::vector<double>> const three{{0, 0}, {0, 0}, {0, 0}}, ranked{{0, 0}, {0, 0}, {0, 3}};
  CHECK(schedule<decltype(r), double>(r, three, 0, 1, 2).result().plus.scale == 1);
  CHECK(schedule<decltype(r), double>(r, ranked, 0, 1, 2).result().plus.scale == 0);
}
