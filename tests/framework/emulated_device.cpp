#include "framework/torch.hpp"

#include "framework/far_away.hpp"
#include "framework/gradients.hpp"

#define SAGE_NO_SIMD  // for the compiler's time
#include <sage/augment/constant.hpp>
#include <sage/exec/emulated.hpp>
#include <sage/framework/libtorch/accelerator.hpp>

// How tensors of a device reach its executor, and come back: the CPU's memory stands for the device's, and the launches of
// exec/cuda.cuh are emulated in it. What comes back must be what the CPU gives. A program of its own, because the functions
// of sage::libtorch work other tensors in it than elsewhere.

namespace {

bool emulating = false;

struct emulated_accelerator {
  static constexpr auto space = sage::memory_space::host;
  static bool takes(c10::Device) noexcept { return emulating; }

  /// Two types, for the compiler's time.
  template <class F>
  static auto visit(at::Tensor const& t, char const*, char const*, F const& f) {
    if (t.scalar_type() == at::kHalf) return f(std::type_identity<c10::Half>{});
    REQUIRE(t.scalar_type() == at::kFloat);
    return f(std::type_identity<float>{});
  }

  static sage::index_t workspace_bytes(sage::index_t) { return 0; }
  emulated_accelerator(c10::Device, sage::index_t) {}
  sage::exec::emulated_device<> executor() const { return {}; }
};

}  // namespace

template <>
struct sage::libtorch::detail::accelerator_of_source<void> {
  using type = emulated_accelerator;
};

#include <sage/framework/libtorch/binary_cross_entropy_loss.hpp>
#include <sage/framework/libtorch/cross_entropy_loss.hpp>
#include <sage/framework/libtorch/nt_xent_loss.hpp>
#include <sage/framework/libtorch/sage_loss.hpp>
#include <sage/framework/libtorch/saliency.hpp>
#include <sage/framework/libtorch/triplet_margin_loss.hpp>

namespace {

using namespace gradients;
namespace st = sage::libtorch;

template <class F>
auto on_device(F const& f) {
  emulating = true;
  struct end {
    ~end() { emulating = false; }
  } const at_end;
  return f();
}

// A few dozen terms in another order. A half is rounded where the CPU's path rounds it, or to a neighbour.
double tolerance(at::ScalarType type) { return type == at::kHalf ? 1e-3 : 1e-6; }

/// Value and gradients of f(inputs) by the device against the CPU's.
template <class F>
void compare(F const& f, tensors const& inputs) {
  tensors x;
  for (auto const& t : inputs) x.push_back(t.detach().requires_grad_());
  auto const l = on_device([&] { return f(x); }), expected = f(x);
  double const limit = tolerance(expected.scalar_type());
  REQUIRE(l.sizes() == expected.sizes());
  CHECK(l.scalar_type() == expected.scalar_type());
  CHECK_FALSE(l.is_view());
  CHECK(relative_error(l, expected) < limit);
  auto const upstream = at::rand_like(expected) + 0.5;
  auto const g = torch::autograd::grad({l}, x, {upstream}),
             e = torch::autograd::grad({expected}, x, {upstream});
  for (std::size_t k = 0; k < x.size(); ++k) {
    CAPTURE(k);
    CHECK(g[k].scalar_type() == x[k].scalar_type());
    CHECK(relative_error(g[k], e[k]) < limit);
  }
}

at::Tensor some_weights() { return at::tensor({1.0, 0.0, 0.5, 2.0, 1.0, 0.25}, at::kDouble); }

}  // namespace

TEST_CASE("inputs of halves and of floats are worked in float on a device, as on the CPU") {
  at::manual_seed(2);
  auto const rows = [](at::ScalarType type) { return at::randn({6, 9}).to(type); };
  compare([](tensors const& t) { return st::triplet_margin_loss(t[0], t[1], t[2], {.margin = 2}); },
          {rows(at::kHalf), rows(at::kFloat), rows(at::kBFloat16)});
}

