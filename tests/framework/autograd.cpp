#include "framework/torch.hpp"

#include "framework/gradients.hpp"
#include "framework/modules.hpp"

#include <sage/augment/channel_mean.hpp>
#include <sage/formula/total_variation.hpp>
#include <sage/framework/libtorch.hpp>

namespace {

using namespace gradients;
using Catch::Matchers::ContainsSubstring;
namespace st = sage::libtorch;

tensors triplets(at::IntArrayRef shape, at::ScalarType type = at::kDouble) {
  return leaves({normal(shape, type), normal(shape, type), normal(shape, type)});
}

}  // namespace

TEST_CASE("a comparison of nothing with nothing, or with NaN, fails") {
  auto const nothing = at::zeros({3}), nan = at::full({3}, std::numeric_limits<double>::quiet_NaN());
  CHECK(relative_error(nothing, nothing) == std::numeric_limits<double>::infinity());
  CHECK(relative_error(nan, at::ones({3})) == std::numeric_limits<double>::infinity());
}

TEST_CASE("a loss has a graph only if grad mode is on and an input requires grad") {
  auto const x = triplets({4, 8});
  auto const detached = x[0].detach();
  auto const value = st::triplet_margin_loss(x[0], x[1], x[2]);
  CHECK(value.requires_grad());
  CHECK_FALSE(st::triplet_margin_loss(detached, detached, detached).requires_grad());
  at::NoGradGuard const no_graph;
  auto const without = st::triplet_margin_loss(x[0], x[1], x[2]);
  CHECK_FALSE(without.requires_grad());
  CHECK(at::equal(without, value));
}

TEST_CASE("only inputs that require grad get a gradient, and it is the one they get together") {
  auto const x = triplets({4, 8});
  auto const all = by_autograd([](tensors const& t) { return st::triplet_margin_loss(t[0], t[1], t[2]); }, x);
  auto const alone = by_autograd(
      [&](tensors const& t) { return st::triplet_margin_loss(x[0].detach(), t[0], x[2].detach()); }, {x[1]});
  CHECK(at::equal(all[1], alone[0]));
  CHECK_FALSE(x[0].grad().defined());
}

TEST_CASE("backward twice needs retain_graph, and then gives the same again") {
  auto const x = triplets({4, 8});
  auto const loss = st::triplet_margin_loss(x[0], x[1], x[2], {.margin = 3});
  loss.backward({}, /*retain_graph=*/true);
  auto const once = x[0].grad().clone();
  loss.backward({}, /*retain_graph=*/true);
  CHECK(relative_error(x[0].grad(), 2 * once) == 0);
  loss.backward();
  CHECK(relative_error(x[0].grad(), 3 * once) < 1e-15);
  CHECK_THROWS_AS(loss.backward(), c10::Error);
}

TEST_CASE("a gradient that is changed where it was left is not the one that the graph keeps") {
  auto const x = triplets({4, 8});
  auto const loss = st::triplet_margin_loss(x[0], x[1], x[2], {.margin = 3});
  loss.backward({}, /*retain_graph=*/true);
  auto const once = x[0].grad().clone();
  x[0].mutable_grad().zero_();
  loss.backward({}, /*retain_graph=*/true);
  CHECK(at::equal(x[0].grad(), once));
  auto const asked = torch::autograd::grad({loss}, {x[0]}, {}, /*retain_graph=*/true)[0];
  CHECK(at::equal(asked, once));
}

TEST_CASE("a gradient is scaled by what comes from above") {
  auto const x = triplets({4, 8});
  auto const of = [&](auto const& f) { return by_autograd(f, x)[2]; };
  auto const plain =
      of([](tensors const& t) { return st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 3}); });
  auto const scaled = of(
      [](tensors const& t) { return (-4 * st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 3})).sum(); });
  CHECK(relative_error(scaled, -4 * plain) == 0);
}

