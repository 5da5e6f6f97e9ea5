#include "catch.hpp"

#include <sage/core/accumulator.hpp>
#include <sage/core/error.hpp>
#include <sage/core/index.hpp>

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>

namespace acme {
struct tiny {};
}  // namespace acme
template <>
inline constexpr bool sage::is_half<acme::tiny> = true;

// Accumulators: halves in float, everything else in itself; O(rows) sums one step wider.
static_assert(std::same_as<sage::accumulator_t<float>, float>);
static_assert(std::same_as<sage::accumulator_t<double const>, double>);
static_assert(std::same_as<sage::accumulator_t<long double>, long double>);
static_assert(std::same_as<sage::accumulator_t<acme::tiny const>, float>);
static_assert(std::same_as<sage::wide_t<float>, double>);
static_assert(std::same_as<sage::wide_t<double>, double>);
static_assert(std::same_as<sage::wide_t<long double>, long double>);

// N·D beyond 2³¹ has an index.
static_assert(sizeof(sage::index_t) == 8 && std::signed_integral<sage::index_t>);

TEST_CASE("An error is a sentence put together of texts and numbers, without a locale") {
  using sage::detail::raise;
  CHECK_THROWS_WITH(raise<sage::shape_error>("f", ": x has ", 3, " rows, expected ", std::int64_t(1) << 40),
                    "f: x has 3 rows, expected 1099511627776");
  CHECK_THROWS_WITH(raise<sage::argument_error>(std::string("f: t is "), -0.5, ", expected > ", 0.25f),
                    "f: t is -0.5, expected > 0.25");
  CHECK_THROWS_WITH(raise<sage::argument_error>(std::numeric_limits<double>::quiet_NaN(), " ",
                                                std::numeric_limits<double>::max()),
                    "nan 1.7976931348623157e+308");
}

TEST_CASE("Both errors are std::invalid_argument, and neither is the other") {
  CHECK_THROWS_AS(sage::detail::raise<sage::shape_error>("x"), std::invalid_argument);
  CHECK_THROWS_AS(sage::detail::raise<sage::argument_error>("x"), std::invalid_argument);
  static_assert(!std::derived_from<sage::shape_error, sage::argument_error>);
  static_assert(!std::derived_from<sage::argument_error, sage::shape_error>);
}

#if defined(__GNUC__) && !defined(__clang__) && defined(__SSE2__)
static_assert(SAGE_HAS_FLOAT16 && sage::is_half<_Float16>, "GCC 12 has _Float16 on x86");
#endif
