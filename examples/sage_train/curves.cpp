#include "report.hpp"

#include "files.hpp"
#include "loss_terms.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <sstream>

namespace sage_train {

namespace {

/// A gnuplot data block of the mean over the seeds of every method: epoch, classification loss, validation
/// accuracy.
std::string data_blocks(std::vector<run_record> const& runs, std::vector<std::string>& names) {
  std::map<std::string, std::vector<run_record const*>> by_method;
  for (run_record const& r : runs) {
    if (r.diverged()) continue;
    if (by_method[r.method].empty()) names.push_back(r.method);
    by_method[r.method].push_back(&r);
  }
  std::ostringstream out;
  for (std::size_t m = 0; m < names.size(); ++m) {
    auto const& group = by_method[names[m]];
    double const n = static_cast<double>(group.size());
    out << "$m" << m << " << END\n";
    for (std::size_t e = 0; e < group.front()->curve.size(); ++e) {
      double loss = 0, accuracy = 0;
      for (run_record const* r : group) {
        loss += r->curve[e].terms[1] / n;
        accuracy += r->curve[e].val_accuracy / n;
      }
      out << e + 1 << ' ' << loss << ' ' << 100 * accuracy << '\n';
    }
    out << "END\n";
  }
  return std::move(out).str();
}

std::string plot_line(std::vector<std::string> const& names, int column) {
  std::ostringstream out;
  for (std::size_t m = 0; m < names.size(); ++m)
    out << (m == 0 ? "plot " : ", ") << "$m" << m << " using 1:" << column << " with lines lw 2 title '"
        << names[m] << "'";
  out << '\n';
  return std::move(out).str();
}

/// 'text' for gnuplot and for the shell.
std::string quoted(std::string const& text, char const* quote) {
  std::string out = "'";
  for (char const c : text) c == '\'' ? out += quote : out += c;
  return out + "'";
}

}  // namespace

bool draw_curves(std::vector<run_record> const& runs, std::filesystem::path const& file) {
  std::vector<std::string> names;
  std::string script = data_blocks(runs, names);
  std::filesystem::path const draft = file.string() + ".tmp", script_file = file.string() + ".gnuplot";
  script +=
      "set terminal pngcairo size 1100,440 font 'sans,10'\nset output " + quoted(draft.string(), "''") +
      "\nset multiplot layout 1,2\nset xlabel 'epoch'\nset grid lc rgb '#dddddd'\nset key bottom right\n"
      "set title 'Validation accuracy, %'\nset yrange [0:102]\n" +
      plot_line(names, 3) +
      "set title 'Cross entropy of the training images'\nset yrange [0:*]\nset key top right\n" +
      plot_line(names, 2) + "unset multiplot\nunset output\n";
  // Not through a pipe: where there is no gnuplot, writing into it would end this program.
  write_file(script_file, script);
  std::string const command = "gnuplot " + quoted(script_file.string(), "'\\''") + " >/dev/null 2>&1";
  bool const drawn = std::system(command.c_str()) == 0;
  std::error_code failure;
  std::filesystem::remove(script_file, failure);
  if (!drawn) return false;
  std::filesystem::rename(draft, file, failure);
  return !failure;
}

}  // namespace sage_train
