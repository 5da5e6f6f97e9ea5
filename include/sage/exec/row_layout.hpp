#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace exec {

/// What the division of rows among the threads of a GPU depends on.
struct row_shape {
  index_t rows = 0;            // N
  index_t length = 0;          // D
  index_t element_bytes = 4;   // of an operand's element
  index_t kept_bytes = 0;      // that the formula keeps at every position between its passes
  index_t state_bytes = 4;     // of the states of all passes
  bool one_at_a_time = false;  // positions are worked singly, not in groups of 16 bytes
};

/// How rows are divided: who works on one, and how many blocks there are.
struct row_layout {
  int threads_per_row = 32;  // 1, 32 (a warp) or 256 (a block)
  int block_threads = 128;
  index_t blocks = 0;          // of the launch; each strides over the rows if they are more
  index_t blocks_per_row = 1;  // more than one: a long row is divided, one launch for every pass
  bool keeps = false;          // kept values stay in shared memory; else they are computed again where needed
  index_t shared_bytes = 0;    // for kept values

  friend constexpr bool operator==(row_layout const&, row_layout const&) = default;

  SAGE_HD constexpr int rows_per_block() const noexcept { return block_threads / threads_per_row; }
};

/// The policy. Its constants are of no particular device, for the layout decides the order of the sums: a batch has the
/// same bits on every GPU.
///
///   thread per row   short rows of many, or of four elements and fewer; a lane is a row, as in across_rows
///   warp per row     up to 1024 elements; shuffles, no shared memory but for kept values
///   block per row    longer rows, or rows too few to fill a GPU with warps
///   several blocks   very long rows that are fewer than a GPU has room for blocks
///
/// Kept values go to shared memory as far as 48 KiB a block, which every device grants without being asked, and as they
/// leave room for enough blocks on a multiprocessor. Beyond, each later pass computes them again: a few dozen
/// instructions an element instead of twelve and more bytes through memory in every pass, and no memory that grows with
/// the batch. (In registers they would fit for short rows only, which shared memory serves as well.)
struct row_policy {
  static constexpr int warp = 32, small_block = 128, large_block = 256;
  static constexpr int warps_of_block = large_block / warp;
  static constexpr index_t longest_for_thread = 32, longest_for_warp = 1024;
  static constexpr index_t tiny_row = 4;
  static constexpr index_t many_rows = index_t(1) << 16;  // threads enough to fill a large GPU
  static constexpr index_t enough_warps = 1024;  // rows, one to a warp, that occupy every multiprocessor
  static constexpr index_t enough_blocks = 256;  // rows, one to a block, that do
  static constexpr index_t shared_limit = index_t(48) << 10;
  static constexpr index_t shared_of_warp = index_t(4) << 10;  // more, and too few warps are resident
  static constexpr index_t elements_of_part = index_t(1) << 13;
  static constexpr index_t most_parts = 64;
  static constexpr index_t most_blocks = index_t(1) << 20;
  static constexpr index_t most_fused_blocks = 1024;  // of a family of rows: one block joins the sums of all

  static constexpr row_layout layout_of(row_shape const& s) noexcept {
    row_layout r;
    index_t const kept_of_row = s.kept_bytes * s.length;
    if (goes_to_threads(s, kept_of_row)) {
      r.threads_per_row = 1;
      r.block_threads = small_block;
      while (r.block_threads > warp && kept_of_row * r.block_threads > shared_limit) r.block_threads /= 2;
    } else if (goes_to_warps(s, kept_of_row)) {
      r.threads_per_row = warp;
      r.block_threads = small_block;
    } else {
      r.threads_per_row = r.block_threads = large_block;
      r.blocks_per_row = parts_of(s);
    }
    index_t const kept_of_block = kept_of_row * r.rows_per_block();
    index_t const room = shared_limit - (r.threads_per_row > warp ? exchange_bytes(s) : 0);
    r.keeps = s.kept_bytes > 0 && r.blocks_per_row == 1 && kept_of_block <= room;
    r.shared_bytes = r.keeps ? kept_of_block : 0;
    index_t const wanted = (s.rows + r.rows_per_block() - 1) / r.rows_per_block() * r.blocks_per_row;
    r.blocks = wanted < most_blocks ? wanted : most_blocks / r.blocks_per_row * r.blocks_per_row;
    return r;
  }

  /// The layout of one family of rows in a fused launch, whose blocks have 256 threads, from what the policy says of them
  /// alone. Rows are not divided among blocks, kept values stay in shared memory as far as it has room beside `exchanged`
  /// bytes, and threads have rows of their own only where values are kept, as they are of logits: embeddings are never so
  /// short.
  static constexpr row_layout fused(row_layout const& alone, row_shape const& s, index_t exchanged) noexcept {
    constexpr int block = large_block;
    row_layout r;
    r.block_threads = block;
    r.threads_per_row = alone.threads_per_row;
    index_t const kept_of_row = s.kept_bytes * s.length, room = shared_limit - exchanged;
    auto const fits = [&] { return kept_of_row * r.rows_per_block() <= room; };
    if (r.threads_per_row == 1 && (s.kept_bytes == 0 || !fits())) r.threads_per_row = warp;
    if (r.threads_per_row == warp && !fits()) r.threads_per_row = block;
    r.keeps = s.kept_bytes > 0 && fits() && (alone.keeps || r.threads_per_row < block);
    r.shared_bytes = r.keeps ? kept_of_row * r.rows_per_block() : 0;
    index_t const wanted = (s.rows + r.rows_per_block() - 1) / r.rows_per_block();
    index_t most = most_fused_blocks;
    if (alone.threads_per_row == r.threads_per_row && alone.blocks_per_row == 1 && alone.blocks < most)
      most = alone.blocks;
    r.blocks = wanted < most ? wanted : most;
    return r;
  }

  /// Shared memory through which the warps of a block exchange their states.
  static constexpr index_t exchange_bytes(row_shape const& s) noexcept {
    return s.state_bytes * warps_of_block;
  }

 private:
  static constexpr bool goes_to_threads(row_shape const& s, index_t kept_of_row) noexcept {
    return s.length <= longest_for_thread && (s.rows >= many_rows || s.length <= tiny_row) &&
           kept_of_row * warp <= shared_limit;
  }
  static constexpr bool goes_to_warps(row_shape const& s, index_t kept_of_row) noexcept {
    index_t const width = s.one_at_a_time ? 1 : 16 / s.element_bytes;
    bool const few = s.rows < enough_warps && s.length > 4 * warp * (width > 0 ? width : 1);
    return s.length <= longest_for_warp && !few && kept_of_row <= shared_of_warp;
  }
  static constexpr index_t parts_of(row_shape const& s) noexcept {
    if (s.rows == 0 || s.rows >= enough_blocks) return 1;
    index_t const by_length = s.length / elements_of_part, by_rows = enough_blocks / s.rows;
    index_t const parts = by_length < by_rows ? by_length : by_rows;
    return parts < 2 ? 1 : parts < most_parts ? parts : most_parts;
  }
};

}  // namespace exec
SAGE_ABI_END
}  // namespace sage
