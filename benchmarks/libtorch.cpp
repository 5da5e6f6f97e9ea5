#include "provider.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/jit.h>
#include <torch/version.h>

#include <cmath>
#include <cstdio>

/// LibTorch: the same losses of its own functions, eager and as TorchScript. The gradient is torch::autograd::grad,
/// which accumulates nothing. In mode backward the forward pass is not timed, and its graph is kept.
///
/// Narrow types are widened first, as automatic mixed precision does for losses; and, where LibTorch has the functions on
/// the CPU, computed as they are.
namespace bench {

namespace {

using list_of_tensors = std::vector<at::Tensor>;

at::Tensor divergence(at::Tensor const& z, at::Tensor const& other) {
  auto const log_p = at::log_softmax(z / temperature, -1), log_q = at::log_softmax(other / temperature, -1);
  auto const p = log_p.exp(), q = log_q.exp(), log_m = (0.5 * (p + q)).log();
  return 0.5 * ((p * (log_p - log_m)).sum(-1) + (q * (log_q - log_m)).sum(-1)).mean();
}

at::Tensor unit(at::Tensor const& e) { return e / e.norm(2, {-1}, true).clamp_min(1e-12); }

/// The planes as a batch of one channel and two convolutions: faster in LibTorch than groups.
at::Tensor blurred(at::Tensor const& x, at::Tensor const& weight) {
  auto const radius = weight.numel() / 2;
  auto const planes = at::reflection_pad2d(x.flatten(0, 1).unsqueeze(1), {radius, radius, radius, radius});
  return at::conv2d(at::conv2d(planes, weight.view({1, 1, -1, 1})), weight.view({1, 1, 1, -1}))
      .view(x.sizes());
}

list_of_tensors eager(loss which, list_of_tensors const& x, at::Tensor const& extra) {
  switch (which) {
    case loss::triplet:
      return {at::triplet_margin_loss(x[0], x[1], x[2], margin, 2, epsilon)};
    case loss::consistency:
      return {divergence(x[0], x[1])};
    case loss::cross_entropy:
      return {at::cross_entropy_loss(x[0], extra)};
    case loss::sage: {
      auto const a = unit(x[3]), p = unit(x[4]), n = unit(x[5]);
      auto const triplet = (margin + (a - p).norm(2, {-1}) - (a - n).norm(2, {-1})).clamp_min(0).mean();
      return {at::cross_entropy_loss(x[0], extra) + at::cross_entropy_loss(x[1], extra) + triplet +
              divergence(x[0], x[1])};
    }
    case loss::blur_pair: {
      auto const a = blurred(x[0], extra), d = x[1] * (x[0] - a);
      return {a + d, x[0] - d};
    }
  }
  return {};
}

/// The same in TorchScript, so that its compiler may fuse what it can.
char const* const script = R"(
def divergence(z, other):
    log_p = torch.log_softmax(z / 2.0, -1)
    log_q = torch.log_softmax(other / 2.0, -1)
    p = log_p.exp()
    q = log_q.exp()
    log_m = (0.5 * (p + q)).log()
    return 0.5 * ((p * (log_p - log_m)).sum(-1) + (q * (log_q - log_m)).sum(-1)).mean()

def unit(e):
    return e / e.norm(2, [-1], True).clamp_min(1e-12)

def hinge(a, p, n):
    return (0.5 + (a - p).norm(2, [-1]) - (a - n).norm(2, [-1])).clamp_min(0.0).mean()

def triplet(a, p, n):
    return (0.5 + (a - p + 1e-6).norm(2, [-1]) - (a - n + 1e-6).norm(2, [-1])).clamp_min(0.0).mean()

def cross_entropy(z, y):
    return torch.cross_entropy_loss(z, y)

def sage(z, plus, e, e_plus, e_minus, y):
    terms = torch.cross_entropy_loss(z, y) + torch.cross_entropy_loss(plus, y)
    return terms + hinge(unit(e), unit(e_plus), unit(e_minus)) + divergence(z, plus)
)";
static_assert(margin == 0.5 && temperature == 2 && epsilon == 1e-6, "the script has the options as numbers");

list_of_tensors scripted(torch::jit::CompilationUnit& unit, loss which, list_of_tensors const& x,
                         at::Tensor const& extra) {
  auto const call = [&](char const* name, auto const&... arguments) -> list_of_tensors {
    return {unit.run_method(name, arguments...).toTensor()};
  };
  switch (which) {
    case loss::triplet:
      return call("triplet", x[0], x[1], x[2]);
    case loss::consistency:
      return call("divergence", x[0], x[1]);
    case loss::cross_entropy:
      return call("cross_entropy", x[0], extra);
    case loss::sage:
      return call("sage", x[0], x[1], x[3], x[4], x[5], extra);
    case loss::blur_pair:
      break;
  }
  return {};
}

template <class T>
constexpr at::ScalarType type_of() {
  return std::is_same_v<T, float>      ? at::kFloat
         : std::is_same_v<T, double>   ? at::kDouble
         : std::is_same_v<T, bfloat16> ? at::kBFloat16
                                       : at::kHalf;
}

struct state {
  std::vector<list_of_tensors> inputs, differentiated;
  bool widens = false;  // inputs to float, images that are results back
  at::Tensor extra;     // labels, or the weights of the blur
  std::shared_ptr<torch::jit::CompilationUnit> unit;
  list_of_tensors results, gradients;
  std::vector<at::Tensor> graphs;  // of each set, in mode backward
  workload what;

