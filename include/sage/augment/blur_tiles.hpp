#pragma once

#include <sage/augment/blur_layout.hpp>
#include <sage/augment/border.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/tensor/rows.hpp>

#include <cstddef>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// Four taps, one access.
template <class A>
struct alignas(16) tap_quad {
  A value[4];
};

/// Four sums at neighbouring positions of a line: sum_q = Σ_k tap_k line[(q + k) · pitch] for k = 0 … count − 1, in that
/// order. A thread keeps the four values of the line that a tap meets, and loads one of them anew for each.
template <class A>
SAGE_HD void four_sums(tap_quad<A> const* taps, int count, A const* line, int pitch, A (&sum)[4]) {
  A seen[4] = {line[0], line[pitch], line[2 * pitch], A(0)};
  for (int q = 0; q < 4; ++q) sum[q] = A(0);
  int k = 0;
  auto const step = [&](int j, A tap) {  // j is a constant once the loops are unrolled
    seen[(j + 3) % 4] = line[(k + j + 3) * pitch];
    SAGE_UNROLL
    for (int q = 0; q < 4; ++q) sum[q] += tap * seen[(j + q) % 4];
  };
  for (; k + 4 <= count; k += 4) {
    tap_quad<A> const four = taps[k / 4];
    SAGE_UNROLL
    for (int j = 0; j < 4; ++j) step(j, four.value[j]);
  }
  tap_quad<A> const last = taps[k / 4];
  SAGE_UNROLL
  for (int j = 0; j < 3; ++j)
    if (k + j < count) step(j, last.value[j]);
}

/// The taps of a tiled blur, w_0 … w_radius, as a kernel's argument.
template <class A>
struct blur_taps {
  static constexpr index_t capacity = blur_policy::largest_radius(static_cast<index_t>(sizeof(A))) + 1;
  int radius = 0;
  border rule = border::reflect;
  A half[static_cast<std::size_t>(capacity)] = {};
};

/// The blur of a batch in one launch; `sink(n, c, y, x, blurred)` takes its pixels. See blur_layout.
template <class T, class Sink>
struct blur_tiles {
  using A = accumulator_t<T>;
  static constexpr int most_threads = blur_policy::threads;
  // Left to itself, nvcc takes registers for which a multiprocessor has room for two blocks of float only; four would
  // spill on some.
  static constexpr int resident_blocks = sizeof(A) == 4 ? 3 : 2;