TEST_CASE("triplets on a device give the CPU's value and gradients, in every type and at any strides") {
  at::manual_seed(1);
  auto const type = GENERATE(at::kFloat, at::kHalf);
  auto const how = GENERATE(sage::reduction::mean, sage::reduction::sum, sage::reduction::mean_active);
  bool const weighted = GENERATE(false, true);
  CAPTURE(type, static_cast<int>(how), weighted);
  auto const weights = weighted ? some_weights() : at::Tensor();
  sage::triplet_margin_loss<> const options{
      .margin = 2, .swap = how == sage::reduction::sum, .reduction = how};
  auto const f = [&](tensors const& t) {
    return st::triplet_margin_loss(t[0], t[1], t[2], options, weights);
  };
  compare(f, {normal({6, 33}, type), normal({6, 33}, type), normal({6, 33}, type)});
  compare(f, {normal({33, 6}, type).t(), normal({6, 66}, type).slice(-1, 1, at::nullopt, 2),
              normal({2, 3, 33}, type).reshape({6, 33})});
  compare(
      [&](tensors const& t) {
        return st::triplet_margin_loss_per_sample(t[0], t[1], t[2], options, weights);
      },
      {normal({6, 33}, type), normal({6, 33}, type), normal({6, 33}, type)});
}

TEST_CASE("labels of any integer type reach a device, with weights of the samples, and an ignored index") {
  at::manual_seed(2);
  auto const type = GENERATE(at::kLong, at::kInt, at::kByte);
  auto const labels = at::tensor({0, 2, 1, 3, 1, 0}, type);
  sage::cross_entropy_loss const options{.label_smoothing = 0.1, .ignore_index = 3};
  auto const weights = some_weights();
  compare([&](tensors const& t) { return st::cross_entropy_loss(t[0], labels, options, weights); },
          {normal({6, 4}, at::kFloat)});
  compare([&](tensors const& t) { return st::cross_entropy_loss_per_sample(t[0], labels, options, weights); },
          {normal({6, 4}, at::kFloat)});
}

TEST_CASE("targets and weights of elements reach a device beside the logits") {
  at::manual_seed(3);
  auto const targets = at::rand({6, 5}), element_weights = at::rand({6, 1});
  compare(
      [&](tensors const& t) {
        return st::binary_cross_entropy_loss(t[0], t[1], {}, some_weights(), element_weights);
      },
      {normal({6, 5}, at::kFloat), targets});
}

TEST_CASE("the complete loss on a device has the CPU's total, gradients, terms and counts") {
  at::manual_seed(4);
  auto const rows = [](sage::index_t length) { return normal({6, length}, at::kFloat); };
  tensors const x{rows(4), rows(4), rows(4), rows(9), rows(9), rows(9)};
  auto const labels = at::tensor({0, 2, 1, 3, 1, 0}, at::kLong);
  sage::sage_loss<sage::euclidean, sage::jensen_shannon, sage::repel<>> const options{
      .label_smoothing = 0.1,
      .ignore_index = 3,
      .positive_classification_weight = 0.5,
      .triplet_weight = 2,
      .consistency_weight = 3,
      .degradation_weight = 4,
      .degradation = {.margin = 0.5}};
  auto const weights = GENERATE(at::Tensor(), some_weights());
  auto const terms = [&](tensors const& t) {
    return st::sage_loss(t[0], t[1], t[2], t[3], t[4], t[5], labels, options, weights);
  };
  compare([&](tensors const& t) { return terms(t).total; }, x);
  compare(
      [&](tensors const& t) {
        return st::sage_loss_per_sample(t[0], t[1], t[2], t[3], t[4], t[5], labels, options, weights);
      },
      x);
  auto const r = on_device([&] { return terms(x); }), expected = terms(x);
  for (auto const term :
       {&st::sage_terms::classification, &st::sage_terms::positive_classification, &st::sage_terms::triplet,
        &st::sage_terms::consistency, &st::sage_terms::degradation}) {
    CHECK_FALSE((r.*term).requires_grad());
    CHECK(relative_error(r.*term, expected.*term) < 1e-6);
  }
  CHECK(at::equal(r.active, expected.active));
  CHECK(r.active.item<std::int64_t>() > 0);
  CHECK(at::equal(r.non_finite, expected.non_finite));
}

