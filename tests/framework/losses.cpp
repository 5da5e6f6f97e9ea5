#include "framework/torch.hpp"

#include "framework/gradients.hpp"
#include "framework/modules.hpp"

#include <sage/formula/skewed_jensen_shannon.hpp>
#include <sage/framework/libtorch.hpp>

namespace {

using namespace gradients;
using sage::reduction;
namespace st = sage::libtorch;

/// How the values lie in memory: as they come, transposed, every second element, one row for all.
enum class arrangement { contiguous, transposed, sliced, expanded };

at::Tensor arranged(at::Tensor const& t, arrangement how) {
  switch (how) {
    case arrangement::contiguous:
      return t;
    case arrangement::transposed:
      return t.transpose(0, -1).contiguous().transpose(0, -1);
    case arrangement::sliced:
      return t.repeat_interleave(2, -1).slice(-1, 0, at::nullopt, 2);
    case arrangement::expanded:
      return t.slice(0, 0, 1).expand_as(t);
  }
  return t;
}

at::Reduction::Reduction torch_reduction(reduction r) {
  return r == reduction::sum ? at::Reduction::Sum : at::Reduction::Mean;
}

/// Value and gradients of one function against another's, which is computed in double.
template <class F, class G>
void compare(F const& computed, G const& oracle, tensors const& values, double tolerance) {
  tensors x, doubles;
  for (auto const& v : values) {
    x.push_back(v.detach().requires_grad_());
    doubles.push_back(v.detach().to(at::kDouble).clone().requires_grad_());
  }
  auto const l = computed(x), expected = oracle(doubles);
  REQUIRE(l.sizes() == expected.sizes());
  CHECK(relative_error(l, expected) < tolerance);
  auto const upstream = at::rand_like(expected) + 0.5;
  auto const g = torch::autograd::grad({l}, x, {upstream.to(l.scalar_type())});
  auto const g_expected = torch::autograd::grad({expected}, doubles, {upstream});
  for (std::size_t k = 0; k < x.size(); ++k) {
    CAPTURE(k);
    CHECK(g[k].scalar_type() == x[k].scalar_type());
    CHECK(relative_error(g[k], g_expected[k]) < tolerance);
  }
}

// Sums of up to a hundred terms in either order: tens of roundings of 2^-53, or of 2^-24.
double tolerance(at::ScalarType type) { return type == at::kDouble ? 1e-13 : 1e-5; }

}  // namespace

TEST_CASE("triplet_margin_loss is LibTorch's for every margin, swap, reduction, type and stride") {
  at::manual_seed(1);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const how =
      GENERATE(arrangement::contiguous, arrangement::transposed, arrangement::sliced, arrangement::expanded);
  auto const swap = GENERATE(false, true);
  CAPTURE(type, static_cast<int>(how), swap);
  for (double const margin : {0.2, 1.0, 3.0}) {
    tensors const x{arranged(normal({7, 33}, type), how), normal({7, 33}, type), normal({7, 33}, type)};
    for (auto const r : {reduction::mean, reduction::sum})
      compare(
          [&](tensors const& t) {
            return st::triplet_margin_loss(t[0], t[1], t[2],
                                           {.margin = margin, .swap = swap, .reduction = r});
          },
          [&](tensors const& t) {
            return at::triplet_margin_loss(t[0], t[1], t[2], margin, 2, 1e-6, swap, torch_reduction(r));
          },
          x, tolerance(type));
    compare(
        [&](tensors const& t) {
          return st::triplet_margin_loss_per_sample(t[0], t[1], t[2], {.margin = margin, .swap = swap});
        },
        [&](tensors const& t) {
          return at::triplet_margin_loss(t[0], t[1], t[2], margin, 2, 1e-6, swap, at::Reduction::None);
        },
        x, tolerance(type));
  }
}

TEST_CASE("cross_entropy_loss is LibTorch's for every smoothing, ignored index, reduction, type and stride") {
  at::manual_seed(2);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const how =
      GENERATE(arrangement::contiguous, arrangement::transposed, arrangement::sliced, arrangement::expanded);
  auto const classes = GENERATE(2, 10, 130);
  CAPTURE(type, static_cast<int>(how), classes);
  auto labels = at::randint(0, classes, {9}, at::kLong);
  labels[4] = 1;
  for (double const smoothing : {0.0, 0.1, 1.0})
    for (int64_t const ignore : {-100, 1}) {
      sage::cross_entropy_loss options{.label_smoothing = smoothing, .ignore_index = ignore};
      tensors const x{arranged(3 * normal({9, classes}, type), how)};
      if (ignore == 1) labels.slice(0, 5, 9).fill_(0);  // some are left
      for (auto const r : {reduction::mean, reduction::sum}) {
        options.reduction = r;
        compare([&](tensors const& t) { return st::cross_entropy_loss(t[0], labels, options); },
                [&](tensors const& t) {
                  return at::cross_entropy_loss(t[0], labels, {}, torch_reduction(r), ignore, smoothing);
                },
                x, tolerance(type));
      }
      compare(
          [&](tensors const& t) {
            return st::cross_entropy_loss_per_sample(t[0], labels.to(at::kInt), options);
          },
          [&](tensors const& t) {
            return at::cross_entropy_loss(t[0], labels, {}, at::Reduction::None, ignore, smoothing);
          },
          x, tolerance(type));
    }
}

