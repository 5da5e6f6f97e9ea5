#include "catch.hpp"
#include "reference/batch.hpp"
#include "reference/dual.hpp"
#include "reference/executors.hpp"
#include "reference/gradient.hpp"
#include "reference/logit_losses.hpp"
#include "reference/tolerances.hpp"

#include <sage/loss/cam_alignment.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace {

using namespace reference;

struct shape {
  index_t samples, channels, classes, height, width;
  index_t area() const { return height * width; }
};

// Features, class weights and maps, exact in float; labels that leave out the last class.
struct batch {
  shape n;
  std::vector<double> features, weights, maps;
  std::vector<int> labels;

  explicit batch(shape const& s, std::uint64_t seed = 1)
      : n(s),
        features(normal_values(s.samples * s.channels * s.area(), seed)),
        weights(normal_values(s.classes * s.channels, seed + 1)),
        maps(normal_values(s.samples * s.area(), seed + 2)) {
    for (index_t i = 0; i < s.samples; ++i) labels.push_back(static_cast<int>(i % (s.classes - 1)));
  }
  row features_of(index_t i) const { return row_of(features, n.channels * n.area(), i); }
  row map_of(index_t i) const { return row_of(maps, n.area(), i); }
  row weights_of(index_t k) const { return row_of(weights, n.channels, k); }
};

template <class T>
auto images(std::vector<T>& v, shape const& n) {
  return sage::strided_view{v.data(), sage::extents{n.samples, n.channels, n.height, n.width}};
}
template <class T>
auto matrix_of(std::vector<T>& v, index_t rows, index_t columns) {
  return sage::strided_view{v.data(), sage::extents{rows, columns}};
}
template <class T>
auto maps_of(std::vector<T>& v, shape const& n) {
  return sage::strided_view{v.data(), sage::extents{n.samples, n.height, n.width}};
}

// The mean over the samples of l, and its gradients, one sample's operands at a time.
template <class T, class Executor>
void compare(Executor const& executor, batch const& b) {
  shape const& n = b.n;
  auto f = to<T>(b.features), w = to<T>(b.weights), m = to<T>(b.maps);
  std::vector<T> d_f(f.size()), d_w(w.size()), values(static_cast<std::size_t>(n.samples));
  sage::cam_alignment_loss const loss;
  auto const r = loss.value_and_grad(executor, images(f, n), matrix_of(w, n.classes, n.channels), b.labels,
                                     maps_of(m, n), images(d_f, n), matrix_of(d_w, n.classes, n.channels));
  loss.per_sample(executor, images(f, n), matrix_of(w, n.classes, n.channels), b.labels, maps_of(m, n),
                  values);
  real mean = 0;
  relative_error values_error, features_error, weights_error;
  std::vector<row> of_weights(static_cast<std::size_t>(n.classes), row(static_cast<std::size_t>(n.channels)));
  for (index_t i = 0; i < n.samples; ++i) {
    auto const k = static_cast<std::size_t>(b.labels[static_cast<std::size_t>(i)]);
    auto const l = [&](std::vector<row> const& x) { return cam_alignment(x[0], x[1], b.map_of(i)); };
    std::vector<row> const x{b.features_of(i), b.weights_of(static_cast<index_t>(k))};
    mean += l(x) / static_cast<int>(n.samples);
    values_error.add(values[static_cast<std::size_t>(i)], l(x));
    auto const g = gradient(l, x);
    for (std::size_t j = 0; j < g[0].size(); ++j)
      features_error.add(d_f[static_cast<std::size_t>(i) * g[0].size() + j],
                         g[0][j] / static_cast<int>(n.samples));
    for (std::size_t c = 0; c < g[1].size(); ++c) of_weights[k][c] += g[1][c] / static_cast<int>(n.samples);
  }
  for (std::size_t k = 0; k < of_weights.size(); ++k)
    for (std::size_t c = 0; c < of_weights[k].size(); ++c)
      weights_error.add(d_w[k * of_weights[k].size() + c], of_weights[k][c]);
  // The normalisation divides what two roundings of the map leave by max − min, some 3 here: a few times the
  // others'.
  double const tolerance = 4 * tolerances<T>{}.gradient;
  CHECK(relative(r.value, mean) <= tolerances<T>{}.value);
  CHECK(values_error.value() <= tolerances<T>{}.value);
  CHECK(features_error.value() <= tolerance);
  CHECK(weights_error.value() <= tolerance);
  CHECK(r.active == n.samples);
  CHECK(r.non_finite == 0);
}

}  // namespace

