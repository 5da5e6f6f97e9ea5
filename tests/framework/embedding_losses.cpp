#include "framework/torch.hpp"

#include "framework/gradients.hpp"
#include "framework/modules.hpp"

#include <sage/framework/libtorch/contrastive_loss.hpp>
#include <sage/framework/libtorch/info_nce_loss.hpp>
#include <sage/framework/libtorch/mined_triplet_loss.hpp>
#include <sage/framework/libtorch/modules.hpp>
#include <sage/framework/libtorch/nt_xent_loss.hpp>

#include <limits>

namespace {

using namespace gradients;
namespace st = sage::libtorch;

/// Value and gradients in double against those of LibTorch's operations.
template <class F, class G>
void agree(F const& computed, G const& oracle, tensors const& values) {
  tensors x, y;
  for (auto const& v : values) {
    x.push_back(v.detach().clone().requires_grad_());
    y.push_back(v.detach().clone().requires_grad_());
  }
  auto const l = computed(x), expected = oracle(y);
  REQUIRE(l.sizes() == expected.sizes());
  CHECK(relative_error(l, expected) < 1e-12);
  auto const upstream = at::rand_like(expected) + 0.5;
  auto const g = torch::autograd::grad({l}, x, {upstream}),
             g_expected = torch::autograd::grad({expected}, y, {upstream});
  for (std::size_t k = 0; k < x.size(); ++k) {
    CAPTURE(k);
    CHECK(relative_error(g[k], g_expected[k]) <
          1e-11);  // LibTorch's sides are differences of unit vectors and products
  }
}

at::Tensor unit(at::Tensor const& x) { return x / x.norm(2, -1, true).clamp_min(1e-8); }

}  // namespace

TEST_CASE("contrastive_loss is its formula in LibTorch's operations") {
  at::manual_seed(12);
  auto const y = at::tensor({1, 0, 0, 1, 0}, at::kLong);
  auto const formula = [&](tensors const& t) {
    auto const d = at::pairwise_distance(t[0], t[1]);
    return at::where(y == 1, d * d, (4 - d).clamp_min(0).square()) / 2;
  };
  tensors const x{normal({5, 7}), normal({5, 7})};
  sage::contrastive_loss<> const options{.margin = 4};
  agree([&](tensors const& t) { return st::contrastive_loss(t[0], t[1], y, options); },
        [&](tensors const& t) { return formula(t).mean(); }, x);
  agree([&](tensors const& t) { return st::contrastive_loss_per_sample(t[0], t[1], y, options); }, formula,
        x);
}

TEST_CASE("info_nce_loss is LibTorch's cross entropy of cosine similarities over the temperature") {
  at::manual_seed(13);
  tensors const x{normal({9, 5}), normal({9, 5}), normal({9, 4, 5}), normal({6, 5})};
  sage::info_nce_loss<> const options{.temperature = 0.2};
  auto const logits = [](tensors const& t) { return at::matmul(unit(t[0]), unit(t[1]).t()) / 0.2; };
  agree([&](tensors const& t) { return st::info_nce_loss(t[0], t[1], options); },
        [&](tensors const& t) { return at::cross_entropy_loss(logits(t), at::arange(9)); }, {x[0], x[1]});
  agree(
      [&](tensors const& t) {
        return st::info_nce_loss(t[0], t[1], sage::info_nce_loss<>{.temperature = 0.2, .symmetric = true});
      },
      [&](tensors const& t) {
        return (at::cross_entropy_loss(logits(t), at::arange(9)) +
                at::cross_entropy_loss(logits(t).t(), at::arange(9))) /
               2;
      },
      {x[0], x[1]});
  agree([&](tensors const& t) { return st::info_nce_loss(t[0], t[1], t[2], options); },
        [&](tensors const& t) {
          auto const a = unit(t[0]).unsqueeze(1);
          auto const all = at::cat({(a * unit(t[1]).unsqueeze(1)).sum(-1), (a * unit(t[2])).sum(-1)}, 1);
          return at::cross_entropy_loss(all / 0.2, at::zeros({9}, at::kLong));
        },
        {x[0], x[1], x[2]});
  agree([&](tensors const& t) { return st::info_nce_loss(t[0], t[1], t[2], options); },
        [&](tensors const& t) {
          auto const a = unit(t[0]);
          auto const all = at::cat({(a * unit(t[1])).sum(-1, true), at::matmul(a, unit(t[2]).t())}, 1);
          return at::cross_entropy_loss(all / 0.2, at::zeros({9}, at::kLong));
        },
        {x[0], x[1], x[3]});
}