TEST_CASE("consistency_loss is the Jensen-Shannon divergence composed of LibTorch's log_softmax") {
  at::manual_seed(3);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const how = GENERATE(arrangement::contiguous, arrangement::transposed, arrangement::sliced);
  auto const classes = GENERATE(2, 5, 100);
  CAPTURE(type, static_cast<int>(how), classes);
  for (double const temperature : {0.5, 1.0, 4.0}) {
    auto const js =
        [&](tensors const& t) {  // the textbook formula: in double, and for logits far apart, good to 1e-13
          auto const log_p = at::log_softmax(t[0] / temperature, -1),
                     log_q = at::log_softmax(t[1] / temperature, -1);
          auto const log_m = ((log_p.exp() + log_q.exp()) / 2).log();
          return ((log_p.exp() * (log_p - log_m)).sum(-1) + (log_q.exp() * (log_q - log_m)).sum(-1)) / 2;
        };
    tensors const x{arranged(normal({3, 4, classes}, type), how), normal({3, 4, classes}, type)};
    sage::consistency_loss<> const options{.temperature = temperature};
    double const near = type == at::kDouble ? 1e-12 : 1e-5;
    compare([&](tensors const& t) { return st::consistency_loss(t[0], t[1], options); },
            [&](tensors const& t) { return js(t).mean(); }, x, near);
    compare([&](tensors const& t) { return st::consistency_loss_per_sample(t[0], t[1], options); }, js, x,
            near);
  }
}

TEST_CASE("every gradient is the derivative of its value") {
  at::manual_seed(4);
  auto const weights = at::tensor({0.5, 1.0, 0.0, 2.0}, at::kDouble),
             upstream = at::tensor({1.0, -2.0, 3.0, 0.5}, at::kDouble);
  auto const labels = at::tensor({0, 2, 1, -100}, at::kLong);
  auto const pair = tensors{normal({4, 3}), normal({4, 3})};
  auto const three = tensors{normal({4, 6}), normal({4, 6}), normal({4, 6})};

  SECTION("triplet_margin_loss") {
    sage::triplet_margin_loss<sage::normalized_euclidean> const normalized{.margin = 1};
    check([&](tensors const& t) { return st::triplet_margin_loss(t[0], t[1], t[2], normalized); }, three);
    check(
        [&](tensors const& t) {
          return st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 2, .swap = true}, weights);
        },
        three);
    check(
        [&](tensors const& t) {
          return st::triplet_margin_loss(t[0], t[1], t[2], {.reduction = reduction::mean_active});
        },
        three);
    check(
        [&](tensors const& t) {
          return (st::triplet_margin_loss_per_sample(t[0], t[1], t[2], normalized, weights) * upstream).sum();
        },
        three);
  }
  SECTION("consistency_loss") {
    check(
        [&](tensors const& t) { return st::consistency_loss(t[0], t[1], {.temperature = 2}, weights).exp(); },
        pair);
    check([&](tensors const& t) { return (st::consistency_loss_per_sample(t[0], t[1]) * upstream).sum(); },
          pair);
    sage::consistency_loss<sage::skewed_jensen_shannon> const tilted{.divergence = {.beta = 0.2}};
    check([&](tensors const& t) { return st::consistency_loss(t[0], t[1], tilted); }, pair);
  }
  SECTION("degradation_loss") {
    check([&](tensors const& t) { return st::degradation_loss({t[0]}); }, {pair[0]});
    sage::degradation_loss<sage::repel<>> const repel{.check = {.margin = 0.6}};
    check([&](tensors const& t) { return st::degradation_loss({t[0], t[1]}, repel, weights); }, pair);
    sage::degradation_loss<sage::rank<>> const rank{.temperature = 2, .check = {.margin = 0.3}};
    check(
        [&](tensors const& t) {
          return (st::degradation_loss_per_sample({t[0], t[1], t[2]}, rank) * upstream).sum();
        },
        three);
  }
  SECTION("cross_entropy_loss") {
    check(
        [&](tensors const& t) {
          return st::cross_entropy_loss(t[0], labels, {.label_smoothing = 0.1}, weights);
        },
        {pair[0]});
    check(
        [&](tensors const& t) { return (st::cross_entropy_loss_per_sample(t[0], labels) * upstream).sum(); },
        {pair[0]});
  }
  SECTION("sage_loss") {
    sage::sage_loss<sage::euclidean, sage::jensen_shannon, sage::rank<>> const options{
        .margin = 1,
        .temperature = 2,
        .label_smoothing = 0.1,
        .triplet_weight = 0.7,
        .consistency_weight = 3,
        .degradation = {.margin = 0.5}};
    tensors const x{pair[0], pair[1], normal({4, 3}), three[0], three[1], three[2]};
    check(
        [&](tensors const& t) {
          return st::sage_loss(t[0], t[1], t[2], t[3], t[4], t[5], labels, options, weights).total;
        },
        x);
    check(
        [&](tensors const& t) {
          return (st::sage_loss_per_sample(t[0], t[1], t[2], t[3], t[4], t[5], labels, options, weights) *
                  upstream)
              .sum();
        },
        x);
  }
}

