#include "catch.hpp"

#include <sage/exec/row_layout.hpp>

#include <initializer_list>

namespace {

using sage::index_t;
using sage::exec::row_layout;
using sage::exec::row_policy;
using sage::exec::row_shape;

constexpr row_layout triplet(index_t rows, index_t length) {
  return row_policy::layout_of({.rows = rows, .length = length, .element_bytes = 4, .state_bytes = 8});
}
constexpr row_layout divergence(index_t rows, index_t classes) {
  return row_policy::layout_of({.rows = rows,
                                .length = classes,
                                .element_bytes = 4,
                                .kept_bytes = 24,
                                .state_bytes = 12,
                                .one_at_a_time = true});
}

template <class F>
void for_each_shape(F const& f) {
  for (index_t const rows : {index_t(0), index_t(1), index_t(3), index_t(255), index_t(256), index_t(1024),
                             index_t(70000), index_t(1) << 24, (index_t(1) << 31) + 1})
    for (index_t const length :
         {index_t(0), index_t(1), index_t(4), index_t(5), index_t(32), index_t(33), index_t(128),
          index_t(1000), index_t(1025), index_t(5000), index_t(100000), index_t(1) << 31})
      for (index_t const element : {2, 4, 8})
        for (index_t const kept : {0, 4, 24, 96})
          f(row_shape{rows, length, element, kept, kept == 0 ? 8 : 56, kept > 0});
}

}  // namespace

TEST_CASE("Short rows of many go to threads, of few to warps, long rows to blocks") {
  static_assert(triplet(1 << 20, 16).threads_per_row == 1);
  static_assert(triplet(256, 2).threads_per_row == 1);
  static_assert(triplet(256, 16).threads_per_row == 32);
  static_assert(triplet(4096, 512).threads_per_row == 32);
  static_assert(triplet(16, 1024).threads_per_row == 256);
  static_assert(triplet(4096, 4096).threads_per_row == 256);
  CHECK(triplet(4096, 4096).blocks_per_row == 1);
}

TEST_CASE("A few very long rows are divided among blocks, many are not") {
  CHECK(triplet(2, 1 << 20).blocks_per_row == row_policy::most_parts);
  CHECK(triplet(100, 1 << 20).blocks_per_row == 2);
  CHECK(triplet(1000, 1 << 20).blocks_per_row == 1);
  CHECK(triplet(1, 10000).blocks_per_row == 1);
}

TEST_CASE("Kept values stay in shared memory as long as a block has room, and are computed again beyond") {
  CHECK(divergence(1 << 20, 10).keeps);
  CHECK(divergence(256, 1000).keeps);
  CHECK(divergence(4096, 2000).keeps);
  CHECK_FALSE(divergence(4096, 3000).keeps);
  CHECK_FALSE(divergence(2, 100000).keeps);
  CHECK_FALSE(triplet(4096, 3000).keeps);
  // 24 bytes at each of 32 positions: 128 rows would need 96 KiB.
  CHECK(divergence(1 << 20, 32).block_threads == 64);
}

TEST_CASE("In a fused launch rows are worked by threads, warps or blocks of 256, and never divided") {
  auto const fused = [](row_shape const& s) { return row_policy::fused(row_policy::layout_of(s), s, 3000); };
  // 32 bytes at each of 4 positions of 256 rows fit beside what warps exchange; at each of 8 they do not.
  row_shape const tiny{.rows = 256, .length = 4, .kept_bytes = 32, .one_at_a_time = true};
  CHECK(fused(tiny) == row_layout{1, 256, 1, 1, true, 32768});
  CHECK(fused({.rows = 1 << 17, .length = 8, .kept_bytes = 32, .one_at_a_time = true}).threads_per_row == 32);
  CHECK(fused({.rows = 256, .length = 70, .kept_bytes = 32}) == row_layout{32, 256, 32, 1, true, 17920});
  CHECK(fused({.rows = 4096, .length = 1000, .kept_bytes = 32}) ==
        row_layout{256, 256, 1024, 1, true, 32000});
  CHECK(fused({.rows = 64, .length = 2000, .kept_bytes = 32}) == row_layout{256, 256, 64, 1, false, 0});
  CHECK(fused({.rows = 2, .length = 1 << 20}).blocks_per_row == 1);
  for_each_shape([&](row_shape const& s) {
    row_layout const l = fused(s);
    CAPTURE(s.rows, s.length, s.element_bytes, s.kept_bytes);
    CHECK((l.threads_per_row == 1 || l.threads_per_row == 32 || l.threads_per_row == 256));
    CHECK((l.block_threads == 256 && l.blocks_per_row == 1));
    CHECK(l.shared_bytes + 3000 <= row_policy::shared_limit);
    CHECK((l.blocks > 0) == (s.rows > 0));
    CHECK(l.blocks <= row_policy::most_fused_blocks);
    if (l.blocks < row_policy::most_fused_blocks) CHECK(l.blocks * l.rows_per_block() >= s.rows);
    if (s.kept_bytes > 0 && l.threads_per_row < 256) CHECK(l.keeps);
  });
}

TEST_CASE("Every layout is one that a GPU can launch: whole warps, enough blocks, 48 KiB of shared memory") {
  for_each_shape([](row_shape const& s) {
    row_layout const l = row_policy::layout_of(s);
    CAPTURE(s.rows, s.length, s.element_bytes, s.kept_bytes);
    CHECK((l.threads_per_row == 1 || l.threads_per_row == 32 || l.threads_per_row == 256));
    CHECK(
        (l.block_threads == 32 || l.block_threads == 64 || l.block_threads == 128 || l.block_threads == 256));
    CHECK(l.block_threads >= l.threads_per_row);
    CHECK(l.shared_bytes + (l.threads_per_row == 256 ? row_policy::exchange_bytes(s) : 0) <=
          row_policy::shared_limit);
    CHECK(l.blocks % l.blocks_per_row == 0);
    CHECK(l.blocks <= row_policy::most_blocks);
    CHECK((l.blocks > 0) == (s.rows > 0));
    if (l.blocks < row_policy::most_blocks) CHECK(l.blocks / l.blocks_per_row * l.rows_per_block() >= s.rows);
    // One member of a block joins the state of one part.
    CHECK(l.blocks_per_row <= l.threads_per_row);
    // The schedules that exist: threads and warps always keep, divided rows never.
    if (s.kept_bytes > 0 && l.threads_per_row < 256) CHECK(l.keeps);
    if (l.blocks_per_row > 1) CHECK_FALSE(l.keeps);
  });
}
