#pragma once

#include <sage/augment/image_view.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/tensor/rows.hpp>

#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

template <class A>
struct plane_sum {
  wide_t<A> value = wide_t<A>(0);
};
struct join_plane_sums {
  template <class A>
  SAGE_HD void combine(plane_sum<A>& a, plane_sum<A> const& b) const {
    a.value = a.value + b.value;
  }
};

/// The mean of every plane, by a block for each part of one: a thread adds quads, the block its threads, and
/// joined_means the parts, in a fixed order. `source(quad, values)` reads the plane.
template <class A, class Source>
struct plane_means {
  static constexpr int most_threads = 256;
  static constexpr index_t quads_of_part = index_t(1) << 12, most_parts = 64, enough_planes = 512,
                           most_blocks = index_t(1) << 20;

  Source source;
  index_t channels, height, width, planes, parts;
  plane_sum<A>* sums;  // of the parts, where they are more than one
  A* means;

  static constexpr index_t parts_of(index_t planes, index_t height, index_t width) noexcept {
    if (planes >= enough_planes) return 1;
    index_t const n = height * ((width + 3) / 4) / quads_of_part;
    return n < 1 ? 1 : n < most_parts ? n : most_parts;
  }
  index_t blocks() const noexcept { return planes * parts < most_blocks ? planes * parts : most_blocks; }

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      for (index_t b = block.number(); b < planes * parts; b += block.count()) {
        index_t const p = quotient(b, parts), n = quotient(p, channels);
        typename std::remove_cvref_t<decltype(group)>::template own<plane_sum<A>> own{};
        group.for_each([&](int rank) {
          own[rank] = part_of({n, p - n * channels, 0, 0}, b - p * parts, rank);
        });
        plane_sum<A> const sum = exec::detail::combined<plane_sum<A>>(group, join_plane_sums{}, own);
        group.for_each([&](int rank) {
          if (rank != 0) return;
          if (parts > 1) {
            sums[b] = sum;
          } else {
            means[p] = static_cast<A>(sum.value / static_cast<wide_t<A>>(height * width));
          }
        });
      }
    });
  }

 private:
  SAGE_HD plane_sum<A> part_of(pixel_position const& plane, index_t part, int rank) const {
    index_t const of_row = (width + 3) / 4, all = height * of_row, each = quotient(all + parts - 1, parts),
                  last = (part + 1) * each < all ? (part + 1) * each : all;
    plane_sum<A> sum;
    for (index_t i = part * each + rank; i < last; i += most_threads) {
      index_t const y = quotient(i, of_row), x = 4 * (i - y * of_row);
      A v[4];
      source(pixel_quad{{plane.sample, plane.channel, y, x}, static_cast<int>(width - x < 4 ? width - x : 4)},
             v);
      sum.value = sum.value + static_cast<wide_t<A>>((v[0] + v[1]) + (v[2] + v[3]));
    }
    return sum;
  }
};

/// The means of planes from the sums of their parts; a thread to a plane.
template <class A>
struct joined_means {
  static constexpr int most_threads = 256;

  plane_sum<A> const* sums;
  index_t planes, parts, size;  // pixels of a plane
  A* means;

  index_t blocks() const noexcept { return (planes + most_threads - 1) / most_threads; }

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      group.for_each([&](int rank) {
        index_t const p = block.number() * most_threads + rank;
        if (p >= planes) return;
        plane_sum<A> total = sums[p * parts];
        for (index_t i = 1; i < parts; ++i) join_plane_sums{}.combine(total, sums[p * parts + i]);
        means[p] = static_cast<A>(total.value / static_cast<wide_t<A>>(size));
      });
    });
  }
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
