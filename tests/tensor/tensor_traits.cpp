#include "catch.hpp"

#include <sage/sage.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <vector>

// A foreign tensor joins by one specialisation: an image of another library, with a pitch between its rows.

namespace acme {

template <class T>
class Grid {
 public:
  Grid(std::ptrdiff_t height, std::ptrdiff_t width)
      : height_(height),
        width_(width),
        pitch_((width + 7) / 8 * 8),
        pixels_(static_cast<std::size_t>(height * pitch_)) {}
  T* pixels() { return pixels_.data(); }
  T const* pixels() const { return pixels_.data(); }
  std::ptrdiff_t height() const { return height_; }
  std::ptrdiff_t width() const { return width_; }
  std::ptrdiff_t pitch() const { return pitch_; }
  T& at(std::ptrdiff_t y, std::ptrdiff_t x) { return pixels_[static_cast<std::size_t>(y * pitch_ + x)]; }

 private:
  std::ptrdiff_t height_, width_, pitch_;
  std::vector<T> pixels_;
};

}  // namespace acme

template <class T>
struct sage::tensor_traits<acme::Grid<T>> {
  using element_type = T;
  static constexpr std::size_t rank = 2;
  static constexpr auto space = sage::memory_space::host;
  template <class G>
  static auto view(G& g) noexcept {
    return sage::strided_view{g.pixels(), sage::extents{g.height(), g.width()}, sage::strides{g.pitch(), 1}};
  }
};
static_assert(sage::tensor<acme::Grid<float>>);

// Or, in one's own namespace, by a free function found by argument-dependent lookup.
namespace other {

struct column_major {
  double* data;
  int rows, columns;
};
inline auto sage_view(column_major const& m) {
  return sage::strided_view{m.data, sage::extents{m.rows, m.columns}, sage::strides{1, m.rows}};
}
struct no_tensor {};
struct wrong_view {};
inline int sage_view(wrong_view const&) { return 0; }

}  // namespace other

static_assert(sage::tensor<other::column_major> && sage::tensor<other::column_major const&>);
static_assert(!sage::tensor<other::no_tensor> && !sage::tensor<other::wrong_view> && !sage::tensor<float> &&
              !sage::tensor<int*>);
static_assert(sage::tensor<std::vector<float>> && sage::tensor<std::span<double const>> &&
              sage::tensor<std::array<int, 4>>);
static_assert(!sage::tensor<std::vector<bool>>);

// The elements of a const tensor are const; the element type of the traits is not.
static_assert(std::is_same_v<sage::view_of<acme::Grid<float> const>, sage::strided_view<float const, 2>>);
static_assert(std::is_same_v<sage::view_of<acme::Grid<float>&>, sage::strided_view<float, 2>>);
static_assert(std::is_same_v<sage::element_of<acme::Grid<float> const>, float>);
static_assert(std::is_same_v<sage::element_of<std::span<double const>>, double>);

// A view is passed by value for nothing.
static_assert(std::is_trivially_copyable_v<sage::strided_view<float, 3>>);
static_assert(std::is_trivially_copyable_v<sage::strided_view<float, sage::dynamic_rank>>);
static_assert(std::is_convertible_v<sage::strided_view<float, 2>, sage::strided_view<float const, 2>>);
static_assert(!std::is_convertible_v<sage::strided_view<float const, 2>, sage::strided_view<float, 2>>);
static_assert(!std::is_convertible_v<sage::strided_view<float, 2>,
                                     sage::strided_view<float, 2, sage::memory_space::cuda>>);

