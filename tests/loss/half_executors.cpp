#include "catch.hpp"
#include "reference/bfloat16.hpp"

#include <sage/core/half_format.hpp>
#include <sage/exec/simd.hpp>
#include <sage/exec/threads.hpp>
#include <sage/loss/sage.hpp>
#include <sage/loss/triplet_margin.hpp>
#include <sage/tensor/strided_view.hpp>

#include <cstddef>
#include <cstring>
#include <vector>

// Half types on the vector schedules, against the same numbers in float on the same schedule: both round one float once.

namespace user {

struct known_bfloat16 : bfloat16 {
  using bfloat16::bfloat16;
};

}  // namespace user

template <>
inline constexpr bool sage::is_half<user::known_bfloat16> = true;
template <>
inline constexpr sage::half_format sage::half_format_of<user::known_bfloat16> = sage::half_format::bfloat16;

#if SAGE_HAS_FLOAT16
#define EVERY_HALF user::bfloat16, user::known_bfloat16, _Float16
static_assert(sage::half_format_of<_Float16> == sage::half_format::binary16);
#else
#define EVERY_HALF user::bfloat16, user::known_bfloat16
#endif

namespace {

using sage::index_t;

/// Where the elements of a matrix stand.
struct layout {
  char const* name;
  index_t gap, stride;  // elements between rows, and from one to the next within a row
};
constexpr layout layouts[] = {
    {"without gaps", 0, 1}, {"with gaps between rows", 3, 1}, {"every second element", 0, 2}};

/// A matrix of halves and the same numbers as floats.
template <class Half>
struct both {
  index_t rows, columns, pitch, stride;
  std::vector<Half> halves;
  std::vector<float> floats;

  both(index_t n, index_t d, layout const& where, int seed)
      : rows(n), columns(d), pitch(d * where.stride + where.gap), stride(where.stride) {
    for (index_t i = 0; i < n * pitch; ++i) {
      auto const k = static_cast<double>((i * i * 31 + i * 7919 + seed * 104729) % 1009);
      halves.push_back(static_cast<Half>(static_cast<float>(k / 400 - 1.25)));
      floats.push_back(static_cast<float>(halves.back()));
    }
  }
  auto half() { return view(halves.data()); }
  auto wide() { return view(floats.data()); }

  /// The floats that rows hold become those of `before`'s halves plus them: what adding leaves.
  void add(both const& before) {
    for (index_t i = 0; i < rows; ++i)
      for (index_t j = 0; j < columns; ++j) {
        auto const at = static_cast<std::size_t>(i * pitch + j * stride);
        floats[at] = static_cast<float>(before.halves[at]) + floats[at];
      }
  }
  /// Is every half the float, rounded, and what stands between them untouched?
  bool agree() const {
    for (std::size_t i = 0; i < halves.size(); ++i) {
      auto const rounded = static_cast<Half>(floats[i]);
      if (std::memcmp(&rounded, &halves[i], sizeof rounded) != 0) return false;
    }
    return true;
  }

 private:
  template <class T>
  auto view(T* data) {
    return sage::strided_view{data, sage::extents{rows, columns}, sage::strides{pitch, stride}};
  }
};

/// f(executor) of every instruction set.
template <class F>
void on_every_level(F const& f) {
  using sage::exec::isa;
  for (isa const level : {isa::baseline, isa::avx2, isa::avx512})
    if (sage::exec::has_isa(level)) {
      CAPTURE(static_cast<int>(level));
      f(sage::exec::simd{level});
    }
}

}  // namespace

TEMPLATE_TEST_CASE("Gradients of halves are those of floats rounded once, in every layout, written or added",
                   "", EVERY_HALF) {
  sage::triplet_margin_loss<> const loss{.margin = 1};
  for (index_t const length : {2, 5, 24, 41, 64})
    for (layout const& where : layouts) {
      CAPTURE(length, where.name);
      index_t const rows = 37;
      both<TestType> a(rows, length, where, 1), p(rows, length, where, 2), n(rows, length, where, 3);
      on_every_level([&](auto const& executor) {
        both<TestType> da(rows, length, where, 4), dp(rows, length, where, 5), dn(rows, length, where, 6);
        auto const r = loss.value_and_grad(executor, a.half(), p.half(), n.half(), da.half(),
                                           sage::add_to(dp.half()), dn.half());
        auto const f = loss.value_and_grad(executor, a.wide(), p.wide(), n.wide(), da.wide(),
                                           sage::add_to(dp.wide()), dn.wide());
        REQUIRE(f.active > 0);
        CHECK(r.value == f.value);
        CHECK(da.agree());
        CHECK(dp.agree());
        CHECK(dn.agree());
      });
    }
}

TEST_CASE("sage_loss of halves is that of floats, gradients rounded once, on one thread and on two") {
  sage::sage_loss<> const loss{};
  index_t const rows = 40, classes = 7, length = 260;
  for (layout const& where : layouts) {
    CAPTURE(where.name);
    auto const logits = [&](int seed) { return both<user::known_bfloat16>(rows, classes, where, seed); };
    auto const embeddings = [&](int seed) { return both<user::known_bfloat16>(rows, length, where, seed); };
    auto z = logits(1), zp = logits(2), zm = logits(3), e = embeddings(4), ep = embeddings(5),
         em = embeddings(6);
    std::vector<int> label;
    for (int i = 0; i < static_cast<int>(rows); ++i) label.push_back(i % static_cast<int>(classes));
    sage::strided_view const labels{label.data(), sage::extents{rows}};
    auto const check = [&](auto const& executor) {
      auto dz = logits(7), dzp = logits(8), de = embeddings(9), dem = embeddings(10);
      auto const before_zp = dzp, before_em = dem;
      auto const r = loss.value_and_grad(executor, sage::views(z.half(), zp.half(), zm.half()),
                                         sage::views(e.half(), ep.half(), em.half()), labels,
                                         sage::views(dz.half(), sage::add_to(dzp.half()), sage::skip),
                                         sage::views(de.half(), sage::skip, sage::add_to(dem.half())));
      auto const f = loss.value_and_grad(executor, sage::views(z.wide(), zp.wide(), zm.wide()),
                                         sage::views(e.wide(), ep.wide(), em.wide()), labels,
                                         sage::views(dz.wide(), dzp.wide(), sage::skip),
                                         sage::views(de.wide(), sage::skip, dem.wide()));
      dzp.add(before_zp), dem.add(before_em);
      CHECK(r.value == f.value);
      CHECK(dz.agree());
      CHECK(dzp.agree());
      CHECK(de.agree());
      CHECK(dem.agree());
    };
    check(sage::exec::simd{});
    check(sage::exec::threads{2});
  }
}