TEST_CASE(
    "the total of sage_loss is the weighted sum of its terms, and each term is the function of its name") {
  at::manual_seed(5);
  tensors z, e;
  for (int k = 0; k < 3; ++k) z.push_back(normal({6, 4})), e.push_back(normal({6, 8}));
  auto const labels = at::randint(0, 4, {6}, at::kLong),
             weights = at::tensor({1.0, 0.0, 1.0, 1.0, 2.0, 0.0}, at::kDouble);
  sage::sage_loss<sage::normalized_euclidean, sage::jensen_shannon, sage::repel<>> const options{
      .positive_classification_weight = 0.5,
      .triplet_weight = 2,
      .consistency_weight = 3,
      .degradation_weight = 4,
      .degradation = {.margin = 0.5}};
  auto const r = st::sage_loss(z[0], z[1], z[2], e[0], e[1], e[2], labels, options, weights);
  auto const value = [](at::Tensor const& t) { return t.item<double>(); };
  CHECK(value(r.total) == Approx(value(r.classification) + 0.5 * value(r.positive_classification) +
                                 2 * value(r.triplet) + 3 * value(r.consistency) + 4 * value(r.degradation))
                              .epsilon(1e-14));
  CHECK(at::equal(r.classification, st::cross_entropy_loss(z[0], labels)));
  CHECK(at::equal(r.positive_classification, st::cross_entropy_loss(z[1], labels, {}, weights)));
  sage::triplet_margin_loss<sage::normalized_euclidean> const triplet{.margin = 0.5};
  CHECK(at::equal(r.triplet, st::triplet_margin_loss(e[0], e[1], e[2], triplet, weights)));
  CHECK(at::equal(r.consistency, st::consistency_loss(z[0], z[1], {}, weights)));
  sage::degradation_loss<sage::repel<>> const degradation{.check = {.margin = 0.5}};
  CHECK(at::equal(r.degradation, st::degradation_loss({z[0], z[2]}, degradation, weights)));
  CHECK(r.active.item<std::int64_t>() > 0);
  CHECK(r.non_finite.item<std::int64_t>() == 0);
  CHECK_FALSE(r.triplet.requires_grad());
}

namespace {

at::Reduction::Reduction const every_reduction[] = {at::Reduction::Mean, at::Reduction::Sum,
                                                    at::Reduction::None};

/// The reduced loss or the per-sample values, as LibTorch's reduction says.
template <class Options, class Reduced, class Unreduced>
at::Tensor by_reduction(Options options, at::Reduction::Reduction how, Reduced const& reduced,
                        Unreduced const& unreduced) {
  if (how == at::Reduction::None) return unreduced(options);
  options.reduction = how == at::Reduction::Sum ? reduction::sum : reduction::mean;
  return reduced(options);
}

}  // namespace

