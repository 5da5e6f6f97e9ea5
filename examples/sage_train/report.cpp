#include "report.hpp"

#include "loss_terms.hpp"
#include "metrics.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <functional>
#include <map>

namespace sage_train {

namespace {

[[gnu::format(printf, 1, 2)]] std::string format(char const* form, ...) {
  char text[256];
  std::va_list arguments;
  va_start(arguments, form);
  std::vsnprintf(text, sizeof text, form, arguments);
  va_end(arguments);
  return text;
}

/// What came of one method: the runs with results, and how many have none.
struct method_runs {
  std::string name;
  std::size_t epochs = 0, diverged = 0;
  std::vector<run_record> runs;
};

/// The runs by method, in the order of the command line.
std::vector<method_runs> grouped(std::vector<run_record> const& runs, options const& with) {
  std::vector<method_runs> groups;
  for (std::string const& name : with.methods) {
    method_runs& group = groups.emplace_back();
    group.name = name;
    for (run_record const& r : runs) {
      if (r.method != name) continue;
      group.epochs = r.epochs;
      if (r.diverged())
        ++group.diverged;
      else
        group.runs.push_back(r);
    }
  }
  return groups;
}

using quantity = std::function<double(run_record const&)>;

spread spread_over(method_runs const& group, quantity const& q) {
  std::vector<double> values;
  for (run_record const& r : group.runs) values.push_back(q(r));
  return spread_of(values);
}

/// Of the differences of runs with the same seed.
spread paired_spread(method_runs const& group, method_runs const& base, quantity const& q) {
  std::vector<double> values;
  for (run_record const& r : group.runs)
    for (run_record const& b : base.runs)
      if (b.seed == r.seed) values.push_back(q(r) - q(b));
  return spread_of(values);
}

std::string spread_text(spread const& s, char const* mean_form) {
  if (std::isnan(s.mean)) return "n/a";
  std::string const mean = format(mean_form, 100 * s.mean);
  return std::isnan(s.deviation) ? mean : mean + format(" ± %.1f", 100 * s.deviation);
}

/// Columns of text, the first left aligned, the others right aligned; a UTF-8 sequence is one column wide.
class text_table {
 public:
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  std::string text() const {
    std::vector<std::size_t> widths(rows_.front().size());
    for (auto const& row : rows_)
      for (std::size_t k = 0; k < row.size(); ++k) widths[k] = std::max(widths[k], length(row[k]));
    std::string out;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      for (std::size_t k = 0; k < widths.size(); ++k) {
        std::string const padding(widths[k] - length(rows_[i][k]), ' ');
        out += k == 0 ? rows_[i][k] + padding : "   " + padding + rows_[i][k];
      }
      out += '\n';
      if (i == 0) {
        std::size_t total = 0;
        for (std::size_t const w : widths) total += w + 3;
        for (std::size_t k = 0; k + 3 < total; ++k) out += "─";
        out += '\n';
      }
    }
    return out;
  }

