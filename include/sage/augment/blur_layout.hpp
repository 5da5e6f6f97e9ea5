#pragma once

#include <sage/core/config.hpp>
#include <sage/core/index.hpp>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// How the blur of a batch is divided among the blocks of a GPU.
///
/// A block walks down a strip of 32 columns of one plane, 32 rows a step. In shared memory it has the taps, a band of
/// rows as they are in the image (32 columns and the radius on either side), and the rows that the next step needs,
/// blurred along themselves: (2·radius + 32) × 32. What a step leaves of them the next one uses again, so that no row of
/// a strip is blurred twice.
struct blur_layout {
  bool tiled = false;        // else a plane between two passes, in the workspace
  int band = 0;              // rows loaded at a time
  index_t strips = 0;        // of a plane
  index_t segments = 0;      // of a strip, each with a block of its own
  index_t segment_rows = 0;  // of the image, at most, in a segment
  index_t blocks = 0;        // of the launch; each strides over the strips if they are more
  index_t shared_bytes = 0;

  friend constexpr bool operator==(blur_layout const&, blur_layout const&) = default;
};

/// The policy; its constants are of no particular device. An image has the same bits in every layout.
struct blur_policy {
  static constexpr int threads = 256, columns = 32, rows = 32;
  static constexpr int outputs = 4;  // of a thread, neighbours: what it loads serves all of them
  static constexpr index_t mid_pitch = columns + 1;
  static constexpr index_t shared_limit = index_t(48) << 10;
  static constexpr index_t enough_blocks = 512;
  static constexpr index_t most_blocks = index_t(1) << 20;

  /// Taps in shared memory: a multiple of four.
  SAGE_HD static constexpr index_t taps_size(index_t radius) noexcept { return (2 * radius + 4) / 4 * 4; }
  /// Elements between rows of a band: an odd number, so that threads of four rows and every fourth column meet 32 banks.
  SAGE_HD static constexpr index_t band_pitch(index_t radius) noexcept { return columns + 2 * radius + 1; }

  static constexpr index_t shared_bytes(index_t radius, int band, index_t element_bytes) noexcept {
    return (taps_size(radius) + band * band_pitch(radius) + (2 * radius + rows) * mid_pitch) * element_bytes;
  }

  /// The largest radius that is tiled.
  static constexpr index_t largest_radius(index_t element_bytes) noexcept {
    index_t r = 0;
    while (shared_bytes(r + 1, 8, element_bytes) <= shared_limit) ++r;
    return r;
  }

  static constexpr blur_layout layout_of(index_t planes, index_t height, index_t width, index_t radius,
                                         index_t element_bytes) noexcept {
    blur_layout r;
    r.tiled = radius <= largest_radius(element_bytes);
    if (!r.tiled || planes == 0 || height == 0 || width == 0) return r;
    r.band = 32;
    while (r.band > 8 && shared_bytes(radius, r.band, element_bytes) > shared_limit) r.band /= 2;
    r.shared_bytes = shared_bytes(radius, r.band, element_bytes);
    r.strips = (width + columns - 1) / columns;
    r.segments = segments_of(planes * r.strips, height, radius);
    r.segment_rows = ((height + r.segments - 1) / r.segments + rows - 1) / rows * rows;
    r.segments = (height + r.segment_rows - 1) / r.segment_rows;
    index_t const wanted = planes * r.segments * r.strips;
    r.blocks = wanted < most_blocks ? wanted : most_blocks;
    return r;
  }

 private:
  // A segment begins with 2·radius rows beside its own: it is not shorter than that.
  static constexpr index_t segments_of(index_t strips, index_t height, index_t radius) noexcept {
    if (strips == 0 || strips >= enough_blocks) return 1;
    index_t const shortest = 2 * radius > rows ? 2 * radius : rows;
    index_t const by_strips = (enough_blocks + strips - 1) / strips, by_height = height / shortest;
    index_t const n = by_strips < by_height ? by_strips : by_height;
    return n > 0 ? n : 1;
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