TEST_CASE("cross_entropy_loss with class weights and with probabilities is LibTorch's, with every option") {
  at::manual_seed(6);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const classes = GENERATE(3, 40);
  CAPTURE(type, classes);
  auto const w = at::rand({classes}, type) + 0.25, wide = w.to(at::kDouble);
  auto labels = at::randint(0, classes, {9}, at::kLong);
  labels[4] = 1;
  tensors const logits{3 * normal({9, classes}, type)};
  tensors const pair{3 * normal({9, classes}, type), at::softmax(normal({9, classes}, type), -1)};
  for (auto const how : every_reduction)
    for (double const smoothing : {0.0, 0.1, 1.0}) {
      CAPTURE(static_cast<int>(how), smoothing);
      for (int64_t const ignore : {-100, 1})
        compare(
            [&](tensors const& t) {
              return by_reduction(
                  sage::cross_entropy_loss{.label_smoothing = smoothing, .ignore_index = ignore}, how,
                  [&](auto const& o) { return st::cross_entropy_loss(t[0], labels, o, {}, w); },
                  [&](auto const& o) { return st::cross_entropy_loss_per_sample(t[0], labels, o, {}, w); });
            },
            [&](tensors const& t) {
              return at::cross_entropy_loss(t[0], labels, wide, how, ignore, smoothing);
            },
            logits, tolerance(type));
      for (bool const weighted : {false, true})  // smoothed by 1, no probability would matter
        compare(
            [&](tensors const& t) {
              auto const of_classes = weighted ? w : at::Tensor();
              return by_reduction(
                  sage::cross_entropy_loss{.label_smoothing = smoothing / 2}, how,
                  [&](auto const& o) { return st::cross_entropy_loss(t[0], t[1], o, {}, of_classes); },
                  [&](auto const& o) {
                    return st::cross_entropy_loss_per_sample(t[0], t[1], o, {}, of_classes);
                  });
            },
            [&](tensors const& t) {
              return at::cross_entropy_loss(t[0], t[1], weighted ? wide : at::Tensor(), how, -100,
                                            smoothing / 2);
            },
            pair, tolerance(type));
    }
}

TEST_CASE("binary_cross_entropy_loss is LibTorch's for every weight, weight of positives and reduction") {
  at::manual_seed(7);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const labels = GENERATE(1, 5, 40);
  CAPTURE(type, labels);
  tensors const x{4 * normal({9, labels}, type), at::rand({9, labels}, type)};
  tensors const weights{{}, at::rand({labels}, type), at::rand({9, 1}, type), at::rand({9, labels}, type)};
  tensors const positive{{}, at::rand({labels}, type) + 0.25};
  auto const in_double = [](at::Tensor const& t) { return t.defined() ? t.to(at::kDouble) : t; };
  for (auto const& w : weights)
    for (auto const& p : positive) {
      for (auto const how : {reduction::mean, reduction::sum})
        compare(
            [&](tensors const& t) {
              return st::binary_cross_entropy_loss(t[0], t[1], {.over_labels = how, .reduction = how}, {}, w,
                                                   p);
            },
            [&](tensors const& t) {
              return at::binary_cross_entropy_with_logits(t[0], t[1], in_double(w), in_double(p),
                                                          torch_reduction(how));
            },
            x, tolerance(type));
      compare(
          [&](tensors const& t) {
            return st::binary_cross_entropy_loss_per_sample(t[0], t[1], {.over_labels = reduction::sum}, {},
                                                            w, p);
          },
          [&](tensors const& t) {
            return at::binary_cross_entropy_with_logits(t[0], t[1], in_double(w), in_double(p),
                                                        at::Reduction::None)
                .sum(-1);
          },
          x, tolerance(type));
    }
}

TEST_CASE(
    "consistency_loss by Kullback-Leibler is LibTorch's kl_div, batchmean, with the arguments exchanged") {
  at::manual_seed(8);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const classes = GENERATE(2, 10, 100);
  for (double const temperature : {0.5, 1.0, 4.0})
    compare(
        [&](tensors const& t) {
          return st::consistency_loss<sage::kullback_leibler>(
              t[0], t[1], {.temperature = temperature, .temperature_squared = true});
        },
        [&](tensors const& t) {
          auto const log_of = [&](at::Tensor const& z) { return at::log_softmax(z / temperature, -1); };
          return at::kl_div(log_of(t[1]), log_of(t[0]), at::Reduction::Sum, true) / 9 * temperature *
                 temperature;
        },
        {normal({9, classes}, type), normal({9, classes}, type)}, tolerance(type));
}

