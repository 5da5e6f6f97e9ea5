#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace sage_train {

enum class split { train, val, test };

/// One line of a manifest.
struct manifest_row {
  std::size_t line = 0;
  std::string image, saliency, label;  // saliency is empty where there is no map
  sage_train::split split = split::train;
};

/// The text of a manifest: a header that names the columns image, saliency, label and split (in any order,
/// further columns are passed over), then one image per line. Cells may be quoted as in RFC 4180; lines may
/// end in CR LF.
struct manifest {
  std::filesystem::path file;
  std::vector<manifest_row> rows;

  /// "FILE:LINE: what", the form of every message about a row.
  std::string at(std::size_t line, std::string const& what) const;
};

/// Reads FOLDER/manifest.csv. Errors: input_error for a missing file, a missing column, a line with too few
/// or too many cells, an empty image or label, an unknown split, and an image that stands in two splits.
manifest read_manifest(std::filesystem::path const& folder);

}  // namespace sage_train
