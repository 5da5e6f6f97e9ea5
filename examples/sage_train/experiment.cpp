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

  /// Forward passes in a step: what it costs, roughly.
  double passes() const {
    return how->supervision == supervision::contrast ? 3 : how->supervision == supervision::positive ? 2 : 1;
  }
};

/// Seeds in the outer loop: what is finished at any time is paired.
std::vector<planned_run> plan_of(options const& with) {
  std::vector<planned_run> plan;
  for (std::size_t s = 0; s < with.seeds; ++s)
    for (std::string const& name : with.methods) plan.push_back({find_method(name), with.first_seed + s});
  return plan;
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
                        difference(found.settings, settings) +
                        "); --restart discards it, --output names another folder");
    return found;
  }
  if (exists && !with.restart)
    throw input_error(
        file.string() +
        (load_checkpoint(file).complete
             ? ": a finished training is kept here; --resume prints its results or adds methods and "
               "seeds, --restart discards it"
             : ": an unfinished training is kept here; --resume continues it, --restart discards it"));
  auto const results = with.out / "results.csv";
  if (!exists && !with.restart && std::filesystem::exists(results))
    throw input_error(results.string() +
                      ": results without a checkpoint are kept here; --restart discards them");
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
  std::string classes;
  for (std::string const& name : data.classes) classes += (classes.empty() ? "" : ", ") + name;
  std::printf(
      "%s: %zu training, %zu validation and %zu test images of %zux%zu (height x width); classes %s\n",
      with.data.empty() ? "generated images" : with.data.c_str(), data.part(split::train).size(),
      data.part(split::val).size(), data.part(split::test).size(), data.height, data.width, classes.c_str());
  if (data.unknown_count() > 0)
    std::printf("%zu of the test images are of unknown classes\n", data.unknown_count());
  if (data.mapless_count() > 0)
    std::printf("%zu images have no usable map: they take part with the cross entropy of the image alone\n",
                data.mapless_count());
  if (with.plants_shortcut())
    std::printf(
        "a grey square is planted into every image: its shade tells the class, but is random in the test\n");
  std::fflush(stdout);
}

std::string summary(run_record const& r) {
  char text[160];
  if (r.diverged())
    std::snprintf(text, sizeof text, "  diverged in epoch %zu: a loss was no finite number",
                  r.curve.size() + 1);
  else
    std::snprintf(text, sizeof text, "  accuracy %5.1f %%  AUROC %5.1f %%  best epoch %zu  %s",
                  100 * r.accuracy, 100 * r.auroc, r.best_epoch, duration_text(r.train_seconds).c_str());
  return text;
}

/// A report never stands beside the checkpoint of a training that is under way.
void remove_report(std::filesystem::path const& folder) {
  std::error_code ignored;
  for (char const* name : {"results.csv", "curves.csv", "panel.png", "curves.png"})
    std::filesystem::remove(folder / name, ignored);
}

void write_report(std::vector<run_record> const& runs, dataset const& first,
                  std::vector<std::size_t> const& panel, options const& with) {
  write_file(with.out / "results.csv", results_csv(runs));
  write_file(with.out / "curves.csv", curves_csv(runs));
  draw_panel(runs, first, panel, with, with.out / "panel.png");
  bool const curves =
      std::any_of(runs.begin(), runs.end(), [](run_record const& r) { return !r.diverged(); });
  bool const drawn = curves && draw_curves(runs, with.out / "curves.png");
  std::printf("%s\n", table_text(runs, first, with).c_str());
  std::printf("Written to %s: results.csv, curves.csv, panel.png%s\n", with.out.c_str(),
              drawn ? ", curves.png" : "");
  if (curves && !drawn)
    std::printf("curves.png is missing: gnuplot is not installed (apt install gnuplot-nox)\n");
}

/// The trainings that are asked for, one after the other, with a checkpoint in between.
class experiment {
 public:
  experiment(options const& with, data_source const& source, checkpoint state, std::filesystem::path file,
             dataset data, std::vector<std::size_t> panel)
      : with_(with),
        source_(source),
        state_(std::move(state)),
        file_(std::move(file)),
        data_(std::move(data)),
        data_seed_(with.first_seed),
        panel_(std::move(panel)),
        plan_(plan_of(with)),
        steps_(steps_per_epoch(data_, with)) {
    state_.complete = false;
  }

