#include "peer.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace bench {

namespace {

template <class T>
void write(std::ostream& to, T const* data, std::size_t count) {
  to.write(reinterpret_cast<char const*>(data), std::streamsize(count * sizeof(T)));
}
template <class T>
void read(std::istream& from, T* data, std::size_t count) {
  from.read(reinterpret_cast<char*>(data), std::streamsize(count * sizeof(T)));
}
/// Narrow elements as floats.
template <class T>
void write_elements(std::ostream& to, T const* data, std::size_t count) {
  if constexpr (is_narrow<T>) {
    std::vector<float> const wide(data, data + count);
    write(to, wide.data(), count);
  } else {
    write(to, data, count);
  }
}
template <class T>
void read_elements(std::istream& from, T* data, std::size_t count) {
  if constexpr (is_narrow<T>) {
    std::vector<float> wide(count);
    read(from, wide.data(), count);
    for (std::size_t i = 0; i < count; ++i) data[i] = T(wide[i]);
  } else {
    read(from, data, count);
  }
}

}  // namespace

peer::peer(std::string const& command) : command_(command) {
  std::string folder = (std::filesystem::temp_directory_path() / "sage_bench_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("cannot make a folder " + folder);
  folder_ = folder;
  int to[2], from[2];
  // Closed in the programs of later peers: none may hold the end of another's input open.
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0)
    throw std::runtime_error("no pipe to " + command);
  std::signal(SIGPIPE, SIG_IGN);  // a peer that ended is told of by its missing answer
  process_ = fork();
  if (process_ < 0) throw std::runtime_error("cannot start " + command);
  if (process_ == 0) {
    dup2(to[0], STDIN_FILENO);
    dup2(from[1], STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", ("exec " + command).c_str(), nullptr);
    _exit(127);
  }
  close(to[0]);
  close(from[1]);
  to_ = fdopen(to[1], "w");
  from_ = fdopen(from[0], "r");
  try {
    name_ = answer_line();
  } catch (...) {  // the destructor of what was not made does not run
    end();
    throw;
  }
}

peer::~peer() { end(); }

void peer::end() {
  if (to_ != nullptr) std::fclose(to_);  // the end of its input is the end of its work
  if (from_ != nullptr) std::fclose(from_);
  if (process_ > 0) waitpid(process_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string peer::answer_line() {
  std::string line;
  for (int c = std::fgetc(from_); c != '\n'; c = std::fgetc(from_)) {
    if (c == EOF) throw std::runtime_error("the peer ended: " + command_);
    line += char(c);
  }
  if (line.rfind("error ", 0) == 0) throw std::runtime_error("the peer " + command_ + ": " + line.substr(6));
  return line;
}

std::string peer::ask(std::string const& line) {
  std::fprintf(to_, "%s\n", line.c_str());
  std::fflush(to_);
  return answer_line();
}

template <class T>
void peer::add(providers& list, batch<T>& b, int threads) {
  auto const& first = b.sets[0];
  {
    std::ofstream inputs(folder_ + "/inputs", std::ios::binary),
        labels(folder_ + "/labels", std::ios::binary);
    for (auto const& x : first.inputs) write_elements(inputs, x.data, std::size_t(x.size()));
    write(labels, b.labels.data(), b.labels.size());
    if (!inputs.flush() || !labels.flush()) throw std::runtime_error("cannot write to " + folder_);
  }
  std::istringstream names(ask("open " + name_of(b.what) + " " + std::to_string(b.sets.size()) + " " +
                               std::to_string(threads) + " " + folder_));

  struct opened {
    explicit opened(peer* p) : of(p) {}
    peer* of;
    double value = 0;
    ~opened() {
      try {
        of->ask("close");
      } catch (std::exception const&) {  // it ended: what it last said has been reported
      }
    }
  };
  auto const state = std::make_shared<opened>(this);
  int count = 0;
  for (std::string name; std::getline(names, name, '\t'); ++count) {
    std::string const k = std::to_string(count);
    provider p{};
    p.name = name;
    p.run = [state, k, &b](std::size_t s) {
      state->of->ask("answer " + k);
      std::ifstream from(state->of->folder_ + "/answer", std::ios::binary);
      read(from, &state->value, 1);
      for (std::size_t const output : written(b))
        read_elements(from, b.sets[s].outputs[output].data, std::size_t(b.sets[s].outputs[output].size()));
      if (!from) throw std::runtime_error(state->of->name_ + " answered too little");
    };
    p.seconds = [state, k](std::int64_t runs) {
      return std::stod(state->of->ask("time " + k + " " + std::to_string(runs)));
    };
    if (b.what.mode == mode::value || b.what.mode == mode::value_and_grad)
      p.value = [state] { return state->value; };
    if (name.ends_with(" threads")) p.threads = threads;
    list.push_back(std::move(p));
  }
}

#define INSTANTIATE(T) template void peer::add(providers&, batch<T>&, int);
INSTANTIATE(float)
INSTANTIATE(double)
SAGE_BENCH_NARROW_TYPES(INSTANTIATE)
#undef INSTANTIATE

}  // namespace bench
