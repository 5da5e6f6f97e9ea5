#include "trainer.hpp"

#include "input_error.hpp"
#include "losses.hpp"
#include "metrics.hpp"
#include "network.hpp"
#include "objective.hpp"
#include "random.hpp"

#include <torch/cuda.h>
#include <torch/optim/adamw.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include <ATen/Parallel.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>
#include <sstream>
#include <thread>

namespace sage_train {

namespace {

using clock = std::chrono::steady_clock;

double seconds_since(clock::time_point start) {
  return std::chrono::duration<double>(clock::now() - start).count();
}

/// A module or optimiser as bytes, and back.
template <class T>
std::string bytes_of(const T& what) {
  torch::serialize::OutputArchive archive;
  what.save(archive);
  std::ostringstream out;
  archive.save_to(out);
  return std::move(out).str();
}

template <class T>
void read_bytes(T& what, std::string const& bytes, torch::Device device) {
  std::istringstream in(bytes);
  torch::serialize::InputArchive archive;
  archive.load_from(in, device);
  what.load(archive);
}

/// A network with its optimiser.
class learner {
 public:
  learner(dataset const& data, options const& with, std::uint64_t seed)
      : data_(data),
        with_(with),
        net_(make_network(data, with, seed)),
        optimiser_(net_->parameters(),
                   torch::optim::AdamWOptions(with.learning_rate).weight_decay(with.weight_decay)) {}

  std::string network_bytes() const { return bytes_of(*net_); }
  std::string optimiser_bytes() const { return bytes_of(optimiser_); }
  void restore(std::string const& network) { read_bytes(*net_, network, device_of(with_)); }
  void restore(std::string const& network, std::string const& optimiser) {
    restore(network);
    read_bytes(optimiser_, optimiser, device_of(with_));
  }

  /// One step at `progress` in [0, 1) of the training. The learning rate rises over the first twentieth and
  /// then falls as half a cosine.
  loss_terms step(method const& how, batch b, double progress) {
    double const rate = progress < 0.05 ? (progress + 1e-3) / 0.051
                                        : 0.5 + 0.5 * std::cos(std::numbers::pi * (progress - 0.05) / 0.95);
    for (auto& group : optimiser_.param_groups()) group.options().set_lr(with_.learning_rate * rate);
    net_->train();
    loss_terms terms;
    const tensor_batch tensors(b, data_.height, data_.width);
    optimiser_.zero_grad();
    objective(net_, how, tensors, with_, terms).backward();
    optimiser_.step();
    return terms;
  }

  /// Visits (output, tensors) of the samples in batches on the device, without gradients.
  template <class Visit>
  void evaluate(std::span<const std::size_t> chosen, Visit visit) {
    const torch::NoGradGuard no_grad;
    net_->eval();
    constexpr std::size_t size = 64;
    for (std::size_t first = 0; first < chosen.size(); first += size) {
      batch b = assemble(data_, chosen.subspan(first, std::min(size, chosen.size() - first)));
      const tensor_batch tensors = tensor_batch(b, data_.height, data_.width).on(device_of(with_));
      visit(net_->forward(tensors.images), tensors);
    }
  }

  predictions predict(std::span<const std::size_t> chosen) {
    predictions p{data_.classes.size(), {}, {}};
    evaluate(chosen, [&](view_output const& out, tensor_batch const& b) {
      const torch::Tensor logits = out.logits.cpu().contiguous(), labels = b.labels.cpu();
      p.logits.insert(p.logits.end(), logits.data_ptr<float>(), logits.data_ptr<float>() + logits.numel());
      p.labels.insert(p.labels.end(), labels.data_ptr<std::int64_t>(),
                      labels.data_ptr<std::int64_t>() + labels.numel());
    });
    return p;
  }

  /// Activation maps of the true class (of the likeliest where the class is unknown), each in [0, 1].
  torch::Tensor activation_maps(view_output const& out, torch::Tensor const& labels) {
    const torch::Tensor classes = torch::where(labels < 0, out.logits.argmax(1), labels);
    return min_max_normalised(net_->activation_map(out, classes));
  }

 private:
  static network make_network(dataset const& data, options const& with, std::uint64_t seed) {
    torch::manual_seed(seed);
    network net(static_cast<std::int64_t>(with.channels), static_cast<std::int64_t>(data.classes.size()));
    net->to(device_of(with));
    return net;
  }

