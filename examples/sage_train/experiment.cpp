#include "experiment.hpp"

#include "files.hpp"
#include "generated.hpp"
#include "input_error.hpp"
#include "interrupt.hpp"
#include "progress.hpp"
#include "report.hpp"
#include "shortcut.hpp"
#include "trainer.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <sstream>

namespace sage_train {

namespace {

/// Where the images of every seed come from.
class data_source {
 public:
  explicit data_source(options const& with) : with_(with) {
    if (with.data.empty()) return;
    files_ = load_dataset(read_manifest(with.data), with.hold_out, with.height, with.width);
    set_normal(files_);
  }

  dataset of_seed(std::uint64_t seed) const {
    constexpr std::size_t side = 48;
    dataset data = files_;
    if (with_.data.empty()) {
      data = generate_dataset(with_.generate, with_.height ? with_.height : side,
                              with_.width ? with_.width : side, seed);
      set_normal(data);
    }
    if (with_.plants_shortcut()) plant_shortcut(data, seed);
    return data;
  }

 private:
  void set_normal(dataset& data) const {
    if (with_.normal.empty()) return;
    auto const found = std::find(data.classes.begin(), data.classes.end(), with_.normal);
    if (found == data.classes.end())
      throw input_error("--normal: there is no class '" + with_.normal + "' to learn");
    data.normal = static_cast<std::size_t>(found - data.classes.begin());
  }

  options const& with_;
  dataset files_;
};

/// One training that is asked for.
struct planned_run {
  method const* how;
  std::uint64_t seed;

