#include "catch.hpp"

#include <sage/exec/isa.hpp>
#include <sage/math/half_rows.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

// Numbers of both formats against definitions of their own: a number of 16 bits is sign · significand · 2^exponent; a float
// is rounded to the one of the two neighbours that is nearer, of equally near ones to that with an even last bit.

namespace acme {

/// Bits that only vectors convert: element by element they become another number.
struct binary16 {
  std::uint16_t bits = 0;
  binary16() = default;
  explicit binary16(float) : bits(0x7777) {}
  explicit operator float() const { return -777; }
};
struct bfloat16 {
  std::uint16_t bits = 0;
  bfloat16() = default;
  explicit bfloat16(float) : bits(0x7777) {}
  explicit operator float() const { return -777; }
};
/// Bits of binary16 that stand for another number, as far as the library knows.
struct tenths {
  std::uint16_t bits = 0;
  tenths() = default;
  explicit tenths(float x) : bits(static_cast<std::uint16_t>(x * 10)) {}
  explicit operator float() const { return static_cast<float>(bits) / 10; }
};

}  // namespace acme

template <>
inline constexpr bool sage::is_half<acme::binary16> = true;
template <>
inline constexpr bool sage::is_half<acme::bfloat16> = true;
template <>
inline constexpr bool sage::is_half<acme::tenths> = true;
template <>
inline constexpr sage::half_format sage::half_format_of<acme::binary16> = sage::half_format::binary16;
template <>
inline constexpr sage::half_format sage::half_format_of<acme::bfloat16> = sage::half_format::bfloat16;

static_assert(sage::half_format_of<acme::tenths> == sage::half_format::unknown);
static_assert(sage::half_format_of<float> == sage::half_format::unknown);

namespace {

using sage::index_t;
using sage::exec::isa;

/// f(a pack of floats) of every width that this processor has, compiled for it; of a float where there are no packs.
template <class F>
void at_every_width(F const& f) {
#if SAGE_SIMD
  for (isa const level : {isa::baseline, isa::avx2, isa::avx512})
    if (sage::exec::has_isa(level)) {
      CAPTURE(static_cast<int>(level));
      sage::exec::dispatch(level, [&](auto bytes) SAGE_INLINE_LAMBDA {
        f(sage::pack<float, decltype(bytes)::value / 4>(0.0f));
      });
    }
#else
  f(0.0f);
#endif
}

}  // namespace

#if SAGE_SIMD