TEST_CASE(
    "create_graph gives first derivatives, and a second is an error that names the loss, for any input") {
  auto const x = triplets({4, 8});
  auto const labels = at::tensor({0, 1, 2, 3}, at::kLong);
  auto const check_loss = [&](std::string const& name, at::Tensor const& loss, at::Tensor const& input,
                              at::Tensor const& other) {
    CAPTURE(name);
    auto const plain = torch::autograd::grad({loss}, {input}, {}, /*retain_graph=*/true)[0];
    auto const first = torch::autograd::grad({loss}, {input}, {}, true, /*create_graph=*/true)[0];
    CHECK(at::equal(first, plain));
    auto const again = [&](at::Tensor const& of) {
      torch::autograd::grad({(first * first).sum() + of.pow(3).sum()}, {of}, {}, true);
    };
    CHECK_THROWS_WITH(again(input), ContainsSubstring(name + ": the second derivative is not implemented"));
    CHECK_THROWS_WITH(again(other), ContainsSubstring(name + ": the second derivative is not implemented"));
    CHECK_THROWS_AS(again(input), c10::Error);
    CHECK_THROWS_WITH(first.sum().backward(), ContainsSubstring(name));
  };
  check_loss("triplet_margin_loss", st::triplet_margin_loss(x[0], x[1], x[2], {.margin = 3}), x[0], x[1]);
  check_loss("consistency_loss", st::consistency_loss_per_sample(x[0], x[1]).sum(), x[0], x[1]);
  check_loss("cross_entropy_loss", st::cross_entropy_loss(x[0], labels), x[0], x[0]);
  check_loss("degradation_loss", st::degradation_loss({x[2]}), x[2], x[2]);
  check_loss("sage_loss", st::sage_loss(x[0], x[1], x[2], x[0], x[1], x[2], labels).total, x[1], x[2]);
}

TEST_CASE("an expanded input gets the sum of the gradients of its copies") {
  auto const x = leaves({normal({1, 8}), normal({4, 8}), normal({4, 8})});
  auto const f = [](tensors const& t) {
    return st::triplet_margin_loss(t[0].expand({4, 8}), t[1], t[2], {.margin = 3});
  };
  auto const g = [](tensors const& t) {
    return st::triplet_margin_loss(t[0].repeat({4, 1}), t[1], t[2], {.margin = 3});
  };
  CHECK(relative_error(by_autograd(f, x)[0], by_autograd(g, x)[0]) < 1e-15);
}

TEST_CASE("results are bitwise the same for one thread of LibTorch's pool and for two") {
  int const before = at::get_num_threads();
  auto const x = triplets({700, 300}, at::kFloat);  // a dozen blocks of work
  auto const labels = at::randint(0, 300, {700}, at::kLong);
  auto const run = [&](int threads) {
    at::set_num_threads(threads);
    auto const loss = st::sage_loss(x[0], x[1], x[2], x[0], x[1], x[2], labels).total;
    auto r = torch::autograd::grad({loss}, x);
    r.push_back(loss.detach());
    return r;
  };
  auto const one = run(1), two = run(2);
  at::set_num_threads(before);
  for (std::size_t k = 0; k < one.size(); ++k) CHECK(at::equal(one[k], two[k]));
}

TEST_CASE("half types give the float result, rounded once") {
  auto const type = GENERATE(at::kHalf, at::kBFloat16);
  auto const halves = leaves({normal({4, 33}, at::kFloat).to(type), normal({4, 33}, at::kFloat).to(type),
                              normal({4, 33}, at::kFloat).to(type)});
  auto const floats = leaves({halves[0].to(at::kFloat), halves[1].to(at::kFloat), halves[2].to(at::kFloat)});
  auto const f = [](tensors const& t) { return st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 9}); };
  CHECK(at::equal(f(halves), f(floats).to(type)));
  CHECK(at::equal(by_autograd(f, halves)[1], by_autograd(f, floats)[1].to(type)));
}

TEST_CASE("a sample of weight zero gets no gradient, even if it holds NaN") {
  auto x = triplets({4, 8});
  {
    at::NoGradGuard const no_graph;
    x[0][2].fill_(std::numeric_limits<double>::quiet_NaN());
  }
  auto const weights = at::tensor({1, 1, 0, 1}).to(at::kBool);
  auto const g = by_autograd(
      [&](tensors const& t) { return st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 9}, weights); }, x);
  CHECK(g[0][2].eq(0).all().item<bool>());
  CHECK(g[0][1].norm().item<double>() > 0);
  CHECK_THROWS_WITH(st::triplet_margin_loss(x[0], x[1], x[2], {}, normal({4}).requires_grad_()),
                    ContainsSubstring("weights requires grad"));
}