  /// False when it was interrupted.
  bool train_all() {
    bool const all_there = std::all_of(plan_.begin(), plan_.end(), [&](planned_run const& p) {
      return record_of(p) != state_.finished.end();
    });
    if (all_there)
      std::printf("nothing is left to train: these are the results of before (--restart trains anew)\n");
    else
      remove_report(with_.out);
    double work = 0;
    for (planned_run const& p : plan_) work += work_of(p);
    progress bar(work);
    for (std::size_t i = 0; i < plan_.size(); ++i) {
      std::string const title = title_of(i);
      if (auto const before = record_of(plan_[i]); before != state_.finished.end()) {
        bar.skip(work_of(plan_[i]));
        bar.say(title + summary(*before) + " (before)");
        continue;
      }
      auto const record = train_one(plan_[i], title, bar);
      if (!record) {
        bar.say("interrupted in " + title + "; to continue type\n  " + with_.resume_command);
        return false;
      }
      state_.finished.push_back(*record);
      state_.current.reset();
      save_checkpoint(file_, state_);
      if (record->diverged())
        bar.skip(work_of(plan_[i]) - plan_[i].passes() * static_cast<double>(record->steps));
      bar.say(title + summary(*record));
    }
    return true;
  }

  void report() {
    std::vector<run_record> runs;  // those of the plan, in its order; the checkpoint may hold more
    for (planned_run const& p : plan_) runs.push_back(*record_of(p));
    write_report(runs, source_.of_seed(with_.first_seed), panel_, with_);
    state_.complete = true;
    save_checkpoint(file_, state_);
  }

 private:
  double work_of(planned_run const& p) const {
    return p.passes() * static_cast<double>(steps_ * state_.epochs.at(std::string(p.how->name)));
  }

  std::string title_of(std::size_t i) const {
    char title[64];
    std::snprintf(title, sizeof title, "%*zu/%zu %-13s seed %llu", plan_.size() > 9 ? 2 : 1, i + 1,
                  plan_.size(), plan_[i].how->name.data(), static_cast<unsigned long long>(plan_[i].seed));
    return title;
  }

  std::vector<run_record>::const_iterator record_of(planned_run const& p) const {
    return std::find_if(state_.finished.begin(), state_.finished.end(),
                        [&](auto const& r) { return p.is(r); });
  }

  std::optional<run_record> train_one(planned_run const& p, std::string const& title, progress& bar) {
    if (p.seed != data_seed_) data_ = source_.of_seed(data_seed_ = p.seed);
    training_state start;
    start.record.method = p.how->name;
    start.record.seed = p.seed;
    start.record.epochs = state_.epochs.at(start.record.method);
    if (state_.current && p.is(state_.current->record)) {
      start = *state_.current;
      bar.skip(p.passes() * static_cast<double>(start.record.steps));
      bar.say(title + "  continues in epoch " + std::to_string(start.epoch + 1));
    }
    bar.begin(title, start.record.epochs, steps_, p.passes());
    training_events events;
    events.stepped = [&](std::size_t epoch, std::size_t step, std::size_t images) {
      bar.step(epoch, step, images);
      return interrupt() != 0;
    };
    events.keep = [&](training_state const& now) {
      state_.current = now;
      save_checkpoint(file_, state_);
    };
    bool const shown = p.seed == with_.first_seed;
    return train(*p.how, data_, with_, std::move(start), shown ? std::span(panel_) : std::span<std::size_t>(),
                 events);
  }

  options const& with_;
  data_source const& source_;
  checkpoint state_;
  std::filesystem::path file_;
  dataset data_;
  std::uint64_t data_seed_;
  std::vector<std::size_t> panel_;
  std::vector<planned_run> plan_;
  std::size_t steps_;
};

}  // namespace

int run_experiment(options const& with) {
  require_device(with);
  int const threads = use_threads(with.threads);
  data_source const source(with);
  dataset data = source.of_seed(with.first_seed);
  auto const file = with.out / "checkpoint.bin";
  auto const settings = with.training_text() + "images " + std::to_string(fingerprint(data)) + "\n";
  checkpoint state = opening_state(file, settings, with);
  prepare_folder(with.out);
  if (with.restart) std::filesystem::remove(file);

  describe(data, with);
  std::size_t const count = with.methods.size() * with.seeds;
  std::printf("%zu %s on %d %s\n", count, count == 1 ? "training" : "trainings", threads,
              threads == 1 ? "thread" : "threads");
  std::fflush(stdout);
  note_interrupts();
  settle_epochs(state, data, with);
  auto const panel = panel_rows(data, with.panel_rows);
  experiment trainings(with, source, std::move(state), file, std::move(data), panel);
  if (!trainings.train_all()) return 128 + interrupt();
  trainings.report();
  return 0;
}

}  // namespace sage_train
