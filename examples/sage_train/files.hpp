#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace sage_train {

/// Creates the folder (with its parents) and proves that files can be written in it. Errors: input_error.
void prepare_folder(std::filesystem::path const& folder);

/// Writes a file beside its place and renames it: a reader sees the old content or the new, never a part.
/// Errors: input_error.
void write_file(std::filesystem::path const& file, std::string_view content);

/// The whole file. Errors: input_error.
std::string read_file(std::filesystem::path const& file);

}  // namespace sage_train