TEST_CASE("cam_alignment_loss is the alignment composed of LibTorch's functions") {
  at::manual_seed(9);
  auto const type = GENERATE(at::kFloat, at::kDouble);
  auto const labels = at::tensor({0, 2, 1, 2, 0}, at::kLong);
  auto const maps = at::rand({5, 1, 4, 7}, type), weights = at::tensor({1.0, 0.5, 0.0, 2.0, 1.0}, type);
  auto const composed = [&](tensors const& t) {
    auto const cam = (t[0] * t[1].index_select(0, labels).unsqueeze(2).unsqueeze(3)).sum(1);
    auto const low = cam.amin({1, 2}, true), high = cam.amax({1, 2}, true);
    auto const error = ((cam - low) / (high - low) - maps.squeeze(1).to(at::kDouble)).square().mean({1, 2});
    return (error * weights.to(at::kDouble)).sum() / weights.to(at::kDouble).sum();
  };
  tensors const x{normal({5, 6, 4, 7}, type), normal({3, 6}, type)};
  tensors const channels_last{x[0].contiguous(at::MemoryFormat::ChannelsLast), x[1]};
  for (auto const& operands : {x, channels_last})
    compare([&](tensors const& t) { return st::cam_alignment_loss(t[0], t[1], labels, maps, {}, weights); },
            composed, operands, 4 * tolerance(type));
  // Grey bytes at their scale, and truth values, are the same maps.
  auto const bytes = (maps * 255).to(at::kByte), mask = maps > 0.5;
  sage::cam_alignment_loss const of_bytes{.map_scale = 1.0 / 255};
  CHECK(relative_error(st::cam_alignment_loss(x[0], x[1], labels, bytes, of_bytes),
                       st::cam_alignment_loss(x[0], x[1], labels, bytes.to(type) / 255)) < tolerance(type));
  CHECK(at::equal(st::cam_alignment_loss(x[0], x[1], labels, mask),
                  st::cam_alignment_loss(x[0], x[1], labels, mask.to(type))));
  CHECK_THROWS_AS(st::cam_alignment_loss(x[0], x[1], labels, bytes), sage::argument_error);
}

TEST_CASE("The modules of rows and maps give what their functions give with their options, and print these") {
  at::manual_seed(10);
  using modules::printed, modules::same;
  auto const z = normal({5, 3}), other = normal({5, 3}), third = normal({5, 3});
  auto const targets = at::rand({5, 3}, at::kDouble);
  auto const weights = at::tensor({1.0, 0.5, 0.0, 2.0, 1.0}, at::kDouble),
             columns = at::rand({3}, at::kDouble);
  auto const labels = at::tensor({0, 2, 1, 2, 0}, at::kLong);
  {
    st::TripletMarginLoss module(sage::triplet_margin_loss<>{.margin = 4, .swap = true});
    CHECK(same(module->forward(z, other, third, weights),
               st::triplet_margin_loss(z, other, third, module->options, weights),
               st::triplet_margin_loss(z, other, third, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::TripletMarginLoss(margin=4, swap=true)");
  }
  {
    st::ConsistencyLoss module(sage::consistency_loss<>{.temperature = 2});
    CHECK(same(module->forward(z, other, weights), st::consistency_loss(z, other, module->options, weights),
               st::consistency_loss(z, other, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::ConsistencyLoss(temperature=2)");
  }
  {
    st::CrossEntropyLoss module(sage::cross_entropy_loss{.label_smoothing = 0.25});
    CHECK(same(module->forward(z, labels, weights, columns),
               st::cross_entropy_loss(z, labels, module->options, weights, columns),
               st::cross_entropy_loss(z, labels, {}, weights, columns)));
    CHECK(printed(module) == "sage::libtorch::CrossEntropyLoss(label_smoothing=0.25, ignore_index=-100)");
  }
  {
    st::BinaryCrossEntropyLoss module(sage::binary_cross_entropy_loss{.label_smoothing = 0.25});
    CHECK(same(module->forward(z, targets, weights, {}, columns),
               st::binary_cross_entropy_loss(z, targets, module->options, weights, {}, columns),
               st::binary_cross_entropy_loss(z, targets, {}, weights, {}, columns)));
    CHECK(printed(module) == "sage::libtorch::BinaryCrossEntropyLoss(label_smoothing=0.25)");
  }
  {
    st::DegradationLoss module(sage::degradation_loss<>{.temperature = 2});
    CHECK(same(module->forward({z}, weights), st::degradation_loss({z}, module->options, weights),
               st::degradation_loss({z}, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::DegradationLoss(temperature=2)");
  }
  {
    auto const features = normal({5, 4, 2, 3}), head = normal({3, 4}),
               maps = at::rand({5, 2, 3}, at::kDouble);
    st::CamAlignmentLoss module(sage::cam_alignment_loss{.map_scale = 0.5});
    CHECK(same(module->forward(features, head, labels, maps, weights),
               st::cam_alignment_loss(features, head, labels, maps, module->options, weights),
               st::cam_alignment_loss(features, head, labels, maps, {}, weights)));
    CHECK(printed(module) == "sage::libtorch::CamAlignmentLoss(map_scale=0.5, guard=1e-06)");
  }
}