  list_of_tensors forward(std::size_t s) const {
    if (widens) return of_floats(s);
    return unit ? scripted(*unit, what.loss, inputs[s], extra) : eager(what.loss, inputs[s], extra);
  }
  list_of_tensors of_floats(std::size_t s) const {
    list_of_tensors x;
    for (auto const& t : inputs[s]) x.push_back(t.to(at::kFloat));
    auto r = eager(what.loss, x, extra);
    if (what.mode == mode::pair)
      for (auto& t : r) t = t.to(inputs[s][0].scalar_type());
    return r;
  }
};

template <class T>
std::shared_ptr<state> state_of(batch<T>& b, bool widens = is_narrow<T>) {
  constexpr auto type = type_of<T>();
  workload const& w = b.what;
  auto const made = std::make_shared<state>();
  made->what = w;
  made->widens = widens;
  for (auto const& set : b.sets) {
    made->inputs.emplace_back();
    made->differentiated.emplace_back();
    for (auto const& x : set.inputs) {
      auto t = at::from_blob(const_cast<T*>(x.data), {x.rows, x.columns}, type);
      if (w.loss == loss::blur_pair) t = t.view({w.rows, -1, w.length, w.classes});
      bool const is_used = !(w.loss == loss::sage && made->inputs.back().size() == 2);
      if ((w.mode == mode::value_and_grad || w.mode == mode::backward) && is_used)
        made->differentiated.back().push_back(t.set_requires_grad(true));
      made->inputs.back().push_back(t);
    }
  }
  if (w.loss == loss::blur_pair) {
    auto const radius = std::int64_t(4 * w.sigma + 0.5);
    auto const k = at::arange(-radius, radius + 1, at::kDouble);
    auto const weight = (-(k * k) / (2 * w.sigma * w.sigma)).exp();
    made->extra = (weight / weight.sum()).to(widens ? at::kFloat : type);
  } else {
    made->extra = at::from_blob(b.labels.data(), {std::int64_t(b.labels.size())}, at::kLong);
  }
  return made;
}

template <class T>
provider provider_of(std::string name, batch<T>& b, std::shared_ptr<state> const& made, int threads) {
  provider p{.name = std::move(name), .run = nullptr};
  workload const& w = b.what;
  if (w.mode == mode::value || w.mode == mode::pair) {
    p.run = [made](std::size_t s) {
      at::NoGradGuard const no_graph;
      made->results = made->forward(s);
    };
  } else if (w.mode == mode::value_and_grad) {
    p.run = [made](std::size_t s) {
      made->results = made->forward(s);
      made->gradients = torch::autograd::grad(made->results, made->differentiated[s]);
    };
  } else {
    made->graphs.resize(b.sets.size());
    p.run = [made](std::size_t s) {
      if (!made->graphs[s].defined()) made->graphs[s] = made->forward(s)[0];  // in the warm-up
      made->gradients = torch::autograd::grad({made->graphs[s]}, made->differentiated[s], {}, true);
    };
  }
  if (w.mode == mode::value || w.mode == mode::value_and_grad)
    p.value = [made] { return made->results[0].template item<double>(); };
  p.store = [made, &b](std::size_t s) {
    auto const& results = b.what.mode == mode::pair ? made->results : made->gradients;
    for (std::size_t k = 0; k < results.size(); ++k) {
      auto const& to = b.sets[s].outputs[k];
      at::from_blob(to.data, results[k].sizes(), results[k].scalar_type()).copy_(results[k]);
    }
  };
  p.before = [threads] { at::set_num_threads(threads); };
  p.threads = threads;
  return p;
}

/// Without widening: the losses whose formulas keep their digits so. log p − log m, of the others, has none left in bfloat16.
template <class T>
void add_unwidened(providers& list, batch<T>& b) {
  workload const& w = b.what;
  if (w.loss != loss::triplet && w.loss != loss::cross_entropy) return;
  auto p = provider_of("LibTorch eager unwidened", b, state_of(b, false), 1);
  try {
    p.run(0);
    list.push_back(std::move(p));
  } catch (c10::Error const& e) {
    std::string const why = e.what_without_backtrace();
    std::fprintf(stderr, "LibTorch %s: %s only widened: %s\n", TORCH_VERSION, name_of(w).c_str(),
                 why.substr(0, why.find('\n')).c_str());
  }
}

}  // namespace

std::string libtorch_version() { return TORCH_VERSION; }

template <class T>
void add_libtorch(providers& list, batch<T>& b, int threads) {
  workload const& w = b.what;
  bool const is_growth = !w.family.empty();
  list.push_back(provider_of("LibTorch eager", b, state_of(b), 1));
  if (threads > 1 && (!is_growth || w.family == "threads"))
    list.push_back(
        provider_of("LibTorch eager " + std::to_string(threads) + " threads", b, state_of(b), threads));
  if constexpr (is_narrow<T>) return add_unwidened(list, b);
  if (w.loss == loss::blur_pair || is_growth) return;
  auto made = state_of(b);
  made->unit = torch::jit::compile(script);
  list.push_back(provider_of("LibTorch scripted", b, made, 1));
}

#define INSTANTIATE(T) template void add_libtorch(providers&, batch<T>&, int);
INSTANTIATE(float)
INSTANTIATE(double)
SAGE_BENCH_NARROW_TYPES(INSTANTIATE)
#undef INSTANTIATE

}  // namespace bench