TEST_CASE("a term of weight zero is not evaluated on a device, and reported as 0") {
  auto const z = normal({3, 4}, at::kFloat), e = at::full({3, 5}, std::numeric_limits<float>::quiet_NaN());
  auto const r = on_device([&] {
    return st::sage_loss(z, z, z, e, e, e, at::tensor({0, 1, 2}, at::kLong),
                         sage::sage_loss<>{.triplet_weight = 0});
  });
  CHECK(r.triplet.item<double>() == 0);
  CHECK(r.active.item<std::int64_t>() == 0);
  CHECK(r.non_finite.item<std::int64_t>() == 0);
  CHECK(std::isfinite(r.total.item<double>()));
}

TEST_CASE("a device computes no gradient where grad mode is off or nothing requires it") {
  auto const x = leaves({normal({4, 8}, at::kFloat), normal({4, 8}, at::kFloat), normal({4, 8}, at::kFloat)});
  auto const value = [&] { return st::triplet_margin_loss(x[0], x[1], x[2], {.margin = 3}); };
  auto const with_graph = on_device(value);
  at::NoGradGuard const no_graph;
  auto const without = on_device(value);
  CHECK(with_graph.requires_grad());
  CHECK_FALSE(without.requires_grad());
  CHECK(at::equal(with_graph, without));
}

TEST_CASE("a batch of no samples has the mean NaN on a device, too") {
  auto const x = leaves({normal({0, 8}, at::kFloat), normal({0, 8}, at::kFloat), normal({0, 8}, at::kFloat)});
  auto const value = on_device([&] { return st::triplet_margin_loss(x[0], x[1], x[2]); });
  CHECK(std::isnan(value.item<double>()));
  CHECK(torch::autograd::grad({value}, x)[0].sizes() == at::IntArrayRef({0, 8}));
}

TEST_CASE(
    "in a region of automatic mixed precision losses of halves are losses of floats, on a device and the "
    "CPU") {
  auto const x =
      leaves({normal({4, 8}, at::kHalf), normal({4, 8}, at::kFloat), normal({4, 8}, at::kBFloat16)});
  auto const value = [&] { return st::triplet_margin_loss(x[0], x[1], x[2], {.margin = 3}); };
  auto const mixed = [&] {
    c10::impl::tls_set_dispatch_key_excluded(c10::DispatchKey::AutocastCPU, false);
    auto const v = value();
    c10::impl::tls_set_dispatch_key_excluded(c10::DispatchKey::AutocastCPU, true);
    return v;
  };
  auto const floats = leaves({x[0].detach().to(at::kFloat), x[1].detach(), x[2].detach().to(at::kFloat)});
  auto const expected = st::triplet_margin_loss(floats[0], floats[1], floats[2], {.margin = 3});
  auto const e = torch::autograd::grad({expected}, floats, {at::full({}, 65536.0f)});
  for (auto const& v : {mixed(), on_device(mixed)}) {
    CHECK(v.scalar_type() == at::kFloat);
    CHECK(relative_error(v, expected) < 1e-6);
    auto const g = torch::autograd::grad({v}, x, {at::full({}, 65536.0f)});
    CHECK(g[0].scalar_type() == at::kHalf);
    CHECK(relative_error(g[0], e[0]) < 1e-3);
    CHECK(relative_error(g[2], e[2]) < 8e-3);
  }
}

