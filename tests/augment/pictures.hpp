#pragma once

#include "catch.hpp"
#include "reference/batch.hpp"
#include "reference/executors.hpp"
#include "reference/tolerances.hpp"

#include <sage/augment/border.hpp>
#include <sage/tensor/strided_view.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

/// Images and maps for tests, in every layout, and the definitions of section 6 written out pixel by pixel
/// in double.
namespace pictures {

using sage::index_t;

struct size {
  index_t n, c, h, w;
  index_t count() const { return n * c * h * w; }
};

/// A batch in double, (N,C,H,W).
struct batch {
  size shape;
  std::vector<double> value;

  explicit batch(size s) : shape(s), value(static_cast<std::size_t>(s.count())) {}
  double& at(index_t n, index_t c, index_t y, index_t x) {
    return value[static_cast<std::size_t>(((n * shape.c + c) * shape.h + y) * shape.w + x)];
  }
  double at(index_t n, index_t c, index_t y, index_t x) const {
    return const_cast<batch&>(*this).at(n, c, y, x);
  }
};

/// Calls f(n, c, y, x) for every pixel.
template <class F>
void for_each_pixel(size s, F const& f) {
  for (index_t n = 0; n < s.n; ++n)
    for (index_t c = 0; c < s.c; ++c)
      for (index_t y = 0; y < s.h; ++y)
        for (index_t x = 0; x < s.w; ++x) f(n, c, y, x);
}

/// Numbers in [−1, 1], exact in float.
inline batch random_images(size s, std::uint64_t seed) {
  batch b(s);
  reference::random r(seed);
  for (double& v : b.value) v = static_cast<float>(2 * r.uniform() - 1);
  return b;
}

/// Numbers in [0, 1], exact in float, some of them 0 and 1.
inline batch random_maps(size s, std::uint64_t seed) {
  batch b({s.n, 1, s.h, s.w});
  reference::random r(seed);
  for (double& v : b.value) {
    double const u = 1.5 * r.uniform() - 0.25;
    v = static_cast<float>(u < 0 ? 0 : u > 1 ? 1 : u);
  }
  return b;
}

enum class layout { nchw, nhwc, pitched, rows_reversed, columns_reversed, columns_apart };
inline constexpr layout layouts[] = {
    layout::nchw,         layout::nhwc, layout::pitched, layout::rows_reversed, layout::columns_reversed,
    layout::columns_apart};

/// A batch in memory: elements of type T in a layout, between guards that nobody may touch.
template <class T>
class stored {
 public:
  stored(size s, layout how) : shape_(s) {
    index_t const step = how == layout::columns_apart ? 2 : 1,
                  pitch = s.w * step + (how == layout::pitched ? 5 : 0);
    stride_[0] = s.c * s.h * pitch, stride_[1] = s.h * pitch, stride_[2] = pitch, stride_[3] = step;
    if (how == layout::nhwc) stride_[1] = 1, stride_[2] = s.w * s.c, stride_[3] = s.c;
    first_ = guard;
    if (how == layout::rows_reversed) first_ += (s.h - 1) * pitch, stride_[2] = -pitch;
    if (how == layout::columns_reversed) first_ += s.w - 1, stride_[3] = -1;
    memory_.assign(static_cast<std::size_t>(s.n * s.c * s.h * pitch + 2 * guard), T(untouched));
  }
  stored(batch const& b, layout how = layout::nchw) : stored(b.shape, how) {
    for_each_pixel(shape_, [&](auto... i) { view()(i...) = static_cast<T>(b.at(i...)); });
  }

  sage::strided_view<T, 4> view() {
    return {memory_.data() + first_, sage::extents{shape_.n, shape_.c, shape_.h, shape_.w},
            sage::strides{stride_[0], stride_[1], stride_[2], stride_[3]}};
  }
  /// (N,H,W), for maps.
  sage::strided_view<T, 3> map_view() {
    return {memory_.data() + first_, sage::extents{shape_.n, shape_.h, shape_.w},
            sage::strides{stride_[0], stride_[2], stride_[3]}};
  }
  batch read() {
    batch b(shape_);
    for_each_pixel(shape_, [&](auto... i) { b.at(i...) = static_cast<double>(view()(i...)); });
    return b;
  }
  /// Nothing was written but the pixels.
  bool guards_hold() {
    std::vector<T> const before = memory_;
    std::size_t touched = 0;
    for_each_pixel(shape_, [&](auto... i) { view()(i...) = T(untouched); });
    for (T const& v : memory_) touched += v != T(untouched);
    memory_ = before;
    return touched == 0;
  }
  /// No pixel was written.
  bool is_untouched() const {
    for (T const& v : memory_)
      if (v != T(untouched)) return false;
    return true;
  }