  dataset const& data_;
  options const& with_;
  network net_;
  torch::optim::AdamW optimiser_;
};

/// The share of an activation map that lies in the salient region: the mean over the known test images with a
/// map.
double cam_inside(learner& learned, dataset const& data, std::span<const std::size_t> test) {
  std::vector<std::size_t> chosen;
  for (const std::size_t i : test)
    if (data.samples[i].label >= 0 && data.samples[i].weight > 0) chosen.push_back(i);
  double sum = 0;
  learned.evaluate(chosen, [&](view_output const& out, tensor_batch const& b) {
    const torch::Tensor cam = torch::upsample_bilinear2d(learned.activation_maps(out, b.labels).unsqueeze(1),
                                                         {b.maps.size(2), b.maps.size(3)}, false);
    const torch::Tensor inside =
        (cam * (b.maps > sample::salient)).sum({1, 2, 3}) / cam.sum({1, 2, 3}).clamp_min(1e-9);
    sum += inside.sum().item<double>();
  });
  return sum / static_cast<double>(chosen.size());
}

void keep_panel(learner& learned, std::span<const std::size_t> panel, run_record& record) {
  learned.evaluate(panel, [&](view_output const& out, tensor_batch const& b) {
    const torch::Tensor cam = learned.activation_maps(out, b.labels).cpu().contiguous();
    record.cam_height = static_cast<std::size_t>(cam.size(1));
    record.cam_width = static_cast<std::size_t>(cam.size(2));
    record.cams.insert(record.cams.end(), cam.data_ptr<float>(), cam.data_ptr<float>() + cam.numel());
  });
}

/// The samples of one step: the epoch's order cut into equal parts, so that no batch is a small rest.
std::span<const std::size_t> part_of(std::vector<std::size_t> const& order, std::size_t step,
                                     std::size_t steps) {
  const std::size_t first = step * order.size() / steps, last = (step + 1) * order.size() / steps;
  return std::span(order).subspan(first, last - first);
}

std::vector<std::size_t> epoch_order(std::vector<std::size_t> const& members, std::uint64_t seed,
                                     std::size_t epoch) {
  std::vector<std::size_t> order = random_stream{seed, 0x0e, epoch}.permutation(members.size());
  for (std::size_t& i : order) i = members[i];
  return order;
}

/// How a training, or an epoch of it, ended. It diverges when a loss is infinite or NaN, from which no step comes back.
enum class ending { finished, stopped, diverged };

/// One training on its way from a state to the end.
class training {
 public:
  training(method const& how, dataset const& data, options const& with, training_state state,
           training_events const& events)
      : how_(how),
        data_(data),
        events_(events),
        state_(std::move(state)),
        learned_(data, with, state_.record.seed),
        members_(data.part(split::train)),
        batches_{data, map_sources(data, members_, how.maps, state_.record.seed), how.maps, with.flips,
                 state_.record.seed},
        steps_(steps_per_epoch(data, with)) {
    if (!state_.model.empty()) learned_.restore(state_.model, state_.optimiser);
    state_.term_sums.resize(loss_terms::names.size());
  }

  /// Trains the epochs that are left.
  ending finish() {
    clock::time_point kept = clock::now();
    while (state_.epoch < state_.record.epochs) {
      ending const of_epoch = finish_epoch();
      if (of_epoch == ending::stopped) keep();
      if (of_epoch != ending::finished) return of_epoch;
      ++state_.epoch;
      state_.step = 0;
      if (seconds_since(kept) > 5) {
        keep();
        kept = clock::now();
      }
    }
    return ending::finished;
  }

  /// The record, completed by a test of the best network.
  run_record tested(std::span<std::size_t const> panel) {
    run_record& record = state_.record;
    learned_.restore(state_.best_model);
    auto const test = data_.part(split::test);
    predictions const p = learned_.predict(test);
    record.accuracy = accuracy(p);
    record.auroc = data_.normal ? class_auroc(p, *data_.normal) : mean_class_auroc(p);
    record.known_auroc = known_auroc(p);
    record.cam_inside = cam_inside(learned_, data_, test);
    record.active = record.curve.back().terms.back();
    keep_panel(learned_, panel, record);
    return record;
  }

  /// The record of a training that has no results.
  run_record diverged() const {
    run_record record = state_.record;
    for (double* v :
         {&record.accuracy, &record.auroc, &record.known_auroc, &record.cam_inside, &record.active})
      *v = std::numeric_limits<double>::quiet_NaN();
    return record;
  }

