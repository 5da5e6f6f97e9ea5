#include "progress.hpp"

#include <unistd.h>
#include <cmath>
#include <cstdio>
#include <utility>

namespace sage_train {

progress::progress(double work) : terminal_(isatty(STDOUT_FILENO) == 1), remaining_(work) {}

progress::~progress() { say(""); }

void progress::begin(std::string title, std::size_t epochs, std::size_t steps_per_epoch, double passes) {
  title_ = std::move(title);
  epochs_ = epochs;
  steps_ = steps_per_epoch;
  passes_ = passes;
  images_ = training_seconds_ = 0;
  last_ = told_ = clock::now();
}

void progress::step(std::size_t epoch, std::size_t step, std::size_t images) {
  auto const now = clock::now();
  double const seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  seconds_ += seconds;
  training_seconds_ += seconds;
  images_ += static_cast<double>(images);
  done_ += passes_;
  remaining_ -= passes_;
  if (std::chrono::duration<double>(now - told_).count() < (terminal_ ? 0.1 : 10.0)) return;
  told_ = now;
  draw(epoch, step);
  drawn_ = terminal_;
}

void progress::say(std::string const& line) {
  if (drawn_) std::printf("\r\033[K");
  drawn_ = false;
  if (!line.empty()) std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void progress::draw(std::size_t epoch, std::size_t step) const {
  double const share = static_cast<double>(epoch * steps_ + step) / static_cast<double>(epochs_ * steps_);
  std::string const rate = std::to_string(std::lround(images_ / training_seconds_)) + " images/s";
  std::string const left = duration_text(remaining_ * seconds_ / done_) + " left";
  if (terminal_) {
    constexpr int cells = 20;
    std::string bar;
    for (int i = 0; i < cells; ++i) bar += (i + 0.5) / cells < share ? "█" : "░";
    std::printf("\r\033[K%s %s epoch %zu/%zu  %s  %s", title_.c_str(), bar.c_str(), epoch + 1, epochs_,
                rate.c_str(), left.c_str());
  } else {
    std::printf("%s  epoch %zu/%zu  %s  %s\n", title_.c_str(), epoch + 1, epochs_, rate.c_str(),
                left.c_str());
  }
  std::fflush(stdout);
}

std::string duration_text(double seconds) {
  long const s = std::lround(seconds);
  char text[32];
  if (s < 60)
    std::snprintf(text, sizeof text, "%ld s", s);
  else if (s < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld", s / 60, s % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
  return text;
}

}  // namespace sage_train