  bool is(run_record const& r) const { return r.method == how->name && r.seed == seed; }
};

/// Seeds in the outer loop: what is finished at any time is paired.
std::vector<planned_run> plan_of(options const& with) {
  std::vector<planned_run> plan;
  for (std::size_t s = 0; s < with.seeds; ++s)
    for (std::string const& name : with.methods) plan.push_back({find_method(name), with.first_seed + s});
  return plan;
}

double passes_of(method const& how) {
  return how.supervision == supervision::contrast ? 3 : how.supervision == supervision::positive ? 2 : 1;
}

/// The first line in which two settings differ, as "epochs 20 there, epochs 30 here".
std::string difference(std::string const& there, std::string const& here) {
  std::istringstream a(there), b(here);
  std::string left, right;
  while (std::getline(a, left) && std::getline(b, right))
    if (left != right) return left + " there, " + right + " here";
  return "the list of settings";
}

/// The checkpoint to go on from: that in the folder, or an empty one.
checkpoint opening_state(std::filesystem::path const& file, std::string const& settings,
                         options const& with) {
  checkpoint fresh{.settings = settings, .epochs = {}, .complete = false, .finished = {}, .current = {}};
  bool const exists = std::filesystem::exists(file);
  if (with.resume) {
    if (!exists) throw input_error(file.string() + ": there is no checkpoint to resume from");
    checkpoint found = load_checkpoint(file);
    if (found.settings != settings)
      throw input_error(file.string() + ": this checkpoint belongs to other settings (" +
                        difference(found.settings, settings) + ")");
    return found;
  }
  if (exists && !with.restart && !load_checkpoint(file).complete)
    throw input_error(file.string() +
                      ": an unfinished training is kept here; --resume continues it, --restart discards it");
  return fresh;
}

/// The epochs of every method that has none yet: --epochs, or as many as sage's time allows.
void settle_epochs(checkpoint& state, dataset const& data, options const& with) {
  double sage_step = 0;
  for (std::string const& name : with.methods) {
    if (state.epochs.contains(name)) continue;
    method const& how = *find_method(name);
    if (with.budget == budget::epochs || how.supervision == supervision::contrast) {
      state.epochs[name] = with.epochs;
      continue;
    }
    if (sage_step == 0) sage_step = measure_step(*find_method("sage"), data, with);
    double const ratio = sage_step / measure_step(how, data, with);
    state.epochs[name] =
        static_cast<std::size_t>(std::max(1.0, std::round(static_cast<double>(with.epochs) * ratio)));
  }
}

void describe(dataset const& data, options const& with) {
  std::size_t const unknown = static_cast<std::size_t>(std::count_if(
      data.samples.begin(), data.samples.end(), [](auto const& s) { return s.label == sample::unknown; }));
  std::size_t const mapless = static_cast<std::size_t>(
      std::count_if(data.samples.begin(), data.samples.end(), [](auto const& s) { return s.weight == 0; }));
  std::string classes;
  for (std::string const& name : data.classes) classes += (classes.empty() ? "" : ", ") + name;
  std::printf(
      "%s: %zu training, %zu validation and %zu test images of %zux%zu (height x width); classes %s\n",
      with.data.empty() ? "generated images" : with.data.c_str(), data.part(split::train).size(),
      data.part(split::val).size(), data.part(split::test).size(), data.height, data.width, classes.c_str());
  if (unknown > 0) std::printf("%zu of the test images are of unknown classes\n", unknown);
  if (mapless > 0)
    std::printf("%zu images have no usable map: they take part with the cross entropy of the image alone\n",
                mapless);
  if (with.plants_shortcut())
    std::printf(
        "a grey square is planted into every image: its shade tells the class, but is random in the test\n");
  std::fflush(stdout);
}

std::string summary(run_record const& r) {
  char text[160];
  std::snprintf(text, sizeof text, "  accuracy %5.1f %%  AUROC %5.1f %%  best epoch %zu of %zu  %s",
                100 * r.accuracy, 100 * r.auroc, r.best_epoch, r.epochs,
                duration_text(r.train_seconds).c_str());
  return text;
}

void write_report(std::vector<run_record> const& runs, dataset const& first,
                  std::vector<std::size_t> const& panel, options const& with) {
  write_file(with.out / "results.csv", results_csv(runs));
  write_file(with.out / "curves.csv", curves_csv(runs));
  draw_panel(runs, first, panel, with, with.out / "panel.png");
  bool const drawn = draw_curves(runs, with.out / "curves.png");
  std::printf("%s\n", table_text(runs, first, with).c_str());
  std::printf("Written to %s: results.csv, curves.csv, panel.png%s\n", with.out.c_str(),
              drawn ? ", curves.png" : "");
  if (!drawn) std::printf("curves.png is missing: gnuplot is not installed (apt install gnuplot-nox)\n");
}

}  // namespace

int run_experiment(options const& with) {
  int const threads = use_threads(with.threads);
  data_source const source(with);
  dataset data = source.of_seed(with.first_seed);
  std::vector<std::size_t> const panel = panel_rows(data, with.panel_rows);
  auto const file = with.out / "checkpoint.bin";
  checkpoint state =
      opening_state(file, with.training_text() + "images " + std::to_string(fingerprint(data)) + "\n", with);
  prepare_folder(with.out);
  describe(data, with);
  note_interrupts();
  settle_epochs(state, data, with);
  state.complete = false;

  auto const plan = plan_of(with);
  std::size_t const steps = steps_per_epoch(data, with);
  auto const work_of = [&](method const& how) {
    return passes_of(how) * static_cast<double>(steps * state.epochs.at(std::string(how.name)));
  };
  double work = 0;
  for (planned_run const& p : plan) work += work_of(*p.how);
  std::printf("%zu trainings on %d %s\n", plan.size(), threads, threads == 1 ? "thread" : "threads");

  progress bar(work);
  std::uint64_t data_seed = with.first_seed;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    auto const& [how, seed] = plan[i];
    char title[64];
    std::snprintf(title, sizeof title, "%*zu/%zu %-13s seed %llu", plan.size() > 9 ? 2 : 1, i + 1,
                  plan.size(), how->name.data(), static_cast<unsigned long long>(seed));
    auto const finished = std::find_if(state.finished.begin(), state.finished.end(),
                                       [&](auto const& r) { return plan[i].is(r); });
    if (finished != state.finished.end()) {
      bar.skip(work_of(*how));
      bar.say(title + summary(*finished) + " (before)");
      continue;
    }
    if (seed != data_seed) data = source.of_seed(data_seed = seed);

    training_state start;
    start.record.method = how->name;
    start.record.seed = seed;
    start.record.epochs = state.epochs.at(start.record.method);
    if (state.current && plan[i].is(state.current->record)) {
      start = *state.current;
      bar.skip(passes_of(*how) * static_cast<double>(start.record.steps));
      bar.say(std::string(title) + "  continues in epoch " + std::to_string(start.epoch + 1));
    }
    bar.begin(title, start.record.epochs, steps, passes_of(*how));
    training_events const events{.stepped =
                                     [&](std::size_t epoch, std::size_t step, std::size_t images) {
                                       bar.step(epoch, step, images);
                                       return interrupt() != 0;
                                     },
                                 .keep =
                                     [&](training_state const& now) {
                                       state.current = now;
                                       save_checkpoint(file, state);
                                     }};
    auto const shown = seed == with.first_seed ? std::span(panel) : std::span<std::size_t const>();
    auto const record = train(*how, data, with, std::move(start), shown, events);
    if (!record) {
      bar.say("interrupted in " + std::string(title) + "; to continue type\n  " + with.command +
              (with.resume ? "" : " --resume"));
      return 128 + interrupt();
    }
    state.finished.push_back(*record);
    state.current.reset();
    save_checkpoint(file, state);
    bar.say(title + summary(*record));
  }

  // What was asked for, in its order; the checkpoint may hold more.
  std::vector<run_record> runs;
  for (planned_run const& p : plan)
    runs.push_back(
        *std::find_if(state.finished.begin(), state.finished.end(), [&](auto const& r) { return p.is(r); }));
  bar.say("");
  write_report(runs, source.of_seed(with.first_seed), panel, with);
  state.complete = true;
  save_checkpoint(file, state);
  return 0;
}

}  // namespace sage_train