  image_view<T const> images;
  Sink sink;
  blur_taps<A> taps;
  blur_layout layout;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      auto const size = static_cast<int>(blur_policy::taps_size(taps.radius));
      A* const memory = reinterpret_cast<A*>(block.shared());
      memory_of_block const m{memory, memory + size,
                              memory + size + layout.band * blur_policy::band_pitch(taps.radius)};
      group.for_each([&](int rank) {
        for (int i = rank; i < size; i += most_threads) {
          int const k = i < taps.radius ? taps.radius - i : i - taps.radius;
          m.taps[i] = i <= 2 * taps.radius ? taps.half[k] : A(0);
        }
      });
      index_t const channels = images.extent[1], of_plane = layout.strips * layout.segments,
                    all = images.extent[0] * channels * of_plane;
      for (index_t b = block.number(); b < all; b += block.count()) {
        index_t const p = quotient(b, of_plane), in_plane = b - p * of_plane,
                      segment = quotient(in_plane, layout.strips), n = quotient(p, channels);
        index_t const y = segment * layout.segment_rows, end = y + layout.segment_rows;
        walk(group, m,
             {n, p - n * channels, (in_plane - segment * layout.strips) * blur_policy::columns, y,
              end < images.extent[2] ? end : images.extent[2]});
      }
    });
  }

 private:
  static constexpr int warp = exec::detail::warp_size, warps = most_threads / warp, rows = blur_policy::rows,
                       outputs = blur_policy::outputs, mid_pitch = static_cast<int>(blur_policy::mid_pitch);
  static_assert(blur_policy::columns == warp && rows == warps * outputs && outputs == 4);

  struct memory_of_block {
    A* taps;
    A* band;
    A* mid;
  };
  /// Columns x … x + 31 of the rows y … end − 1.
  struct strip {
    index_t n, c, x, y, end;
  };

  template <class Group>
  SAGE_HD void walk(Group const& group, memory_of_block const& m, strip const& s) const {
    int const reach = 2 * taps.radius;
    int ready = 0;  // rows in `mid`, the first of them at coordinate y − radius
    for (index_t y = s.y; y < s.end; y += rows) {
      int const count = static_cast<int>(s.end - y < rows ? s.end - y : rows);
      fill(group, m, s, y - taps.radius, ready, reach + count);  // one band at least, and it is synchronised
      group.for_each([&](int rank) { write(m, s, y, count, rank); });
      group.sync();
      if (y + rows < s.end) group.for_each([&](int rank) { keep(m.mid, reach, rank); });
      ready = reach;
    }
  }

  // Blurs the rows at the coordinates first + from … first + to − 1 along themselves.
  template <class Group>
  SAGE_HD void fill(Group const& group, memory_of_block const& m, strip const& s, index_t first, int from,
                    int to) const {
    for (int at = from; at < to; at += layout.band) {
      int const count = to - at < layout.band ? to - at : layout.band;
      group.for_each([&](int rank) { load(m.band, s, first + at, count, rank); });
      group.sync();
      group.for_each([&](int rank) { blur_band(m, at, count, rank); });
      group.sync();
    }
  }

  // A warp to a row, a thread to every 32nd column.
  SAGE_HD void load(A* band, strip const& s, index_t first, int count, int rank) const {
    int const pitch = static_cast<int>(blur_policy::band_pitch(taps.radius)),
              width = blur_policy::columns + 2 * taps.radius;
    for (int i = rank / warp; i < count; i += warps) {
      index_t const y = border_index(first + i, images.extent[2], taps.rule);
      T const* const row = images.row(s.n, s.c, y < 0 ? 0 : y);
      for (int j = rank % warp; j < width; j += warp) {
        index_t const x = border_index(s.x - taps.radius + j, images.extent[3], taps.rule);
        band[i * pitch + j] = x < 0 || y < 0 ? A(0) : static_cast<A>(row[x * images.stride[3]]);
      }
    }
  }

  // A warp to four rows, a thread to four columns.
  SAGE_HD void blur_band(memory_of_block const& m, int slot, int count, int rank) const {
    int const i = rank / (warp / outputs), j = rank % (warp / outputs) * outputs;
    if (i >= count) return;
    A sum[outputs];
    four_sums(reinterpret_cast<tap_quad<A> const*>(m.taps), 2 * taps.radius + 1,
              m.band + i * static_cast<int>(blur_policy::band_pitch(taps.radius)) + j, 1, sum);
    SAGE_UNROLL
    for (int q = 0; q < outputs; ++q) m.mid[(slot + i) * mid_pitch + j + q] = sum[q];
  }

  // A warp to four rows, a thread to a column of them.
  SAGE_HD void write(memory_of_block const& m, strip const& s, index_t y, int count, int rank) const {
    int const i = rank / warp * outputs, j = rank % warp;
    if (i >= count || s.x + j >= images.extent[3]) return;
    A sum[outputs];
    four_sums(reinterpret_cast<tap_quad<A> const*>(m.taps), 2 * taps.radius + 1, m.mid + i * mid_pitch + j,
              mid_pitch, sum);
    SAGE_UNROLL
    for (int q = 0; q < outputs; ++q)
      if (i + q < count) sink(s.n, s.c, y + i + q, s.x + j, sum[q]);
  }

  // The last rows of a step are the first of the next. A thread moves its own column of every eighth row, from the first
  // on: nobody reads what another has overwritten.
  SAGE_HD static void keep(A* mid, int reach, int rank) {
    int const j = rank % warp;
    for (int i = rank / warp; i < reach; i += warps) mid[i * mid_pitch + j] = mid[(i + rows) * mid_pitch + j];
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