TEST_CASE("The alignment of activation maps and its gradients are those of differences of the definition") {
  for (shape const& n :
       {shape{3, 2, 3, 1, 3}, shape{4, 5, 3, 2, 3}, shape{2, 3, 2, 5, 1}, shape{2, 2, 4, 5, 7}}) {
    batch const b(n);
    CAPTURE(n.channels, n.height, n.width);
    for_each_executor([&](any_executor const& executor) {
      CAPTURE(executor.name());
      compare<float>(executor, b);
    });
    compare<double>(sage::exec::scalar{}, b);
  }
}

TEST_CASE("Activation maps are aligned in memory of any strides, and gradients are added where asked") {
  shape const n{3, 4, 3, 2, 3};
  batch const b(n);
  auto f = to<float>(b.features), w = to<float>(b.weights), m = to<float>(b.maps);
  std::vector<float> d_f(f.size()), d_w(w.size());
  sage::cam_alignment_loss const loss{.reduction = sage::reduction::sum};
  auto const expected = loss.value_and_grad(images(f, n), matrix_of(w, 3, 4), b.labels, maps_of(m, n),
                                            images(d_f, n), matrix_of(d_w, 3, 4));

  // Channels last, class weights transposed, maps with a channel and in reverse.
  std::vector<float> last(f.size()), g(f.size(), 1.0f), w_t(w.size()), g_w(w.size(), 1.0f),
      reversed(m.rbegin(), m.rend());
  auto const channels_last = [&](auto& v) {
    return sage::strided_view{v.data(), sage::extents{3, 4, 2, 3}, sage::strides{24, 1, 12, 4}};
  };
  auto const turned = [&](auto& v) {
    return sage::strided_view{v.data(), sage::extents{3, 4}, sage::strides{1, 3}};
  };
  for (index_t i = 0; i < 3; ++i)
    for (index_t c = 0; c < 4; ++c) {
      turned(w_t)(i, c) = matrix_of(w, 3, 4)(i, c);
      for (index_t y = 0; y < 2; ++y)
        for (index_t x = 0; x < 3; ++x) channels_last(last)(i, c, y, x) = images(f, n)(i, c, y, x);
    }
  auto const backwards = sage::strided_view{reversed.data() + reversed.size() - 1, sage::extents{3, 1, 2, 3},
                                            sage::strides{-6, -6, -3, -1}};
  auto const r = loss.value_and_grad(channels_last(last), turned(w_t), b.labels, backwards,
                                     sage::add_to(channels_last(g)), sage::add_to(turned(g_w)));
  CHECK(r.value == Approx(expected.value));
  for (index_t i = 0; i < 3; ++i)
    for (index_t c = 0; c < 4; ++c) {
      CHECK(turned(g_w)(i, c) == Approx(1 + matrix_of(d_w, 3, 4)(i, c)));
      for (index_t y = 0; y < 2; ++y)
        for (index_t x = 0; x < 3; ++x)
          CHECK(channels_last(g)(i, c, y, x) == Approx(1 + images(d_f, n)(i, c, y, x)));
    }
  // Class 2 has no sample: nothing falls to its weights.
  for (index_t c = 0; c < 4; ++c) CHECK(matrix_of(d_w, 3, 4)(2, c) == 0);
}

TEST_CASE("Ties of the extremes share their slope, as in torch.amin and torch.amax") {
  // One channel of weight 1: the map is the feature. From the definition with ĉ = (c − lo)/(hi − lo), lo and
  // hi the means of the tied: moving both ties together is the derivative by the extreme.
  std::vector<double> f{0, 0, 1, 3, 3}, w{1}, m{0.5, 0, 0.25, 0.5, 1}, d(5), d_w(1);
  std::vector<int> const y{0};
  auto const image = [](auto& v) { return sage::strided_view{v.data(), sage::extents{1, 1, 1, 5}}; };
  auto const map = sage::strided_view{m.data(), sage::extents{1, 1, 5}};
  sage::cam_alignment_loss{}.value_and_grad(image(f), matrix_of(w, 1, 1), y, map, image(d),
                                            matrix_of(d_w, 1, 1));
  auto const moved = [&](std::vector<row> const& t) {  // both of the lowest by t0, both of the highest by t1
    return cam_alignment({t[0][0], t[0][0], 1, 3 + t[0][1], 3 + t[0][1]}, {1}, {0.5, 0, 0.25, 0.5, 1});
  };
  row const slope = gradient(moved, {{0, 0}})[0];
  CHECK(relative(d[0] + d[1], slope[0]) <= tolerances<double>{}.gradient);
  CHECK(relative(d[3] + d[4], slope[1]) <= tolerances<double>{}.gradient);
  // They share the part through the extreme, ⅕ Σ 2 (ĉ − m) (ĉ − 1)/(hi − lo); their own errors differ by ½
  // and ½.
  CHECK(d[0] - d[1] == Approx(2.0 / 5 / 3 * (-0.5 - 0)));
  CHECK(d[3] - d[4] == Approx(2.0 / 5 / 3 * (0.5 - 0)));
}