TEST_CASE("nt_xent_loss is the formula of optax.ntxent in LibTorch's operations") {
  at::manual_seed(15);
  auto const y = at::tensor({0, 1, 2, 0, 1, 0, 2, 1, 5}, at::kLong);
  auto const same = y.unsqueeze(0).eq(y.unsqueeze(1));
  auto const pairs = same.logical_and(at::eye(9).eq(0));
  sage::nt_xent_loss<> const options{.temperature = 0.2};
  agree([&](tensors const& t) { return st::nt_xent_loss(t[0], y, options); },
        [&](tensors const& t) {
          auto const s = at::matmul(unit(t[0]), unit(t[0]).t()) / 0.2;
          auto const negatives = s.exp().masked_fill(same, 0).sum(1, true);
          return ((s.exp() + negatives).log() - s).masked_select(pairs).mean();
        },
        {normal({9, 4})});
}

TEST_CASE(
    "mined_triplet_loss is the triplets of pytorch-metric-learning's definitions in LibTorch's operations") {
  at::manual_seed(14);
  auto const y = at::tensor({0, 1, 2, 0, 1, 0, 2, 1, 5}, at::kLong);
  auto const same = y.unsqueeze(0).eq(y.unsqueeze(1));
  auto const positive = same.logical_and(at::eye(9).eq(0)), negative = same.logical_not();
  double const infinity = std::numeric_limits<double>::infinity();
  auto const distances = [](at::Tensor const& x) {
    return (unit(x).unsqueeze(1) - unit(x).unsqueeze(0) + at::eye(9, at::kDouble).unsqueeze(-1)).norm(2, -1);
  };
  agree(
      [&](tensors const& t) {
        return st::mined_triplet_loss(t[0], y, sage::mined_triplet_loss<sage::batch_hard>{});
      },
      [&](tensors const& t) {
        auto const d = distances(t[0]);
        auto const hard = at::amax(d.masked_fill(positive.logical_not(), -infinity), 1) -
                          at::amin(d.masked_fill(negative.logical_not(), infinity), 1);
        return (0.2 + hard.slice(0, 0, 8)).clamp_min(0).mean();  // the last sample is alone in its class
      },
      {normal({9, 4})});
  auto const all = [&](bool semi_hard) {
    return [&, semi_hard](tensors const& t) {
      auto const d = distances(t[0]);
      auto const gap = d.unsqueeze(1) - d.unsqueeze(2);  // (anchor, positive, negative)
      auto taken = positive.unsqueeze(2).logical_and(negative.unsqueeze(1));
      if (semi_hard) taken = taken.logical_and(gap > 0).logical_and(gap <= 0.2);
      return (0.2 - gap).clamp_min(0).masked_select(taken).mean();
    };
  };
  agree(
      [&](tensors const& t) {
        return st::mined_triplet_loss(t[0], y, sage::mined_triplet_loss<sage::batch_all>{});
      },
      all(false), {normal({9, 4})});
  agree(
      [&](tensors const& t) {
        return st::mined_triplet_loss(t[0], y, sage::mined_triplet_loss<sage::semi_hard>{});
      },
      all(true), {normal({9, 4})});
}

TEST_CASE("The modules of embeddings give what their functions give with their options, and print these") {
  at::manual_seed(17);
  using modules::printed, modules::same;
  auto const a = normal({6, 4}), p = normal({6, 4}), own = normal({6, 2, 4});
  auto const weights = at::tensor({1.0, 0.5, 0.0, 2.0, 1.0, 1.0}, at::kDouble);
  auto const labels = at::tensor({0, 1, 1, 0, 1, 0}, at::kLong);
  {
    st::MinedTripletLoss module(sage::mined_triplet_loss<>{.margin = 4});
    CHECK(same(module->forward(a, labels, weights), st::mined_triplet_loss(a, labels, module->options, weights),
               st::mined_triplet_loss(a, labels, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::MinedTripletLoss(margin=4)");
  }
  {
    st::ContrastiveLoss module(sage::contrastive_loss<>{.margin = 4});
    CHECK(same(module->forward(a, p, labels, weights), st::contrastive_loss(a, p, labels, module->options, weights),
               st::contrastive_loss(a, p, labels, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::ContrastiveLoss(margin=4, positive_margin=0)");
  }
  {
    st::NTXentLoss module(sage::nt_xent_loss<>{.temperature = 0.5});
    CHECK(same(module->forward(a, labels, weights), st::nt_xent_loss(a, labels, module->options, weights),
               st::nt_xent_loss(a, labels, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::NTXentLoss(temperature=0.5)");
  }
  {
    st::InfoNCELoss module(sage::info_nce_loss<>{.temperature = 0.5});
    CHECK(same(module->forward(a, p, {}, weights), st::info_nce_loss(a, p, module->options, weights),
               st::info_nce_loss(a, p, {}, weights)));
    CHECK(same(module->forward(a, p, own, weights), st::info_nce_loss(a, p, own, module->options, weights),
               st::info_nce_loss(a, p, own, sage::info_nce_loss<>{}, weights)));
    CHECK(printed(module) == "sage::libtorch::InfoNCELoss(temperature=0.5, symmetric=false)");
  }
}