  static constexpr double untouched = -77;

 private:
  static constexpr index_t guard = 70;
  size shape_;
  index_t stride_[4], first_;
  std::vector<T> memory_;
};

/// ‖a − b‖/‖b‖, infinite where b vanishes.
inline double distance(batch const& a, batch const& b) {
  reference::relative_error e;
  for (std::size_t i = 0; i < b.value.size(); ++i) e.add(a.value[i], b.value[i]);
  return e.value();
}

inline std::size_t differing(batch const& a, batch const& b) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < b.value.size(); ++i) count += a.value[i] != b.value[i];
  return count;
}

/// What stands at coordinate i of a line of n pixels, walked outwards step by step; −1 outside with a zero
/// border.
inline index_t continued(index_t i, index_t n, sage::border rule) {
  index_t at = i < 0 ? 0 : n - 1, step = i < 0 ? 1 : -1;
  index_t const outside = i < 0 ? -i : i - n + 1;
  if (i >= 0 && i < n) return i;
  if (rule == sage::border::zero) return -1;
  if (rule == sage::border::replicate || n == 1) return at;
  for (index_t k = 0; k < outside; ++k) {
    bool const first = k == 0, at_edge = at + step < 0 || at + step >= n;
    if (rule == sage::border::symmetric) {
      if (first) continue;  // the edge itself is repeated
      if (at_edge)
        step = -step;
      else
        at += step;
    } else {
      if (at_edge) step = -step;
      at += step;
    }
  }
  return at;
}

/// Gaussian blur as one sum over the window: Σ_ij w_i w_j x(y + i, x + j).
inline batch blurred(batch const& b, double sigma, index_t radius, sage::border rule) {
  std::vector<double> w;
  double total = 0;
  for (index_t k = -radius; k <= radius; ++k)
    total += w.emplace_back(std::exp(-static_cast<double>(k * k) / (2 * sigma * sigma)));
  batch out(b.shape);
  for_each_pixel(b.shape, [&](index_t n, index_t c, index_t y, index_t x) {
    double sum = 0;
    for (index_t i = -radius; i <= radius; ++i)
      for (index_t j = -radius; j <= radius; ++j) {
        index_t const from_y = continued(y + i, b.shape.h, rule), from_x = continued(x + j, b.shape.w, rule);
        if (from_y < 0 || from_x < 0) continue;
        sum += w[static_cast<std::size_t>(i + radius)] * w[static_cast<std::size_t>(j + radius)] *
               b.at(n, c, from_y, from_x);
      }
    out.at(n, c, y, x) = sum / (total * total);
  });
  return out;
}

inline batch channel_means(batch const& b) {
  batch sums({b.shape.n, b.shape.c, 1, 1}), out(b.shape);
  for_each_pixel(
      b.shape, [&](index_t n, index_t c, index_t y, index_t x) { sums.at(n, c, 0, 0) += b.at(n, c, y, x); });
  for_each_pixel(b.shape, [&](index_t n, index_t c, index_t y, index_t x) {
    out.at(n, c, y, x) = sums.at(n, c, 0, 0) / static_cast<double>(b.shape.h * b.shape.w);
  });
  return out;
}

/// s⊙u + (1 − s)⊙v.
inline batch mixed(batch const& s, batch const& u, batch const& v) {
  batch out(u.shape);
  for_each_pixel(u.shape, [&](index_t n, index_t c, index_t y, index_t x) {
    double const a = s.at(n, 0, y, x);
    out.at(n, c, y, x) = a * u.at(n, c, y, x) + (1 - a) * v.at(n, c, y, x);
  });
  return out;
}

}  // namespace pictures