TEST_CASE("A constant activation map counts as 0 everywhere and has no gradient") {
  shape const n{2, 2, 2, 2, 2};
  batch const b(n);
  auto f = to<float>(b.features), w = to<float>(b.weights), m = to<float>(b.maps);
  for (std::size_t j = 0; j < 8; ++j) f[j] = 2.5f;
  std::vector<float> d_f(f.size(), 1.0f), d_w(w.size()), values(2);
  sage::cam_alignment_loss const loss;
  loss.value_and_grad(images(f, n), matrix_of(w, 2, 2), b.labels, maps_of(m, n), images(d_f, n), sage::skip);
  loss.per_sample(images(f, n), matrix_of(w, 2, 2), b.labels, maps_of(m, n), values);
  real squares = 0;
  for (real const x : b.map_of(0)) squares += x * x / 4;
  CHECK(relative(values[0], squares) <= tolerances<float>{}.value);
  for (std::size_t j = 0; j < 8; ++j) CHECK(d_f[j] == 0);
  double magnitude = 0;
  for (std::size_t j = 8; j < 16; ++j) magnitude += std::abs(d_f[j]);
  CHECK(magnitude > 0.01);
}

TEST_CASE(
    "Samples of weight 0 and of the ignored label contribute nothing, even if they hold NaN; others weigh") {
  shape const n{4, 3, 3, 2, 2};
  batch b(n);
  b.labels = {0, 1, -100, 1};
  auto f = to<double>(b.features), w = b.weights, m = b.maps;
  auto const per = static_cast<std::size_t>(n.channels * n.area());
  for (std::size_t j = 0; j < per; ++j) f[2 * per + j] = f[3 * per + j] = std::nan("");
  std::vector<double> const s{2, 0.5, 1, 0};
  std::vector<double> d_f(f.size(), 1.0), d_w(w.size()), values(4), by_row(f.size()), by_row_w(w.size());
  sage::cam_alignment_loss const loss;
  auto const r = loss.value_and_grad(images(f, n), matrix_of(w, 3, 3), b.labels, maps_of(m, n),
                                     images(d_f, n), matrix_of(d_w, 3, 3), sage::weights(s));
  loss.per_sample(images(f, n), matrix_of(w, 3, 3), b.labels, maps_of(m, n), values, sage::weights(s));
  real mean = 0;
  for (index_t const i : {0, 1}) {
    auto const k = static_cast<std::size_t>(i);
    real const l = cam_alignment(b.features_of(i), b.weights_of(b.labels[k]), b.map_of(i));
    CHECK(relative(values[k], s[k] * l) <= tolerances<double>{}.value);
    mean += s[k] * l / real(2.5);
  }
  CHECK(relative(r.value, mean) <= tolerances<double>{}.value);
  CHECK((r.active == 2 && r.non_finite == 0));
  CHECK((values[2] == 0 && values[3] == 0));
  for (std::size_t j = 2 * per; j < 4 * per; ++j) CHECK(d_f[j] == 0);
  for (double const d : d_w) CHECK(std::isfinite(d));
  // The vector-Jacobian product with 1/Σs for every sample is the gradient of the mean.
  std::vector<double> const upstream(4, 1 / 2.5);
  loss.backward(upstream, images(f, n), matrix_of(w, 3, 3), b.labels, maps_of(m, n), images(by_row, n),
                matrix_of(by_row_w, 3, 3), sage::weights(s));
  for (std::size_t j = 0; j < per; ++j) CHECK(by_row[j] == Approx(d_f[j]));
  for (std::size_t j = 0; j < d_w.size(); ++j) CHECK(by_row_w[j] == Approx(d_w[j]));
}