TEST_CASE("pairs of images and their maps are made on a device as on the CPU, in their memory format") {
  at::manual_seed(7);
  auto const images = at::rand({2, 3, 12, 9}), maps = at::rand({2, 6, 5});
  auto const prepared = st::prepare_saliency(maps, 12, 9),
             on = on_device([&] { return st::prepare_saliency(maps, 12, 9); });
  CHECK(relative_error(on.maps, prepared.maps) < 1e-6);
  CHECK(at::equal(on.weights, prepared.weights));
  sage::saliency_pair<sage::constant> const pair{.degradation = {.value = 0.5}};
  for (auto const type : {at::kFloat, at::kHalf}) {
    auto const x = images.to(type).contiguous(at::MemoryFormat::ChannelsLast), s = prepared.maps.to(type);
    auto const expected = st::saliency_pair(x, s, pair);
    auto const computed = on_device([&] { return st::saliency_pair(x, s, pair); });
    CHECK(computed.plus.scalar_type() == type);
    CHECK(computed.plus.strides() == x.strides());
    CHECK(relative_error(computed.plus, expected.plus) < tolerance(type));
    CHECK(relative_error(computed.minus, expected.minus) < tolerance(type));
  }
}

TEST_CASE("a loss of whole batches says of tensors of a device that it runs on the CPU only") {
  auto const x = normal({3, 4}, at::kFloat);
  CHECK_THROWS_WITH(
      on_device([&] {
        return st::nt_xent_loss(x, at::tensor({0, 1, 0}, at::kLong));
      }),
      "nt_xent_loss: embeddings lives on cpu; this loss runs on the CPU only for now: pass tensors.cpu()");
}

TEST_CASE("tensors of other devices are refused in one sentence, before anything is computed") {
  auto const x = normal({2, 3}, at::kFloat), far = far_away({2, 3});
  auto const meta = at::empty({2, 3}, at::TensorOptions(at::kMeta));
  REQUIRE(far.device().str() == "cuda:0");
  CHECK_THROWS_WITH(st::triplet_margin_loss(x, far, x),
                    "triplet_margin_loss: positive lives on cuda:0, anchor on cpu, expected one device");
  CHECK_THROWS_WITH(
      st::triplet_margin_loss(far, x, far),
      "triplet_margin_loss: anchor lives on cuda:0, but the source that calls was compiled for CPU "
      "tensors alone: compile it with nvcc against a LibTorch built for CUDA, or pass tensors.cpu()");
  CHECK_THROWS_WITH(st::triplet_margin_loss(x, x, x, {}, far),
                    "triplet_margin_loss: weights lives on cuda:0, anchor on cpu, expected one device");
  CHECK_THROWS_WITH(st::cross_entropy_loss(x, far),
                    "cross_entropy_loss: probabilities lives on cuda:0, logits on cpu, expected one device");
  CHECK_THROWS_WITH(st::triplet_margin_loss(meta, meta, meta),
                    "triplet_margin_loss: anchor lives on meta, expected a CPU or CUDA tensor");
}

TEST_CASE("a view of a CUDA tensor has the memory space of the device, and is given for one only") {
  auto const far = far_away({2, 3});
  auto const v = st::device_view<float const, 2>(far);
  static_assert(decltype(v)::space == sage::memory_space::cuda);
  CHECK(v.extent(0) == 2);
  CHECK(v.stride(0) == 3);
  CHECK_THROWS_WITH(st::view<float const>(far),
                    "sage::libtorch::view: the tensor lives on cuda:0, expected a CPU tensor");
  CHECK_THROWS_WITH(st::device_view<float const>(at::ones({2, 3}), "logits"),
                    "sage::libtorch::device_view: logits lives on cpu, expected a CUDA tensor");
  CHECK_THROWS_AS((st::device_view<float const, 3>(far)), sage::shape_error);
  CHECK_THROWS_AS((st::device_view<double const, 2>(far)), sage::argument_error);
}
