#include "augment/pictures.hpp"

#include <sage/augment/channel_mean.hpp>
#include <sage/augment/constant.hpp>
#include <sage/augment/gaussian_blur.hpp>
#include <sage/augment/gaussian_noise.hpp>
#include <sage/augment/saliency_pair.hpp>

#include <cmath>
#include <vector>

namespace {

using namespace pictures;

struct gradients {
  batch images, maps;
};

template <class T, class Degradation, class Executor = sage::exec::simd>
gradients backward(Degradation const& degradation, batch const& d_plus, batch const& d_minus,
                   batch const& images, batch const& maps, Executor const& executor = {},
                   layout how = layout::nchw) {
  stored<T> up(d_plus, how), down(d_minus, how), x(images, how), s(maps, how), dx(images.shape, how),
      ds(maps.shape, how);
  sage::saliency_pair{degradation}.backward(executor, up.view(), down.view(), x.view(), s.map_view(),
                                            dx.view(), ds.map_view());
  CHECK(dx.guards_hold());
  CHECK(ds.guards_hold());
  return {dx.read(), ds.read()};
}

// ⟨d⁺, x⁺⟩ + ⟨d⁻, x⁻⟩ from the forward pass in double.
template <class Degradation>
double objective(Degradation const& degradation, batch const& d_plus, batch const& d_minus,
                 batch const& images, batch const& maps) {
  stored<double> x(images), s(maps), plus(images.shape, layout::nchw), minus(images.shape, layout::nchw);
  sage::saliency_pair{degradation}(sage::exec::scalar{}, x.view(), s.view(), plus.view(), minus.view());
  batch const p = plus.read(), m = minus.read();
  double sum = 0;
  for (std::size_t i = 0; i < p.value.size(); ++i)
    sum += d_plus.value[i] * p.value[i] + d_minus.value[i] * m.value[i];
  return sum;
}

// ∂objective/∂variable by central differences. The objective is linear in images and in maps alone: the step
// may be large, and nothing is truncated.
template <class F>
batch differences(F const& f, batch variable) {
  batch g(variable.shape);
  for (std::size_t i = 0; i < variable.value.size(); ++i) {
    double const at = variable.value[i];
    variable.value[i] = at + 0.5;
    double const above = f(variable);
    variable.value[i] = at - 0.5;
    g.value[i] = above - f(variable);
    variable.value[i] = at;
  }
  return g;
}

// Every degradation, with the borders of the blur.
template <class F>
void for_each_degradation(F const& f) {
  for (sage::border rule :
       {sage::border::reflect, sage::border::symmetric, sage::border::replicate, sage::border::zero})
    f("blur", sage::gaussian_blur{.sigma = 1.2, .border = rule});
  f("constant", sage::constant{.value = 0.25});
  f("channel mean", sage::channel_mean{});
  f("noise", sage::gaussian_noise{.sigma = 0.5, .seed = 3});
}

}  // namespace

TEST_CASE(
    "The gradients of images and maps are those of central differences, for every degradation and border") {
  for (size shape :
       {size{2, 3, 4, 7}, size{1, 2, 1, 9}, size{1, 1, 7, 1}, size{1, 1, 2, 2}, size{1, 1, 9, 19}}) {
    batch const x = random_images(shape, 21), s = random_maps(shape, 22), up = random_images(shape, 23),
                down = random_images(shape, 24);
    for_each_degradation([&](char const* name, auto const& degradation) {
      INFO(name << " " << shape.h << " x " << shape.w);
      batch const dx = differences([&](batch const&v) { return objective(degradation, up, down, v, s); }, x),
                  ds = differences([&](batch const&v) { return objective(degradation, up, down, x, v); }, s);
      gradients const g = backward<double>(degradation, up, down, x, s);
      CHECK(distance(g.images, dx) < 1e-13);
      bool const vanishes = shape.h * shape.w == 1;
      if (!vanishes) CHECK(distance(g.maps, ds) < 1e-12);
      gradients const f = backward<float>(degradation, up, down, x, s);
      CHECK(distance(f.images, g.images) < 1e-6);
      if (!vanishes) CHECK(distance(f.maps, g.maps) < 2e-6);
    });
  }
}

TEST_CASE("The adjoint of the pair passes the dot-product test with another direction") {
  size const shape{2, 3, 21, 45};
  batch const x = random_images(shape, 31), s = random_maps(shape, 32), up = random_images(shape, 33),
              down = random_images(shape, 34), along = random_images(shape, 35);
  for_each_degradation([&](char const* name, auto const& degradation) {
    INFO(name);
    // ⟨d, J v⟩ = ⟨Jᵀ d, v⟩; J v by a difference, exact because the pair is affine in x.
    batch shifted = x;
    for (std::size_t i = 0; i < x.value.size(); ++i) shifted.value[i] += along.value[i];
    double const forward =
        objective(degradation, up, down, shifted, s) - objective(degradation, up, down, x, s);
    batch const g = backward<double>(degradation, up, down, x, s).images;
    double reverse = 0, norm = 0;
    for (std::size_t i = 0; i < x.value.size(); ++i) {
      reverse += g.value[i] * along.value[i];
      norm += std::abs(g.value[i] * along.value[i]);
    }
    CHECK(norm > 100);
    CHECK(std::abs(forward - reverse) < 1e-13 * norm);
  });
}

