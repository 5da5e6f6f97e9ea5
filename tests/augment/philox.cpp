#include "catch.hpp"

#include <sage/augment/philox.hpp>

#include <cstdint>

namespace {

// Random123 1.14, tests/kat_vectors: philox 4x32 10, counter, key, result.
struct known_answer {
  std::uint32_t counter[4], key[2], result[4];
};
constexpr known_answer known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

template <int N>
void check_known_answers() {
  for (known_answer const& known : known_answers) {
    sage::detail::philox4x32<N> random;
    for (int l = 0; l < N; ++l)
      for (int k = 0; k < 4; ++k) random.word[k][l] = known.counter[k] + (l == N - 1 ? 0u : 1u);
    random.randomize(known.key[0], known.key[1]);
    for (int k = 0; k < 4; ++k) CHECK(random.word[k][N - 1] == known.result[k]);
    if (N > 1) CHECK(random.word[0][0] != known.result[0]);
  }
}

}  // namespace

TEST_CASE("Philox gives Random123's known answers, one counter at a time and sixteen") {
  check_known_answers<1>();
  check_known_answers<4>();
  check_known_answers<16>();
}
