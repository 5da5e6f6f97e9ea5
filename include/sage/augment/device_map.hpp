#pragma once

#include <sage/augment/blur_layout.hpp>
#include <sage/augment/device_blur.hpp>
#include <sage/augment/image_view.hpp>
#include <sage/augment/map_values.hpp>
#include <sage/augment/pair_works.hpp>
#include <sage/augment/pixel_quad.hpp>
#include <sage/augment/resample.hpp>
#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>
#include <sage/core/index.hpp>
#include <sage/exec/cooperative_group.hpp>
#include <sage/exec/workspace_pieces.hpp>
#include <sage/math/functions.hpp>
#include <sage/tensor/rows.hpp>

#include <optional>
#include <type_traits>

namespace sage {
SAGE_ABI_BEGIN
namespace detail {

/// The weights of an axis in the memory of a device.
template <class A>
struct axis_table {
  axis_resize axis;
  index_t taps;
  A* weights;      // (to, taps)
  index_t* first;  // (to)
};

/// Fills the tables of rows and columns; a thread to an output.
template <class A>
struct axis_work {
  static constexpr int most_threads = 256;
  axis_table<A> rows, columns;

  index_t outputs() const noexcept { return rows.axis.to + columns.axis.to; }
  index_t blocks() const noexcept { return (outputs() + most_threads - 1) / most_threads; }

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      group.for_each([&](int rank) {
        index_t const i = block.number() * most_threads + rank;
        if (i < rows.axis.to) {
          fill(rows, i);
        } else if (i - rows.axis.to < columns.axis.to) {
          fill(columns, i - rows.axis.to);
        }
      });
    });
  }

 private:
  SAGE_HD static void fill(axis_table<A> const& t, index_t i) {
    t.first[i] = t.axis.weights_of(i, t.weights + i * t.taps);
  }
};

/// Maps of the new size, a pixel from the pixels under it.
template <class M, class A>
struct resize_work {
  static constexpr int most_threads = quad_loop::threads;

  image_view<M const> in;
  image_view<A> out;
  axis_table<A> rows, columns;
  quad_loop loop;

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      loop(group, block.number(), block.count(), [&](pixel_quad const& q) {
        A v[4] = {A(0), A(0), A(0), A(0)};
        for (int k = 0; k < q.count; ++k) v[k] = pixel(q.first.sample, q.first.row, q.first.column + k);
        store_quad(out, q, v);
      });
    });
  }

 private:
  SAGE_HD A pixel(index_t n, index_t y, index_t x) const {
    A const* const w = rows.weights + y * rows.taps;
    A sum = w[0] * along(n, rows.first[y], x);
    for (index_t k = 1; k < rows.taps; ++k)
      if (w[k] != A(0)) sum += w[k] * along(n, rows.first[y] + k, x);
    return sum;
  }
  SAGE_HD A along(index_t n, index_t y, index_t x) const {
    A const* const w = columns.weights + x * columns.taps;
    M const* const row = in.row(n, 0, y) + columns.first[x] * in.stride[3];
    A sum = w[0] * static_cast<A>(row[0]);
    for (index_t k = 1; k < columns.taps; ++k)
      if (w[k] != A(0)) sum += w[k] * static_cast<A>(row[k * in.stride[3]]);
    return sum;
  }
};

/// The range of a map, and whether its raw values are all finite.
template <class A>
struct map_statistics {
  value_range<A> range;
  int finite;
};
struct join_map_statistics {
  template <class A>
  SAGE_HD void combine(map_statistics<A>& a, map_statistics<A> const& b) const {
    // The lower with the lower: of no pixel the range is empty, its ends the wrong way round.
    if (b.range.low < a.range.low) a.range.low = b.range.low;
    if (b.range.high > a.range.high) a.range.high = b.range.high;
    a.finite = a.finite && b.finite;
  }
};

/// Normalises maps and weighs them; a block to a map, which it reads twice. A raw map has been read to its end before
/// the first pixel is written: it may be the output.
template <class M, class T>
struct finish_work {
  static constexpr int most_threads = 256;
  static constexpr index_t most_blocks = index_t(1) << 20;
  using A = accumulator_t<T>;

  image_view<M const> raw;
  image_view<A const> sized;
  image_view<T> out;
  T* weights;  // (N) at weight_stride, or null
  index_t weight_stride;
  map_values<A> values;

  index_t blocks() const noexcept { return out.extent[0] < most_blocks ? out.extent[0] : most_blocks; }

  template <class Block>
  SAGE_HD void operator()(Block const& block) const {
    block.template for_each_group<most_threads>([&](auto const& group, int) {
      for (index_t n = block.number(); n < out.extent[0]; n += block.count()) map(group, n);
    });
  }

 private:
  // Calls f(y, x) for the pixels of a map that are this member's.
  template <class V, class F>
  SAGE_HD static void for_each_pixel(image_view<V> const& v, int rank, F const& f) {
    index_t const width = v.extent[3], size = v.extent[2] * width;
    for (index_t i = rank; i < size; i += most_threads) {
      index_t const y = quotient(i, width);
      f(y, i - y * width);
    }
  }