namespace {

template <class Half>
struct format;  // bits behind the leading one, and the exponent's bias
template <>
struct format<acme::binary16> {
  static constexpr int fraction = 10, bias = 15;
};
template <>
struct format<acme::bfloat16> {
  static constexpr int fraction = 7, bias = 127;
};

template <class Half>
float defined_value(std::uint16_t bits) {
  constexpr int fraction = format<Half>::fraction, bias = format<Half>::bias;
  int const exponent = (bits & 0x7fff) >> fraction, significand = bits & ((1 << fraction) - 1);
  double r = 0;
  if (exponent == 0x7fff >> fraction) {
    r = significand == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  } else {
    r = exponent == 0 ? std::ldexp(significand, 1 - bias - fraction)
                      : std::ldexp(significand + (1 << fraction), exponent - bias - fraction);
  }
  return static_cast<float>(bits & 0x8000 ? -r : r);
}

/// Bits of the number next to x. Behind the largest number stands ∞ as if the exponent had no end.
template <class Half>
std::uint16_t nearest(float x) {
  constexpr std::uint16_t infinity = 0x8000 - (1 << format<Half>::fraction);
  auto const sign = static_cast<std::uint16_t>(std::signbit(x) ? 0x8000 : 0);
  double const magnitude = std::abs(static_cast<double>(x));
  if (std::isinf(x)) return static_cast<std::uint16_t>(sign | infinity);
  auto const value = [](int bits) {
    if (bits < infinity) return static_cast<double>(defined_value<Half>(static_cast<std::uint16_t>(bits)));
    return std::ldexp(1.0, format<Half>::bias + 1);
  };
  int below = 0;  // the largest number that is no larger
  for (int step = 0x4000; step > 0; step /= 2)
    if (below + step < infinity && value(below + step) <= magnitude) below += step;
  double const down = magnitude - value(below), up = value(below + 1) - magnitude;
  int const bits = down < up || (down == up && below % 2 == 0) ? below : below + 1;
  return static_cast<std::uint16_t>(sign | bits);
}

/// Floats that are hard to round: all of 16 bits' numbers, the middles between neighbours and the floats next to both, of
/// both signs; and floats of every exponent with all kinds of fractions.
template <class Half>
std::vector<float> hard_floats() {
  std::vector<float> r;
  auto const add_with_neighbours = [&](float x) {
    auto const bits = std::bit_cast<std::uint32_t>(x);
    for (std::uint32_t const b : {bits - 1, bits, bits + 1}) r.push_back(std::bit_cast<float>(b));
  };
  constexpr std::uint16_t infinity = 0x8000 - (1 << format<Half>::fraction);
  for (std::uint16_t bits = 1; bits < infinity; ++bits) {
    auto const below = static_cast<double>(defined_value<Half>(static_cast<std::uint16_t>(bits - 1))),
               x = static_cast<double>(defined_value<Half>(bits));
    add_with_neighbours(static_cast<float>(x));
    add_with_neighbours(static_cast<float>((below + x) / 2));
  }
  for (std::uint32_t exponent = 0; exponent < 255; ++exponent)
    for (std::uint32_t const fraction :
         {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u, 0x7fffffu})
      r.push_back(std::bit_cast<float>(exponent << 23 | fraction));
  float const largest = defined_value<Half>(infinity - 1);
  for (float const x :
       {0.0f, largest, std::numeric_limits<float>::max(), std::numeric_limits<float>::infinity()})
    r.push_back(x);
  r.push_back(65519.996f), r.push_back(65520.0f), r.push_back(0x1p16f);  // about the end of binary16
  std::size_t const count = r.size();
  for (std::size_t i = 0; i < count; ++i) r.push_back(-r[i]);
  while (r.size() % 16 != 0) r.push_back(1);
  return r;
}

}  // namespace

TEMPLATE_TEST_CASE("Every number of 16 bits is widened to itself", "", acme::binary16, acme::bfloat16) {
  std::vector<TestType> halves(0x10000);
  for (std::size_t i = 0; i < halves.size(); ++i) halves[i].bits = static_cast<std::uint16_t>(i);
  at_every_width([&]<class V>(V const&) SAGE_INLINE_LAMBDA {
    std::vector<float> floats(halves.size(), -1.0f);
    sage::detail::widen_row<V>(halves.data(), static_cast<index_t>(halves.size()), floats.data());
    index_t wrong = 0;
    for (std::size_t i = 0; i < halves.size(); ++i) {
      float const expected = defined_value<TestType>(halves[i].bits);
      wrong += std::isnan(expected)
                   ? !std::isnan(floats[i])
                   : std::bit_cast<std::uint32_t>(floats[i]) != std::bit_cast<std::uint32_t>(expected);
    }
    CHECK(wrong == 0);
  });
}

TEMPLATE_TEST_CASE("Floats are rounded to the nearest number of 16 bits, ties to even", "", acme::binary16,
                   acme::bfloat16) {
  std::vector<float> const floats = hard_floats<TestType>();
  std::vector<std::uint16_t> expected;
  for (float const x : floats) expected.push_back(nearest<TestType>(x));
  at_every_width([&]<class V>(V const&) SAGE_INLINE_LAMBDA {
    std::vector<TestType> halves(floats.size());
    sage::detail::round_row<V>(floats.data(), static_cast<index_t>(floats.size()), halves.data());
    index_t wrong = 0;
    for (std::size_t i = 0; i < floats.size(); ++i) wrong += halves[i].bits != expected[i];
    CHECK(wrong == 0);
  });
}