 private:
  ending finish_epoch() {
    run_record& record = state_.record;
    auto const order = epoch_order(members_, record.seed, state_.epoch);
    while (state_.step < steps_) {
      clock::time_point const start = clock::now();
      double const progress = static_cast<double>(state_.epoch * steps_ + state_.step) /
                              static_cast<double>(record.epochs * steps_);
      auto const chosen = part_of(order, state_.step, steps_);
      loss_terms const terms = learned_.step(how_, batches_.assemble(chosen, state_.epoch), progress);
      for (std::size_t k = 0; k < terms.values.size(); ++k) state_.term_sums[k] += terms.values[k];
      record.train_seconds += seconds_since(start);
      ++record.steps;
      ++state_.step;
      if (!std::isfinite(terms.values.front())) return ending::diverged;
      if (events_.stepped(state_.epoch, state_.step, chosen.size())) return ending::stopped;
    }
    return validate() ? ending::finished : ending::diverged;
  }

  /// Ends an epoch: its place in the curve, and the network if it is the best so far. False if it diverged.
  bool validate() {
    predictions const p = learned_.predict(data_.part(split::val));
    epoch_record e{std::move(state_.term_sums), cross_entropy(p), accuracy(p)};
    if (!std::isfinite(e.val_loss)) return false;
    for (double& sum : e.terms) sum /= static_cast<double>(steps_);
    state_.term_sums.assign(loss_terms::names.size(), 0.0);
    if (state_.best_model.empty() || e.val_loss <= state_.best_val_loss) {
      state_.best_val_loss = e.val_loss;
      state_.best_model = learned_.network_bytes();
      state_.record.best_epoch = state_.epoch + 1;
    }
    state_.record.curve.push_back(std::move(e));
    return true;
  }

  void keep() {
    state_.model = learned_.network_bytes();
    state_.optimiser = learned_.optimiser_bytes();
    events_.keep(state_);
  }

  method const& how_;
  dataset const& data_;
  training_events const& events_;
  training_state state_;
  learner learned_;
  std::vector<std::size_t> members_;
  training_batches batches_;
  std::size_t steps_;
};

}  // namespace

void require_device(options const& with) {
  if (with.device == device::cpu) return;
  if (!built_with_cuda)
    throw input_error("--device cuda: this program was built without nvcc or without a LibTorch for CUDA");
  if (!torch::cuda::is_available()) throw input_error("--device cuda: LibTorch finds no CUDA device here");
}

int use_threads(int threads) {
  if (threads == 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  at::set_num_threads(threads);
  return threads;
}

std::size_t steps_per_epoch(dataset const& data, options const& with) {
  return (data.part(split::train).size() + with.batch_size - 1) / with.batch_size;
}

double measure_step(method const& how, dataset const& data, options const& with) {
  constexpr std::size_t warm_up = 2, measured = 6;
  learner learned(data, with, 0);
  auto const members = data.part(split::train);
  const training_batches batches{data, map_sources(data, members, how.maps, 0), how.maps, with.flips, 0};
  const std::size_t steps = steps_per_epoch(data, with);
  clock::time_point start;
  for (std::size_t i = 0; i < warm_up + measured; ++i) {
    if (i == warm_up) start = clock::now();
    learned.step(how, batches.assemble(part_of(members, i % steps, steps), 0), 0);
  }
  return seconds_since(start) / measured;
}

std::optional<run_record> train(method const& how, dataset const& data, options const& with,
                                training_state state, std::span<std::size_t const> panel,
                                training_events const& events) {
  training run(how, data, with, std::move(state), events);
  ending const how_it_ended = run.finish();
  if (how_it_ended == ending::stopped) return std::nullopt;
  return how_it_ended == ending::diverged ? run.diverged() : run.tested(panel);
}

std::vector<picture_pair> make_view_pictures(dataset const& data, std::span<const std::size_t> chosen,
                                             options const& with) {
  batch b = assemble(data, chosen);
  const tensor_batch tensors(b, data.height, data.width);
  const view_pair views = losses_on_cpu().views(tensors.images, tensors.maps, with);
  auto const as_picture = [&](torch::Tensor const& image) {
    picture p(3, data.height, data.width);
    const torch::Tensor bytes = (image * 255).round().clamp(0, 255).to(torch::kByte).contiguous();
    std::copy_n(bytes.data_ptr<std::uint8_t>(), p.values.size(), p.values.begin());
    return p;
  };
  std::vector<picture_pair> pairs;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(chosen.size()); ++i)
    pairs.push_back({as_picture(views.plus[i]), as_picture(views.minus[i])});
  return pairs;
}

}  // namespace sage_train