TEST_CASE("The gradients agree on every executor, with the same bits for any number of threads") {
  size const shape{4, 3, 19, 37};
  batch const x = random_images(shape, 41), s = random_maps(shape, 42), up = random_images(shape, 43),
              down = random_images(shape, 44);
  for_each_degradation([&](char const* name, auto const& degradation) {
    gradients const one = backward<float>(degradation, up, down, x, s);
    reference::for_each_executor([&](reference::any_executor const& executor) {
      INFO(name << " " << executor.name());
      gradients const g = backward<float>(degradation, up, down, x, s, executor);
      CHECK(distance(g.images, one.images) < 1e-6);
      CHECK(distance(g.maps, one.maps) < 1e-6);
      if (executor.which == reference::any_executor::threads ||
          executor.which == reference::any_executor::descending) {
        CHECK(differing(g.images, one.images) == 0);
        CHECK(differing(g.maps, one.maps) == 0);
      }
    });
  });
}

TEST_CASE("Gradients of any strides agree, and are rounded once for halves") {
  size const shape{2, 3, 6, 21};
  batch const x = random_images(shape, 51), s = random_maps(shape, 52), up = random_images(shape, 53),
              down = random_images(shape, 54);
  sage::gaussian_blur const blur{.sigma = 1};
  gradients const expected = backward<double>(blur, up, down, x, s);
  for (layout how : layouts) {
    INFO("layout " << static_cast<int>(how));
    gradients const g = backward<float>(blur, up, down, x, s, sage::exec::simd{}, how);
    CHECK(distance(g.images, expected.images) < 1e-6);
    CHECK(distance(g.maps, expected.maps) < 1e-6);
  }
#if SAGE_HAS_FLOAT16
  gradients const half = backward<_Float16>(blur, up, down, x, s);
  CHECK(distance(half.images, expected.images) < 2e-3);
  CHECK(distance(half.maps, expected.maps) < 2e-3);
#endif
}

TEST_CASE("add_to accumulates, skip leaves alone, and a skipped upstream is a zero") {
  size const shape{2, 3, 6, 21};
  batch const x = random_images(shape, 61), s = random_maps(shape, 62), up = random_images(shape, 63),
              zero(shape);
  sage::saliency_pair<> const pair{{.sigma = 1}};
  gradients const expected = backward<double>(pair.degradation, up, zero, x, s);
  stored<double> plus(up), images(x), maps(s), dx(x), ds(s);
  pair.backward(plus.view(), sage::skip, images.view(), maps.view(), sage::add_to(dx.view()), sage::skip);
  CHECK(differing(ds.read(), s) == 0);
  pair.backward(plus.view(), sage::skip, images.view(), maps.view(), sage::skip, sage::add_to(ds.view()));
  batch gx = dx.read(), gs = ds.read();
  for (std::size_t i = 0; i < gx.value.size(); ++i) gx.value[i] -= x.value[i];
  for (std::size_t i = 0; i < gs.value.size(); ++i) gs.value[i] -= s.value[i];
  CHECK(distance(gx, expected.images) < 1e-14);
  CHECK(distance(gs, expected.maps) < 1e-14);
}

TEST_CASE("A gradient of a wrong shape, or one that overlaps, is one sentence, and nothing is written") {
  size const shape{2, 3, 4, 5};
  stored<float> up(batch{shape}), x(batch{shape}), s(batch({2, 1, 4, 5})), dx(shape, layout::nchw),
      ds({2, 1, 4, 5}, layout::nchw), narrow({2, 3, 4, 4}, layout::nchw);
  sage::saliency_pair<> const pair{};
  CHECK_THROWS_WITH(pair.backward(narrow.view(), sage::skip, x.view(), s.view(), dx.view(), ds.view()),
                    "saliency_pair: d_plus has shape (2, 3, 4, 4), images (2, 3, 4, 5)");
  CHECK_THROWS_WITH(pair.backward(up.view(), up.view(), x.view(), s.view(), up.view(), ds.view()),
                    "saliency_pair: d_images overlaps d_plus, expected separate memory");
  CHECK_THROWS_WITH(pair.backward(up.view(), up.view(), x.view(), s.view(), dx.view(), s.view()),
                    "saliency_pair: d_maps overlaps maps, expected separate memory");
  CHECK(dx.is_untouched());
  CHECK(ds.is_untouched());
}