TEST_CASE("A foreign tensor runs through a loss in its own memory, gaps untouched") {
  acme::Grid<float> a(3, 5), p(3, 5), n(3, 5), d(3, 5);
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 8; ++x) {
      d.pixels()[y * 8 + x] = -7;
      if (x < 5)
        a.at(y, x) = static_cast<float>(x), p.at(y, x) = static_cast<float>(x + 3),
                n.at(y, x) = static_cast<float>(x - 4);
      else
        a.at(y, x) = p.at(y, x) = n.at(y, x) = 1e30f;  // between the rows
    }
  acme::Grid<float> const& read_only = a;
  sage::triplet_margin_loss<> const loss{.margin = 3, .distance = {.eps = 0}};
  auto const r = loss.value_and_grad(read_only, p, n, d, sage::skip, sage::skip);
  // ‖a − p‖ = 3√5, ‖a − n‖ = 4√5: 3 − √5. The gradient is (−3/(3√5) − 4/(4√5)) in every coordinate, over 3 rows.
  CHECK(r.value == Approx(3 - 2.2360680));
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < 8; ++x)
      CHECK(d.pixels()[y * 8 + x] == (x < 5 ? Approx(-2 / 2.2360680 / 3) : Approx(-7)));
  sage::triplet_margin_loss<>{}.value_and_grad(a, p, n, sage::add_to(d), sage::skip, sage::skip);
}

TEST_CASE("A type with sage_view runs through a loss, and mixes with other tensors") {
  std::vector<double> memory{1, 4, 2, 5, 3, 6};  // (2, 3), column by column
  other::column_major const z{memory.data(), 2, 3};
  std::vector<double> const same{1, 2, 3, 4, 5, 6};
  std::vector<int> const labels{0, 2};
  sage::cross_entropy_loss const loss;
  double const expected = loss(sage::strided_view{same.data(), sage::extents{2, 3}}, labels).value;
  CHECK(loss(z, labels).value == expected);
  CHECK(sage::consistency_loss<>{}(z, sage::strided_view{same.data(), sage::extents{2, 3}}).value == 0);
}

TEST_CASE("A view names the element at the sum of index times stride, backwards and broadcast too") {
  int memory[24];
  for (int i = 0; i < 24; ++i) memory[i] = i;
  sage::strided_view const dense{memory, sage::extents{2, 3, 4}};
  CHECK((dense.stride(0) == 12 && dense.stride(1) == 4 && dense.stride(2) == 1 && dense.size() == 24));
  CHECK(dense(1, 2, 3) == 23);
  sage::strided_view const backwards{memory + 23, sage::extents{4, 6}, sage::strides{-6, -1}};
  CHECK((backwards(0, 0) == 23 && backwards(3, 5) == 0));
  sage::strided_view const broadcast{memory + 5, sage::extents{3, 2}, sage::strides{0, 1}};
  CHECK((broadcast(0, 1) == 6 && broadcast(2, 1) == 6));
  CHECK(sage::strided_view{memory, sage::extents{0, 3}}.size() == 0);
  long const n[] = {2, 5}, s[] = {7, 1};
  sage::strided_view<int, sage::dynamic_rank> const dynamic(memory, 2, n, s);
  CHECK((dynamic.rank() == 2 && dynamic.extent(1) == 5 && dynamic.stride(0) == 7 && dynamic.size() == 10));
}

TEST_CASE("Rows are the leading dimensions in row-major order; those of one stride merge") {
  int memory[64] = {};
  auto const at = [&](auto const& view, sage::index_t i) { return sage::as_rows(view).row(i) - memory; };
  auto const merged = sage::as_rows(sage::strided_view{memory, sage::extents{2, 3, 4}});
  CHECK((merged.rows == 6 && merged.length == 4 && merged.stride == 1 && merged.outer_rank == 1));
  sage::strided_view const apart{memory, sage::extents{2, 3, 4}, sage::strides{30, 5, 1}};
  CHECK(sage::as_rows(apart).outer_rank == 2);
  for (sage::index_t i = 0; i < 6; ++i) CHECK(at(apart, i) == i / 3 * 30 + i % 3 * 5);
  sage::strided_view const transposed{memory, sage::extents{2, 3, 4}, sage::strides{1, 2, 6}};
  for (sage::index_t i = 0; i < 6; ++i) CHECK(at(transposed, i) == i / 3 + i % 3 * 2);
  sage::strided_view const ones{memory, sage::extents{1, 3, 1, 2},
                                sage::strides{99, 8, 77, 1}};  // extent 1: any stride
  CHECK((sage::as_rows(ones).outer_rank == 1 && at(ones, 2) == 16));
  auto const vector = sage::as_rows(sage::strided_view{memory, sage::extents{9}});
  CHECK((vector.rows == 1 && vector.length == 9 && vector.row(0) == memory));
}

