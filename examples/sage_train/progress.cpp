#include "progress.hpp"

#include <sys/ioctl.h>
#include <unistd.h>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace sage_train {

namespace {

/// Columns of the terminal, asked anew for every line: people resize windows.
std::size_t terminal_width() {
  winsize size{};
  bool const known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/// A bar of at most 20 cells, as many as there is room for; fewer than 5 tell nothing.
std::string bar_text(std::size_t room, double share) {
  std::size_t const cells = std::min<std::size_t>(room, 20);
  std::string bar;
  for (std::size_t i = 0; i < cells && cells >= 5; ++i)
    bar += (static_cast<double>(i) + 0.5) / static_cast<double>(cells) < share ? "█" : "░";
  return bar;
}

}  // namespace

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
  std::string text = "  epoch " + std::to_string(epoch + 1) + "/" + std::to_string(epochs_) + "  " +
                     std::to_string(std::lround(images_ / training_seconds_)) + " images/s  " +
                     duration_text(remaining_ * seconds_ / done_) + " left";
  if (terminal_) {
    // The last column stays free: some terminals wrap when it is written.
    std::size_t const width = terminal_width() - 1, used = title_.size() + 1 + text.size();
    std::string const bar = bar_text(width > used ? width - used : 0, share);
    text = bar.empty() ? (title_ + text).substr(0, width) : title_ + " " + bar + text;
    std::printf("\r\033[K%s", text.c_str());
  } else {
    std::printf("%s%s\n", title_.c_str(), text.c_str());
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