TEST_CASE("A NaN or infinite feature spoils its sample and its class's weights, and nothing else") {
  shape const n{5, 3, 4, 2, 2};
  batch const b(n);  // labels 0 1 2 0 1
  auto m = to<float>(b.maps), w = to<float>(b.weights);
  auto const run = [&](float x, index_t& non_finite) {
    auto f = to<float>(b.features);
    auto const per = static_cast<std::size_t>(n.channels * n.area());
    if (x != 0) f[2 * per] = x;
    std::vector<float> d_f(f.size()), d_w(w.size());
    sage::cam_alignment_loss const loss{.reduction = sage::reduction::sum};
    auto const r = loss.value_and_grad(images(f, n), matrix_of(w, 4, 3), b.labels, maps_of(m, n),
                                       images(d_f, n), matrix_of(d_w, 4, 3));
    non_finite = r.non_finite;
    for (std::size_t j = 0; j < per; ++j) d_f[2 * per + j] = 0;
    for (std::size_t c = 0; c < 3; ++c) d_w[2 * 3 + c] = 0;
    d_f.insert(d_f.end(), d_w.begin(), d_w.end());
    return d_f;
  };
  index_t non_finite = 0;
  auto const clean = run(0, non_finite);
  CHECK(non_finite == 0);
  using limits = std::numeric_limits<float>;
  for (float const x : {limits::quiet_NaN(), limits::infinity(), -limits::infinity()}) {
    CHECK(same_bits(run(x, non_finite), clean));
    CHECK(non_finite == 1);
  }
  CHECK(same_bits(run(limits::denorm_min(), non_finite), clean) == true);
  CHECK(non_finite == 0);
}

TEST_CASE("The gradients of the alignment are those that dual numbers carry through its value") {
  shape const n{2, 2, 3, 2, 2};
  batch const b(n);
  auto f = to<double>(b.features), w = b.weights, m = b.maps;
  std::vector<double> d_f(f.size()), d_w(w.size());
  sage::cam_alignment_loss const loss;
  loss.value_and_grad(images(f, n), matrix_of(w, 3, 2), b.labels, maps_of(m, n), images(d_f, n),
                      matrix_of(d_w, 3, 2));
  std::vector<autodiff::dual> fd(f.begin(), f.end()), wd(w.begin(), w.end()), md(m.begin(), m.end());
  auto const carried = [&](autodiff::dual& x) {
    x.derivative = 1;
    auto const r = loss(sage::exec::scalar{}, images(fd, n), matrix_of(wd, 3, 2), b.labels, maps_of(md, n))
                       .value.derivative;
    x.derivative = 0;
    return r;
  };
  for (std::size_t j = 0; j < f.size(); ++j) CHECK(carried(fd[j]) == Approx(d_f[j]).margin(1e-14));
  for (std::size_t j = 0; j < w.size(); ++j) CHECK(carried(wd[j]) == Approx(d_w[j]).margin(1e-14));
}

