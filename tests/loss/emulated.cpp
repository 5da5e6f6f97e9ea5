#include "exec/layouts.hpp"
#include "loss/every_loss.hpp"
#include "reference/bfloat16.hpp"
#include "reference/tolerances.hpp"

#include <sage/exec/emulated.hpp>

#include <cstdint>
#include <vector>

// Every formula on the schedules of a GPU, in every layout, against the definitions: a block of a GPU computes the
// emulated sums to the last bit but for its own exp and log.

namespace {

using namespace every_loss;
using layouts::any_layout;
using layouts::for_each_layout;

template <class T, class Subject>
void check(Subject const& s, problem const& p, answers const& expected) {
  std::vector<std::vector<T>> x;
  for (auto const& v : p.x) x.push_back(to<T>(v));
  auto const r = s.run(sage::exec::emulated<any_layout>{}, x, p.rows, p.length);
  tolerances<T> const tolerance;
  relative_error values;
  for (std::size_t i = 0; i < r.values.size(); ++i) values.add(r.values[i], expected.losses[i]);
  CAPTURE(s.name, any_layout::name(), p.length, sizeof(T));
  CHECK(values.value() <= tolerance.value);
  auto const rows = static_cast<int>(p.rows);
  auto const length = static_cast<std::size_t>(p.length);
  for (std::size_t k = 0; k < Subject::operands; ++k) {
    relative_error e;
    for (std::size_t i = 0; i < r.values.size(); ++i)
      for (std::size_t j = 0; j < length; ++j)
        e.add(r.gradients[k][i * length + j], expected.gradients[i][k][j] / rows);
    CAPTURE(k);
    CHECK(e.value() <= tolerance.gradient);
  }
}

/// In the element types T; double, which compiles as long again, for the losses alone.
template <class... T, class Subject>
void check_everywhere(Subject const& s) {
  for (index_t const length : {2, 33, 70}) {
    auto const p = Subject::random(2, length, static_cast<std::uint64_t>(length));
    auto const expected = s.expected(p);
    for_each_layout([&] { (check<T>(s, p, expected), ...); });
  }
}

}  // namespace

TEST_CASE("Every loss is that of its definition in every layout of a GPU, and so are its gradients") {
  for_each_loss([](auto const& s) { check_everywhere<float, double>(s); });
}

TEST_CASE("Every distance, hinge and divergence is that of its definition in every layout of a GPU") {
  for_each_variant([](auto const& s) { check_everywhere<float>(s); });
}

TEST_CASE("Halves are computed in float in every layout of a GPU, and rounded once") {
  auto const check_halves = [](auto const& s) {
    using subject = std::remove_cvref_t<decltype(s)>;
    index_t const rows = 3, length = 37;
    auto const p = subject::random(rows, length, 5);
    std::vector<std::vector<user::bfloat16>> halves;
    std::vector<std::vector<float>> floats;
    for (auto const& v : p.x) {
      halves.emplace_back();
      floats.emplace_back();
      for (double const x : v) {
        halves.back().emplace_back(static_cast<float>(x));
        floats.back().push_back(static_cast<float>(halves.back().back()));
      }
    }
    // In one layout the floats are the same, whatever they were before; but chunks of eight divide a row otherwise than
    // chunks of four, and the last bit of a sum may round a half the other way: then by one unit.
    for_each_layout([&] {
      sage::exec::emulated<any_layout> const executor;
      auto const h = s.run(executor, halves, rows, length);
      auto const f = s.run(executor, floats, rows, length);
      CAPTURE(s.name, any_layout::name());
      CHECK(relative(h.value, f.value) <= tolerances<float>{}.value);
      auto const near = [](user::bfloat16 const& x, float y) {
        return std::abs(int(x.bits) - int(user::bfloat16(y).bits)) <= 1;
      };
      for (std::size_t i = 0; i < h.values.size(); ++i) CHECK(near(h.values[i], f.values[i]));
      for (std::size_t k = 0; k < h.gradients.size(); ++k)
        for (std::size_t j = 0; j < h.gradients[k].size(); ++j)
          CHECK(near(h.gradients[k][j], f.gradients[k][j]));
    });
  };
  // One of chunks, one position by position that keeps values, one with a label.
  std::size_t n = 0;
  for_each_loss([&](auto const& s) {
    using subject = std::remove_cvref_t<decltype(s)>;
    if constexpr (subject::what == operands_are::embeddings ||
                  subject::what == operands_are::labelled_logits) {
      check_halves(s);
      ++n;
    }
  });
  CHECK(n == 3);
}