TEST_CASE("Elements are those of any shape in row-major order") {
  int memory[64] = {};
  auto const offsets = [&](auto const& view) {
    auto const e = sage::as_elements(view);
    std::vector<std::ptrdiff_t> r;
    for (sage::index_t i = 0; i < e.rows; ++i) r.push_back(e.row(i) - memory);
    return r;
  };
  using offset = std::vector<std::ptrdiff_t>;
  CHECK(offsets(sage::strided_view{memory, sage::extents{4}}) == offset{0, 1, 2, 3});
  CHECK(offsets(sage::strided_view{memory + 9, sage::extents{3}, sage::strides{-3}}) == offset{9, 6, 3});
  CHECK(offsets(sage::strided_view{memory, sage::extents{2, 2}}) == offset{0, 1, 2, 3});
  CHECK(offsets(sage::strided_view{memory, sage::extents{2, 2}, sage::strides{1, 8}}) == offset{0, 8, 1, 9});
  CHECK(offsets(sage::strided_view{memory, sage::extents{3, 1}, sage::strides{5, 1}}) == offset{0, 5, 10});
  CHECK(offsets(sage::strided_view{memory, sage::extents{1, 3}, sage::strides{50, 2}}) == offset{0, 2, 4});
  CHECK(offsets(sage::strided_view{memory, sage::extents{3}, sage::strides{0}}) == offset{0, 0, 0});
  CHECK(offsets(sage::strided_view{memory, sage::extents{0}}).empty());
}

TEST_CASE("Overlap is exact for columns of one buffer and careful for anything else") {
  float memory[256] = {};
  auto const rows = [&](sage::index_t first, sage::index_t n, sage::index_t d, sage::index_t pitch,
                        sage::index_t step) {
    return sage::as_rows(sage::strided_view{memory + first, sage::extents{n, d}, sage::strides{pitch, step}});
  };
  using sage::detail::may_overlap, sage::detail::same_elements, sage::detail::is_broadcast;
  auto const left = rows(0, 4, 8, 32, 1);
  CHECK_FALSE(may_overlap(left, rows(8, 4, 8, 32, 1)));   // columns 8 … 15
  CHECK_FALSE(may_overlap(left, rows(24, 4, 8, 32, 1)));  // the last columns
  CHECK(may_overlap(left, rows(7, 4, 8, 32, 1)));         // column 7 is shared
  CHECK(may_overlap(left, rows(25, 4, 8, 32, 1)));        // runs into the next row's column 0
  CHECK(may_overlap(left, left));
  CHECK(may_overlap(rows(8, 4, 8, 32, 1), rows(32, 3, 9, 32, 1)));
  CHECK_FALSE(may_overlap(left, rows(128, 4, 8, 32, 1)));                     // behind it
  CHECK_FALSE(may_overlap(rows(127, 4, 8, -32, -1), rows(128, 1, 8, 8, 1)));  // backwards, before it
  CHECK(may_overlap(rows(128, 4, 8, -32, -1), rows(128, 1, 8, 8, 1)));
  CHECK_FALSE(may_overlap(rows(0, 0, 8, 32, 1), left));  // nothing overlaps nothing
  CHECK(same_elements(left, rows(0, 4, 8, 32, 1)));
  CHECK_FALSE(same_elements(left, rows(0, 4, 8, 16, 1)));
  CHECK_FALSE(same_elements(left, rows(1, 4, 8, 32, 1)));
  CHECK(is_broadcast(rows(0, 4, 8, 0, 1)));
  CHECK(is_broadcast(rows(0, 4, 8, 8, 0)));
  CHECK_FALSE(is_broadcast(rows(0, 1, 8, 0, 1)));  // one row: no stride is used
  CHECK_FALSE(is_broadcast(rows(0, 4, 1, 8, 0)));
  CHECK_FALSE(is_broadcast(rows(0, 3, 0, 0, 1)));  // no element at all
}

TEST_CASE("A shape in an error is written as Python's tuples without the trailing comma") {
  using sage::detail::shape_text;
  float x = 0;
  CHECK(shape_text(sage::strided_view{&x, sage::extents{32, 127}}) == "(32, 127)");
  CHECK(shape_text(sage::strided_view{&x, sage::extents{5}}) == "(5)");
}