TEST_CASE("Saliency maps may be of any type of numbers, and of any strides, at a scale") {
  shape const n{3, 2, 3, 5, 17};  // a plane is longer than what is read at once
  batch const b(n);
  auto f = to<float>(b.features), w = to<float>(b.weights);
  auto const images_f = images(f, n);
  auto const matrix_w = matrix_of(w, 3, 2);
  std::vector<float> d_expected(f.size()), d(f.size());
  auto const run = [&](sage::cam_alignment_loss const& loss, auto const& maps, std::vector<float>& to) {
    return loss.value_and_grad(images_f, matrix_w, b.labels, maps, images(to, n), sage::skip).value;
  };
  std::vector<std::uint8_t> bytes(b.maps.size());
  std::vector<float> exact(bytes.size());
  for (std::size_t j = 0; j < bytes.size(); ++j) {
    bytes[j] = static_cast<std::uint8_t>(37 * j % 256);
    exact[j] = static_cast<float>(1.0 / 255) * static_cast<float>(bytes[j]);
  }
  float const expected = run({}, maps_of(exact, n), d_expected);
  auto const same = [&](sage::cam_alignment_loss const& loss, auto const& maps) {
    return same_bits(run(loss, maps, d), expected) && same_bits(d, d_expected);
  };
  sage::cam_alignment_loss const of_bytes{.map_scale = 1.0 / 255};
  CHECK(same(of_bytes, maps_of(bytes, n)));
  auto wide = to<std::int64_t>({bytes.begin(), bytes.end()});
  CHECK(same(of_bytes, maps_of(wide, n)));
  auto doubles = to<double>({exact.begin(), exact.end()});
  CHECK(same({}, maps_of(doubles, n)));
  // Every second column of a wider picture, its rows from the bottom up.
  std::vector<std::uint8_t> picture(3 * 5 * 40);
  sage::strided_view const apart{picture.data() + 4 * 40, sage::extents{3, 1, 5, 17}, sage::strides{200, 200, -40, 2}};
  for (index_t i = 0; i < 3; ++i)
    for (index_t y = 0; y < 5; ++y)
      for (index_t x = 0; x < 17; ++x) apart(i, 0, y, x) = maps_of(bytes, n)(i, y, x);
  CHECK(same(of_bytes, apart));
  // Truth values.
  bool mask[3 * 5 * 17];
  for (std::size_t j = 0; j < bytes.size(); ++j) {
    mask[j] = bytes[j] > 99;
    exact[j] = mask[j] ? 1.0f : 0.0f;
  }
  CHECK(run({}, sage::strided_view{static_cast<bool const*>(mask), sage::extents{3, 5, 17}}, d) ==
        run({}, maps_of(exact, n), d_expected));
  CHECK(same_bits(d, d_expected));

  // Whoever forgets the scale of bytes is told so.
  std::fill(d.begin(), d.end(), 42.0f);
  CHECK_THROWS_WITH(
      run({}, maps_of(bytes, n), d),
      "cam_alignment_loss: maps has an element 37, expected between 0 and 1, for map_scale is 1");
  wide[5] = -1;
  CHECK_THROWS_WITH(
      run({.map_scale = 0.25}, maps_of(wide, n), d),
      "cam_alignment_loss: maps has an element 37, expected between 0 and 4, for map_scale is 0.25");
  CHECK_THROWS_WITH(run(of_bytes, maps_of(wide, n), d),
                    "cam_alignment_loss: maps has an element -1, expected between 0 and 255, for map_scale is " +
                        std::string("0.00392156862745098"));
  for (float const x : d) CHECK(x == 42);
}

TEST_CASE("A mistake in the arguments of the alignment is one sentence, and no sample has the mean NaN") {
  std::vector<float> f(24), w(6), m(8), d(24), d_w(6);
  std::vector<int> const y{0, 1}, wrong{0, 2};
  shape const n{2, 3, 2, 2, 2};
  sage::cam_alignment_loss const loss;
  auto const W = matrix_of(w, 2, 3);
  CHECK_THROWS_WITH(loss(matrix_of(f, 4, 6), W, y, maps_of(m, n)),
                    "cam_alignment_loss: features has shape (4, 6), expected (N, C, H, W)");
  CHECK_THROWS_WITH(
      loss(images(f, n), matrix_of(w, 3, 2), y, maps_of(m, n)),
      "cam_alignment_loss: class_weights has shape (3, 2), expected (K, 3) for features (2, 3, 2, 2)");
  CHECK_THROWS_WITH(
      loss(images(f, n), W, y, matrix_of(m, 2, 4)),
      "cam_alignment_loss: maps has shape (2, 4), expected (2, 2, 2) for features (2, 3, 2, 2)");
  CHECK_THROWS_WITH(loss(images(f, n), W, wrong, maps_of(m, n)),
                    "cam_alignment_loss: labels[1] is 2, expected 0 <= label < 2 or the ignored index -100");
  CHECK_THROWS_WITH((sage::cam_alignment_loss{.guard = 1})(images(f, n), W, y, maps_of(m, n)),
                    "cam_alignment_loss: guard is 1, expected 0 <= guard < 1");
  CHECK_THROWS_WITH(loss.value_and_grad(images(f, n), W, y, maps_of(m, n), images(f, n), sage::skip),
                    "cam_alignment_loss: d_features overlaps features, expected separate memory");
  CHECK_THROWS_WITH(loss.value_and_grad(images(f, n), W, y, maps_of(d, n), images(d, n), sage::skip),
                    "cam_alignment_loss: d_features overlaps maps, expected separate memory");
  shape const none{0, 3, 2, 2, 2};
  CHECK(std::isnan(loss(images(f, none), W, std::vector<int>{}, maps_of(m, none)).value));
}
