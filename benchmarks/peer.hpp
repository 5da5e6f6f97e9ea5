#pragma once

#include "provider.hpp"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

namespace bench {

/// What cannot be linked into this program, a second LibTorch or Python, takes part as a program of its own that is
/// spoken to through its standard input and output, one line and one answer at a time:
///
///   (start)                    the name of what it times, as "LibTorch 2.4.0"
///   open NAME SETS THREADS FOLDER
///                              its providers for the workload of that name, separated by tabs; none if the line is empty.
///                              FOLDER/inputs holds all inputs, one after the other, FOLDER/labels the labels as int64;
///                              where they hold fewer samples than NAME says, these repeat, again from the first on.
///                              Numbers are float, or double where NAME says so; those of half and bfloat16 travel as
///                              floats, both ways. Calls walk through SETS copies of the inputs. One thread, and THREADS
///                              beside it
///   answer K                   "done", when provider K has run once and FOLDER/answer holds the value as a double and the
///                              outputs that the mode writes, of as many samples as FOLDER/inputs holds
///   time K RUNS                the seconds that so many runs took, after some for warming up
///   close                      "done", when the memory of the workload is free
///
/// Any answer may be "error " and a sentence instead. Each repetition is one `time`, so that those of all providers
/// are interleaved, wherever they run.
class peer {
 public:
  explicit peer(std::string const& command);
  peer(peer const&) = delete;
  peer& operator=(peer const&) = delete;
  ~peer();

  std::string const& name() const { return name_; }
  std::string const& folder() const { return folder_; }

  /// Its answer to a line; throws std::runtime_error where that is "error ", or none.
  std::string ask(std::string const& line);

  /// Adds what it can do of the batch's workload; it is closed with the last of these providers.
  template <class T>
  void add(providers& list, batch<T>& b, int threads);

 private:
  std::string answer_line();
  void end();

  std::string command_, name_, folder_;
  std::FILE *to_ = nullptr, *from_ = nullptr;
  pid_t process_ = -1;
};

using peers = std::vector<std::unique_ptr<peer>>;

}  // namespace bench
