#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace sage_train {

/// Tells how far the trainings are: on a terminal a bar that is redrawn, within one line of it; otherwise a line now
/// and then.
class progress {
 public:
  /// `work` is the sum over all trainings of steps times the number of forward passes in a step.
  explicit progress(double work);
  progress(progress const&) = delete;
  progress& operator=(progress const&) = delete;
  ~progress();  // removes the bar

  /// A training begins: what it is called, its epochs, its place on the way, the passes in a step.
  void begin(std::string title, std::size_t epochs, std::size_t steps_per_epoch, double passes);

  /// One more step is done, with so many images.
  void step(std::size_t epoch, std::size_t step, std::size_t images);

  /// Work that an earlier run of the program has done.
  void skip(double work) { remaining_ -= work; }

  /// A line that stays.
  void say(std::string const& line);

 private:
  using clock = std::chrono::steady_clock;
  void draw(std::size_t epoch, std::size_t step) const;

  bool terminal_;
  bool drawn_ = false;
  double remaining_, done_ = 0, seconds_ = 0;  // of all trainings
  std::string title_;
  std::size_t epochs_ = 0, steps_ = 0;
  double passes_ = 1, images_ = 0, training_seconds_ = 0;  // of this training
  clock::time_point last_, told_;
};

/// "48 s", "3:07", "1:02:45".
std::string duration_text(double seconds);

}  // namespace sage_train