 private:
  static std::size_t length(std::string const& s) {
    return static_cast<std::size_t>(
        std::count_if(s.begin(), s.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  }

  std::vector<std::vector<std::string>> rows_;
};

/// The share of the picture that is salient, the mean over the test images whose activation maps were
/// measured.
double salient_area(dataset const& data) {
  double sum = 0, count = 0;
  for (sample const& s : data.samples) {
    if (s.split != split::test || s.label == sample::unknown || s.weight == 0) continue;
    auto const inside =
        std::count_if(s.saliency.begin(), s.saliency.end(), [](float v) { return v > sample::salient; });
    sum += static_cast<double>(inside) / static_cast<double>(s.saliency.size());
    ++count;
  }
  return sum / count;
}

double mean_seconds(method_runs const& group) {
  return spread_over(group, [](auto const& r) { return r.train_seconds; }).mean;
}

double mean_step(method_runs const& group) {
  return spread_over(group, [](auto const& r) { return r.step_seconds(); }).mean;
}

/// The group of that method if it has results, or null.
method_runs const* find(std::vector<method_runs> const& groups, std::string_view name) {
  auto const found =
      std::find_if(groups.begin(), groups.end(), [&](auto const& g) { return g.name == name; });
  return found == groups.end() || found->runs.empty() ? nullptr : &*found;
}

/// What the methods had in common, and what they had not.
std::string budget_note(std::vector<method_runs> const& groups, options const& with) {
  bool const equal_epochs = with.budget == budget::epochs;
  std::string note =
      equal_epochs
          ? format("Equal epochs: every method saw each training image %zu times.", with.epochs)
          : format("Equal time: every method trained about as long as %zu epochs of sage take.", with.epochs);
  auto const *ce = find(groups, "ce"), *sage = find(groups, "sage");
  if (ce == nullptr || sage == nullptr) return note + "\n";
  note += format(" A sage step costs %.1f ce steps:\n", mean_step(*sage) / mean_step(*ce));
  note +=
      equal_epochs
          ? format("sage trained %.1f times as long as ce (--budget time gives all methods the same time).\n",
                   mean_seconds(*sage) / mean_seconds(*ce))
          : format(
                "ce had %.1f times the epochs of sage (--budget epochs gives all methods the same epochs).\n",
                static_cast<double>(ce->epochs) / static_cast<double>(sage->epochs));
  return note;
}

/// What the two kinds of AUROC tell apart.
std::string auroc_note(dataset const& data) {
  bool const open = data.unknown_count() > 0;
  std::string note = data.normal ? "AUROC: images of the normal class (" + data.classes[*data.normal] + ")"
                                 : std::string(open ? "AUROC: one known class" : "AUROC: one class");
  note += " against all other test images";
  if (open) note += ", those of unknown classes included";
  note += data.normal ? ", by that class's probability" : ", by its probability; the mean over the classes";
  note += data.normal && open ? " (open-set AUROC).\n" : ".\n";
  if (open)
    note +=
        "Known AUROC: images of known classes against images of unknown classes, by the largest softmax "
        "probability.\n";
  return note;
}

/// Which trainings the table leaves out.
std::string divergence_note(std::vector<method_runs> const& groups) {
  std::string note;
  for (method_runs const& g : groups)
    if (g.diverged > 0)
      note += format(
          "%s: %zu of %zu trainings diverged (a loss was no finite number) and are left out; a smaller --lr "
          "may help.\n",
          g.name.c_str(), g.diverged, g.diverged + g.runs.size());
  return note;
}

/// A cell of a CSV file; empty where there is no such number.
std::string csv_cell(double value) { return std::isnan(value) ? "," : format(",%.6f", value); }

}  // namespace

std::string table_text(std::vector<run_record> const& runs, dataset const& data, options const& with) {
  auto const groups = grouped(runs, with);
  method_runs const* const ce = find(groups, "ce");
  bool const open = data.unknown_count() > 0;
  quantity const accuracy = [](auto const& r) { return r.accuracy; };
  quantity const auroc = [](auto const& r) { return r.auroc; };
  quantity const known = [](auto const& r) { return r.known_auroc; };

  text_table table;
  std::vector<std::string> header = {"method", "accuracy %", "AUROC %"};
  if (open) header.push_back("known AUROC %");
  if (ce != nullptr) header.insert(header.end(), {"accuracy - ce", "AUROC - ce"});
  header.insert(header.end(), {"CAM inside %", "ms/step", "epochs", "train s"});
  table.add(header);
  auto const one_digit = [](double mean) { return std::isnan(mean) ? "n/a" : format("%.1f", mean); };
  for (method_runs const& g : groups) {
    std::vector<std::string> row = {g.name, spread_text(spread_over(g, accuracy), "%.1f"),
                                    spread_text(spread_over(g, auroc), "%.1f")};
    if (open) row.push_back(spread_text(spread_over(g, known), "%.1f"));
    if (ce != nullptr) {
      bool const itself = &g == ce;
      row.push_back(itself ? "" : spread_text(paired_spread(g, *ce, accuracy), "%+.1f"));
      row.push_back(itself ? "" : spread_text(paired_spread(g, *ce, auroc), "%+.1f"));
    }
    row.push_back(one_digit(100 * spread_over(g, [](auto const& r) { return r.cam_inside; }).mean));
    row.push_back(one_digit(1e3 * mean_step(g)));
    row.push_back(std::to_string(g.epochs));
    row.push_back(one_digit(mean_seconds(g)));
    table.add(row);
  }

  std::string out = "\n" + table.text() + "\n";
  out += format(
      "Mean ± standard deviation over %zu %s; differences are paired by seed (same images, same first "
      "weights).\n",
      with.seeds, with.seeds == 1 ? "seed" : "seeds");
  out += divergence_note(groups) + auroc_note(data);
  if (double const area = salient_area(data); !std::isnan(area))
    out += format(
        "CAM inside: the share of the true class's activation map that lies in the salient region; "
        "that covers %.1f %% of the picture.\n",
        100 * area);
  return out + budget_note(groups, with);
}

std::string results_csv(std::vector<run_record> const& runs) {
  std::string out =
      "method,seed,epochs,steps,best_epoch,accuracy,auroc,known_auroc,cam_inside,active,step_ms,train_"
      "seconds\n";
  for (run_record const& r : runs) {
    out += r.method + format(",%llu,%zu,%zu,%zu", static_cast<unsigned long long>(r.seed), r.epochs, r.steps,
                             r.best_epoch);
    for (double const v : {r.accuracy, r.auroc, r.known_auroc, r.cam_inside, r.active}) out += csv_cell(v);
    out += format(",%.3f,%.3f\n", 1e3 * r.step_seconds(), r.train_seconds);
  }
  return out;
}

std::string curves_csv(std::vector<run_record> const& runs) {
  std::string out = "method,seed,epoch";
  for (char const* name : loss_terms::names) out += std::string(",") + name;
  out += ",val_loss,val_accuracy\n";
  for (run_record const& r : runs)
    for (std::size_t e = 0; e < r.curve.size(); ++e) {
      out += r.method + format(",%llu,%zu", static_cast<unsigned long long>(r.seed), e + 1);
      for (double const term : r.curve[e].terms) out += format(",%.6g", term);
      out += format(",%.6g,%.6g\n", r.curve[e].val_loss, r.curve[e].val_accuracy);
    }
  return out;
}

}  // namespace sage_train