TEMPLATE_TEST_CASE("NaN of any payload stays NaN when it is rounded to 16 bits", "", acme::binary16,
                   acme::bfloat16) {
  std::vector<float> floats;
  for (int bit = 0; bit < 23; ++bit)
    for (std::uint32_t const sign : {0u, 0x80000000u})
      for (std::uint32_t const fraction : {1u << bit, (2u << bit) - 1})
        floats.push_back(std::bit_cast<float>(sign | 0x7f800000u | (fraction & 0x7fffffu)));
  while (floats.size() % 16 != 0) floats.push_back(floats[0]);
  at_every_width([&]<class V>(V const&) SAGE_INLINE_LAMBDA {
    std::vector<TestType> halves(floats.size());
    sage::detail::round_row<V>(floats.data(), static_cast<index_t>(floats.size()), halves.data());
    for (TestType const h : halves) CHECK(std::isnan(defined_value<TestType>(h.bits)));
  });
}

TEMPLATE_TEST_CASE("What is added to numbers of 16 bits is added in float and rounded once", "",
                   acme::binary16, acme::bfloat16) {
  std::vector<TestType> start(64);
  std::vector<float> more(64);
  for (std::size_t i = 0; i < start.size(); ++i) {
    start[i].bits = static_cast<std::uint16_t>(0x3c00 + 37 * i);
    more[i] = 0x1.234p-3f * static_cast<float>(i) - 2;
  }
  at_every_width([&]<class V>(V const&) SAGE_INLINE_LAMBDA {
    std::vector<TestType> sums = start;
    sage::detail::add_row<V>(more.data(), static_cast<index_t>(sums.size()), sums.data());
    for (std::size_t i = 0; i < sums.size(); ++i)
      CHECK(sums[i].bits == nearest<TestType>(defined_value<TestType>(start[i].bits) + more[i]));
  });
}

TEST_CASE("Rows of any length at any address are widened and rounded, and nothing beside them is touched") {
  constexpr std::uint16_t untouched = 0x1234;
  at_every_width([&]<class V>(V const&) SAGE_INLINE_LAMBDA {
    constexpr index_t width = sage::lane_traits<V>::width;
    for (index_t const length : {width, width + 1, 2 * width - 1, 3 * width + 2})
      for (index_t const start : {1, 2, 3}) {
        std::vector<acme::bfloat16> from(static_cast<std::size_t>(length + 8)), to = from;
        for (std::size_t i = 0; i < from.size(); ++i)
          from[i].bits = static_cast<std::uint16_t>(0x3f80 + i), to[i].bits = untouched;
        std::vector<float> row(static_cast<std::size_t>(length + 8), -1.0f);
        sage::detail::widen_row<V>(from.data() + start, length, row.data() + start);
        sage::detail::round_row<V>(row.data() + start, length, to.data() + start);
        CAPTURE(length, start);
        for (index_t i = 0; i < length + 8; ++i) {
          auto const at = static_cast<std::size_t>(i);
          bool const inside = i >= start && i < start + length;
          CHECK(row[at] == (inside ? defined_value<acme::bfloat16>(from[at].bits) : -1.0f));
          CHECK(to[at].bits == (inside ? from[at].bits : untouched));
        }
      }
  });
}

#endif

TEST_CASE("A half type whose format the library does not know is converted by its own conversions") {
  std::vector<acme::tenths> tenths(19), back(19);
  for (std::size_t i = 0; i < tenths.size(); ++i) tenths[i].bits = static_cast<std::uint16_t>(10 * i);
  at_every_width([&]<class V>(V const&) SAGE_INLINE_LAMBDA {
    std::vector<float> floats(tenths.size());
    sage::detail::widen_row<V>(tenths.data(), 19, floats.data());
    sage::detail::round_row<V>(floats.data(), 19, back.data());
    for (std::size_t i = 0; i < tenths.size(); ++i) {
      CHECK(floats[i] == static_cast<float>(i));
      CHECK(back[i].bits == tenths[i].bits);
    }
  });
}
