#include "record.hpp"

#include "text_reader.hpp"

#include <iomanip>
#include <sstream>

namespace sage_train {

namespace {

template <class T>
void put(std::ostream& out, std::vector<T> const& values) {
  out << values.size();
  for (T const& v : values) out << ' ' << v;
  out << '\n';
}

}  // namespace

std::string to_text(std::vector<run_record> const& runs) {
  std::ostringstream out;
  out << std::setprecision(17) << runs.size() << '\n';
  for (run_record const& r : runs) {
    out << r.method << ' ' << r.seed << ' ' << r.epochs << ' ' << r.steps << ' ' << r.best_epoch << ' '
        << r.accuracy << ' ' << r.auroc << ' ' << r.known_auroc << ' ' << r.cam_inside << ' ' << r.active
        << ' ' << r.train_seconds << ' ' << r.cam_height << ' ' << r.cam_width << ' ' << r.curve.size()
        << '\n';
    for (epoch_record const& e : r.curve) {
      out << e.val_loss << ' ' << e.val_accuracy << ' ';
      put(out, e.terms);
    }
    put(out, r.cams);
  }
  return std::move(out).str();
}

std::vector<run_record> runs_from_text(std::string const& text) {
  text_reader in{std::istringstream(text)};
  std::vector<run_record> runs(in.count());
  for (run_record& r : runs) {
    r.method = in.word();
    r.seed = in.count();
    r.epochs = in.count();
    r.steps = in.count();
    r.best_epoch = in.count();
    for (double* v : {&r.accuracy, &r.auroc, &r.known_auroc, &r.cam_inside, &r.active, &r.train_seconds})
      *v = in.number();
    r.cam_height = in.count();
    r.cam_width = in.count();
    r.curve.resize(in.count());
    for (epoch_record& e : r.curve) {
      e.val_loss = in.number();
      e.val_accuracy = in.number();
      e.terms = in.numbers<double>();
    }
    r.cams = in.numbers<float>();
  }
  return runs;
}

}  // namespace sage_train
