#include "files.hpp"

#include "input_error.hpp"

#include <fstream>
#include <sstream>

namespace sage_train {

namespace fs = std::filesystem;

void prepare_folder(fs::path const& folder) {
  std::error_code failure;
  fs::create_directories(folder, failure);
  if (failure || !fs::is_directory(folder)) {
    const std::string reason = failure ? failure.message() : "it exists and is no folder";
    throw input_error("--output " + folder.string() + ": cannot create this folder (" + reason + ")");
  }
  const fs::path probe = folder / ".write-test";
  bool const writable = static_cast<bool>(std::ofstream(probe) << "x" << std::flush);
  fs::remove(probe, failure);
  if (!writable) throw input_error("--output " + folder.string() + ": cannot write files in this folder");
}

void write_file(fs::path const& file, std::string_view content) {
  fs::path draft = file;
  draft += ".tmp";
  std::error_code failure;
  {
    std::ofstream out(draft, std::ios::binary);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) {
      fs::remove(draft, failure);
      throw input_error(file.string() + ": cannot be written (is the disk full?)");
    }
  }
  fs::rename(draft, file, failure);
  if (failure) throw input_error(file.string() + ": cannot be written (" + failure.message() + ")");
}

std::string read_file(fs::path const& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream content;
  if (!in || fs::is_directory(file)) throw input_error(file.string() + ": cannot be read");
  content << in.rdbuf();
  return std::move(content).str();
}

}  // namespace sage_train
