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

using runs_of_method = std::vector<run_record>;

/// The runs by method, in the order of the command line.
std::vector<runs_of_method> grouped(std::vector<run_record> const& runs, options const& with) {
  std::vector<runs_of_method> groups;
  for (std::string const& name : with.methods) {
    runs_of_method& group = groups.emplace_back();
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(group),
                 [&](auto const& r) { return r.method == name; });
    std::sort(group.begin(), group.end(), [](auto const& a, auto const& b) { return a.seed < b.seed; });
  }
  return groups;
}

using quantity = std::function<double(run_record const&)>;

spread spread_over(runs_of_method const& runs, quantity const& q) {
  std::vector<double> values;
  for (run_record const& r : runs) values.push_back(q(r));
  return spread_of(values);
}

/// Of the differences of runs with the same seed.
spread paired_spread(runs_of_method const& runs, runs_of_method const& base, quantity const& q) {
  std::vector<double> values;
  for (std::size_t i = 0; i < runs.size(); ++i) values.push_back(q(runs[i]) - q(base[i]));
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

double mean_seconds(runs_of_method const& runs) {
  return spread_over(runs, [](auto const& r) { return r.train_seconds; }).mean;
}

double mean_step(runs_of_method const& runs) {
  return spread_over(runs, [](auto const& r) { return r.step_seconds(); }).mean;
}

/// What the methods had in common, and what they had not.
std::string budget_note(std::vector<runs_of_method> const& groups, options const& with) {
  bool const equal_epochs = with.budget == budget::epochs;
  std::string note =
      equal_epochs
          ? format("Equal epochs: every method saw each training image %zu times.", with.epochs)
          : format("Equal time: every method trained about as long as %zu epochs of sage take.", with.epochs);
  auto const find = [&](std::string_view name) {
    return std::find_if(groups.begin(), groups.end(),
                        [&](auto const& g) { return g.front().method == name; });
  };
  auto const ce = find("ce"), sage = find("sage");
  if (ce == groups.end() || sage == groups.end()) return note;
  note += format(" A sage step costs %.1f ce steps:", mean_step(*sage) / mean_step(*ce));
  note +=
      equal_epochs
          ? format("\nsage trained %.1f times as long as ce (--budget time gives all methods the same time).",
                   mean_seconds(*sage) / mean_seconds(*ce))
          : format(
                "\nce had %.1f times the epochs of sage (--budget epochs gives all methods the same epochs).",
                static_cast<double>(ce->front().epochs) / static_cast<double>(sage->front().epochs));
  return note;
}

}  // namespace

std::string table_text(std::vector<run_record> const& runs, dataset const& data, options const& with) {
  auto const groups = grouped(runs, with);
  auto const ce =
      std::find_if(groups.begin(), groups.end(), [](auto const& g) { return g.front().method == "ce"; });
  bool const open = std::any_of(data.samples.begin(), data.samples.end(),
                                [](auto const& s) { return s.label == sample::unknown; });
  quantity const accuracy = [](auto const& r) { return r.accuracy; };
  quantity const auroc = [](auto const& r) { return r.auroc; };
  quantity const known = [](auto const& r) { return r.known_auroc; };

  text_table table;
  std::vector<std::string> header = {"method", "accuracy %", "AUROC %"};
  if (open) header.push_back("known AUROC %");
  if (ce != groups.end()) header.insert(header.end(), {"accuracy - ce", "AUROC - ce"});
  header.insert(header.end(), {"CAM inside %", "ms/step", "epochs", "train s"});
  table.add(header);
  for (auto const& g : groups) {
    std::vector<std::string> row = {g.front().method, spread_text(spread_over(g, accuracy), "%.1f"),
                                    spread_text(spread_over(g, auroc), "%.1f")};
    if (open) row.push_back(spread_text(spread_over(g, known), "%.1f"));
    if (ce != groups.end()) {
      bool const itself = g.front().method == "ce";
      row.push_back(itself ? "" : spread_text(paired_spread(g, *ce, accuracy), "%+.1f"));
      row.push_back(itself ? "" : spread_text(paired_spread(g, *ce, auroc), "%+.1f"));
    }
    double const inside = spread_over(g, [](auto const& r) { return r.cam_inside; }).mean;
    row.push_back(std::isnan(inside) ? "n/a" : format("%.1f", 100 * inside));
    row.push_back(format("%.1f", 1e3 * mean_step(g)));
    row.push_back(std::to_string(g.front().epochs));
    row.push_back(format("%.1f", mean_seconds(g)));
    table.add(row);
  }

  std::string out = "\n" + table.text() + "\n";
  out += format(
      "Mean ± standard deviation over %zu %s; differences are paired by seed (same images, same first "
      "weights).\n",
      with.seeds, with.seeds == 1 ? "seed" : "seeds");
  out += data.normal
             ? "AUROC: " + data.classes[*data.normal] + " against all other test images"
             : std::string("AUROC: one class against all other test images, the mean over the classes");
  out += open ? ", those of unknown classes included.\nKnown AUROC: known against unknown classes by the "
                "largest softmax probability.\n"
              : ".\n";
  if (double const area = salient_area(data); !std::isnan(area))
    out += format(
        "CAM inside: the share of the true class's activation map that lies in the salient region; "
        "that covers %.1f %% of the picture.\n",
        100 * area);
  out += budget_note(groups, with) + "\n";
  return out;
}

std::string results_csv(std::vector<run_record> const& runs) {
  std::string out =
      "method,seed,epochs,steps,best_epoch,accuracy,auroc,known_auroc,cam_inside,active,step_ms,train_"
      "seconds\n";
  for (run_record const& r : runs) {
    out += r.method + format(",%llu,%zu,%zu,%zu,%.6f,%.6f,", static_cast<unsigned long long>(r.seed),
                             r.epochs, r.steps, r.best_epoch, r.accuracy, r.auroc);
    if (!std::isnan(r.known_auroc)) out += format("%.6f", r.known_auroc);
    out += format(",%.6f,%.6f,%.3f,%.3f\n", r.cam_inside, r.active, 1e3 * r.step_seconds(), r.train_seconds);
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
