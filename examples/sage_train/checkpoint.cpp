#include "checkpoint.hpp"

#include "files.hpp"
#include "hash.hpp"
#include "input_error.hpp"
#include "text_reader.hpp"

#include <cstdint>
#include <iomanip>
#include <sstream>
#include <string_view>

namespace sage_train {

namespace {

constexpr std::string_view magic = "sage_train checkpoint 1\n";

std::uint64_t checksum(std::string_view bytes) {
  content_hash hash;
  hash.add(bytes.data(), bytes.size());
  return hash.value;
}

/// Blobs one after the other, each with its length in front.
struct blob_writer {
  std::string bytes;
  void operator()(std::string_view blob) { (bytes += std::to_string(blob.size()) += '\n') += blob; }
};

struct blob_reader {
  std::string_view bytes;
  std::string operator()() {
    auto const end = bytes.find('\n');
    const std::size_t size = std::stoull(std::string(bytes.substr(0, end)));
    const std::string blob(bytes.substr(end + 1, size));
    bytes.remove_prefix(end + 1 + size);
    return blob;
  }
};

std::string position_text(training_state const& s) {
  std::ostringstream out;
  out << std::setprecision(17) << s.epoch << ' ' << s.step << ' ' << s.best_val_loss << ' '
      << s.term_sums.size();
  for (double const sum : s.term_sums) out << ' ' << sum;
  return std::move(out).str();
}

std::string epochs_text(std::map<std::string, std::size_t> const& epochs) {
  std::ostringstream out;
  for (auto const& [method, count] : epochs) out << method << ' ' << count << '\n';
  return std::move(out).str();
}

std::map<std::string, std::size_t> epochs_from_text(std::string const& text) {
  std::istringstream in(text);
  std::map<std::string, std::size_t> epochs;
  std::string method;
  for (std::size_t count = 0; in >> method >> count;) epochs[method] = count;
  return epochs;
}

void read_position(std::string const& text, training_state& s) {
  text_reader in{std::istringstream(text)};
  s.epoch = in.count();
  s.step = in.count();
  s.best_val_loss = in.number();
  s.term_sums = in.numbers<double>();
}

}  // namespace

void save_checkpoint(std::filesystem::path const& file, checkpoint const& state) {
  blob_writer put;
  put(state.settings);
  put(epochs_text(state.epochs));
  put(state.complete ? "complete" : "unfinished");
  put(to_text(state.finished));
  put(state.current ? "training" : "idle");
  if (state.current) {
    put(to_text({state.current->record}));
    put(position_text(*state.current));
    put(state.current->model);
    put(state.current->optimiser);
    put(state.current->best_model);
  }
  write_file(file, std::string(magic) + std::to_string(checksum(put.bytes)) + "\n" + put.bytes);
}

checkpoint load_checkpoint(std::filesystem::path const& file) {
  const std::string content = read_file(file);
  std::string_view rest = content;
  if (!rest.starts_with(magic))
    throw input_error(file.string() + ": is no checkpoint of this program; --restart replaces it");
  rest.remove_prefix(magic.size());
  auto const end = rest.find('\n');
  const std::string sum(rest.substr(0, end));
  rest.remove_prefix(std::min(rest.size(), end + 1));
  if (sum != std::to_string(checksum(rest)))
    throw input_error(file.string() + ": this checkpoint is damaged; --restart replaces it");

  blob_reader get{rest};
  checkpoint state;
  state.settings = get();
  state.epochs = epochs_from_text(get());
  state.complete = get() == "complete";
  state.finished = runs_from_text(get());
  if (get() == "training") {
    training_state& s = state.current.emplace();
    s.record = runs_from_text(get()).at(0);
    read_position(get(), s);
    s.model = get();
    s.optimiser = get();
    s.best_model = get();
  }
  return state;
}

}  // namespace sage_train