  template <class Group>
  SAGE_HD void map(Group const& group, index_t n) const {
    using own = typename Group::template own<map_statistics<A>>;
    A const anywhere = *sized.row(n, 0, 0);
    own before{};
    group.for_each([&](int rank) {
      map_statistics<A> s{{anywhere, anywhere}, 1};
      for_each_pixel(sized, rank,
                     [&](index_t y, index_t x) { s.range.add(sized.row(n, 0, y)[x * sized.stride[3]]); });
      for_each_pixel(raw, rank, [&](index_t y, index_t x) {
        s.finite = s.finite && !is_non_finite(static_cast<A>(raw.row(n, 0, y)[x * raw.stride[3]]));
      });
      before[rank] = s;
    });
    auto const is = exec::detail::combined<map_statistics<A>>(group, join_map_statistics{}, before);
    auto const by = values.normalization_of(is.range);
    own after{};
    group.for_each([&](int rank) {
      map_statistics<A> s{{A(1), A(0)}, 1};  // of prepared values, from 0 to 1
      for_each_pixel(sized, rank, [&](index_t y, index_t x) {
        A const v = is.finite ? values.prepared(sized.row(n, 0, y)[x * sized.stride[3]], by) : A(0);
        s.range.add(v);
        out.row(n, 0, y)[x * out.stride[3]] = static_cast<T>(v);
      });
      after[rank] = s;
    });
    if (weights == nullptr) return;
    auto const became = exec::detail::combined<map_statistics<A>>(group, join_map_statistics{}, after);
    group.for_each([&](int rank) {
      if (rank == 0)
        weights[n * weight_stride] =
            static_cast<T>(is.finite && values.tells(by, became.range) ? A(1) : A(0));
    });
  }
};

/// The launches of a map's preparation.
template <class M, class T>
class device_map {
  using A = accumulator_t<T>;

 public:
  device_map(index_t maps, axis_resize const& rows, axis_resize const& columns,
             std::optional<device_blur<A>> const& smoothing)
      : rows_(rows), columns_(columns), smoothing_(smoothing) {
    index_t const size = maps * rows.to * columns.to;
    row_weights_ = pieces_.add<A>(rows.to * rows.taps());
    column_weights_ = pieces_.add<A>(columns.to * columns.taps());
    row_first_ = pieces_.add<index_t>(rows.to);
    column_first_ = pieces_.add<index_t>(columns.to);
    sized_ = pieces_.add<A>(size);
    if (smoothing) smooth_ = pieces_.add<A>(size);
    if (smoothing && !smoothing->is_tiled()) {
      taps_ = pieces_.add<A>(smoothing->taps_size());
      between_ = pieces_.add<A>(size);
    }
  }

  index_t bytes() const noexcept { return pieces_.bytes(); }

  template <class Device>
  void prepare(Device const& device, unsigned char* memory, image_view<M const> const& in,
               image_view<T> const& out, image_view<T> const& weights, map_values<A> const& values) const {
    axis_table<A> const rows{rows_, rows_.taps(), exec::detail::piece_at<A>(memory, row_weights_),
                             exec::detail::piece_at<index_t>(memory, row_first_)};
    axis_table<A> const columns{columns_, columns_.taps(), exec::detail::piece_at<A>(memory, column_weights_),
                                exec::detail::piece_at<index_t>(memory, column_first_)};
    axis_work<A> const tables{rows, columns};
    device.launch(tables.blocks(), tables.most_threads, 0, tables);
    auto const sized = dense_like(out, exec::detail::piece_at<A>(memory, sized_));
    resize_work<M, A> const resize{in, sized, rows, columns, quad_loop::over(sized)};
    device.launch(resize.loop.blocks(), resize.most_threads, 0, resize);
    auto const smooth = smoothing_ ? smoothed(device, memory, sized) : sized;
    finish_work<M, T> const finish{in, read_only(smooth), out, weights.data, weights.stride[0], values};
    device.launch(finish.blocks(), finish.most_threads, 0, finish);
  }

 private:
  template <class Device>
  image_view<A> smoothed(Device const& device, unsigned char* memory, image_view<A> const& sized) const {
    auto const smooth = dense_like(sized, exec::detail::piece_at<A>(memory, smooth_));
    if (smoothing_->is_tiled()) {
      smoothing_->by_tiles(device, read_only(sized), memory_sink<A>{smooth});
    } else {
      auto const taps = smoothing_->store_taps(device, exec::detail::piece_at<A>(memory, taps_));
      smoothing_->by_lines(device, taps, read_only(sized), exec::detail::piece_at<A>(memory, between_),
                           memory_sink<A>{smooth});
    }
    return smooth;
  }

  axis_resize rows_, columns_;
  std::optional<device_blur<A>> smoothing_;
  index_t row_weights_ = 0, column_weights_ = 0, row_first_ = 0, column_first_ = 0, sized_ = 0, smooth_ = 0,
          taps_ = 0, between_ = 0;
  exec::detail::workspace_pieces pieces_{};
};

}  // namespace detail
SAGE_ABI_END
}  // namespace sage