TEST_CASE("a network of one matrix learns from the modules") {
  at::manual_seed(6);
  st::SageLoss const sage_loss(sage::sage_loss<>{.margin = 0.5});
  st::TripletMarginLoss const triplet(sage::triplet_margin_loss<>{.margin = 1});
  st::ConsistencyLoss const consistency;
  auto const labels = at::randint(0, 3, {32}, at::kLong);
  auto const x = normal({32, 10}) + 2 * at::one_hot(labels, 10).to(at::kDouble);
  auto const plus = x + 0.3 * normal({32, 10}), minus = normal({32, 10});
  auto const train = [&](auto const& objective) {
    auto w = (0.1 * normal({10, 3})).requires_grad_();
    double first = 0, last = 0;
    for (int step = 0; step < 60; ++step) {
      at::Tensor const loss = objective(x.mm(w), plus.mm(w), minus.mm(w));
      last = loss.item<double>();
      if (step == 0) first = last;
      auto const g = torch::autograd::grad({loss}, {w})[0];
      at::NoGradGuard const no_graph;
      w.sub_(0.3 * g);
    }
    return last / first;
  };
  CHECK(train([&](auto const& a, auto const& p, auto const& n) {
          return sage_loss->forward(a, p, n, a, p, n, labels).total;
        }) < 0.5);
  CHECK(train([&](auto const& a, auto const& p, auto const& n) { return triplet->forward(a, p, n); }) < 0.5);
  CHECK(train([&](auto const& a, auto const& p, auto const&) { return consistency->forward(a, p); }) < 0.9);
}

namespace {

TORCH_MODULE_IMPL(labelwise_loss, st::binary_consistency_module<sage::total_variation>);

}  // namespace

TEST_CASE("modules, also of one's own divergence, give what the function gives with the options, and print these") {
  at::manual_seed(18);
  auto const z = normal({4, 3}), other = normal({4, 3}), labels = at::tensor({0, 2, 1, 1}, at::kLong);
  st::SageLoss const module(sage::sage_loss<>{.margin = 0.25, .temperature = 2});
  auto const total = [&](sage::sage_loss<> const& options) {
    return st::sage_loss(z, other, z, z, other, z, labels, options).total;
  };
  CHECK(modules::same(module->forward(z, other, z, z, other, z, labels).total, total(module->options), total({})));
  CHECK(modules::printed(module) == "sage::libtorch::SageLoss(margin=0.25, temperature=2)");

  labelwise_loss const labelwise(sage::binary_consistency_loss<sage::total_variation>{.temperature = 2});
  auto const by_label = [&](sage::binary_consistency_loss<sage::total_variation> const& options) {
    return st::binary_consistency_loss(z, other, options);
  };
  CHECK(modules::same(labelwise->forward(z, other), by_label(labelwise->options), by_label({})));
  CHECK(labelwise->forward(z, other).item<double>() ==  // its definition
        Approx(((z / 2).sigmoid() - (other / 2).sigmoid()).abs().mean().item<double>()).epsilon(1e-14));
  CHECK(modules::printed(labelwise) == "sage::libtorch::BinaryConsistencyLoss(temperature=2)");
}

TEST_CASE("saliency_pair keeps the memory format, and gives in any the same picture") {
  at::manual_seed(7);
  auto const images = at::rand({2, 3, 24, 20});
  auto const maps = at::rand({2, 12, 10});
  auto const [prepared, weights] = st::prepare_saliency(maps, 24, 20);
  CHECK(prepared.sizes() == at::IntArrayRef({2, 1, 24, 20}));
  CHECK(at::equal(weights, at::ones({2})));
  auto const [plus, minus] =
      st::saliency_pair(images, prepared, sage::saliency_pair<>{.degradation = {.sigma = 2}});
  auto const channels_last = images.contiguous(at::MemoryFormat::ChannelsLast);
  auto const other =
      st::saliency_pair(channels_last, prepared, sage::saliency_pair<>{.degradation = {.sigma = 2}});
  CHECK(other.plus.strides() == channels_last.strides());
  CHECK(at::equal(other.plus, plus));
  CHECK(at::equal(other.minus, minus));

  auto const mean = st::saliency_pair(images, prepared, sage::saliency_pair<sage::channel_mean>{});
  auto const degraded =
      images.mean({2, 3}, true);  // x⁺ = s x + (1 − s) A(x), in float: a few roundings of 2^-24
  CHECK(at::allclose(mean.plus, prepared * images + (1 - prepared) * degraded, 0, 1e-6));
  CHECK(at::allclose(mean.minus, (1 - prepared) * images + prepared * degraded, 0, 1e-6));
}

TEST_CASE("a map that says nothing has weight zero, whatever its element type") {
  auto maps = at::randint(0, 255, {3, 1, 8, 8}, at::kByte);
  maps[1].zero_();
  CHECK(at::equal(st::prepare_saliency(maps, 16, 16).weights, at::tensor({1.0f, 0.0f, 1.0f})));
  CHECK_THROWS_AS(st::prepare_saliency(maps[0][0], 16, 16), sage::shape_error);
}
