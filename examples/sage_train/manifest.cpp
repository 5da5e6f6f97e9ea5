#include "manifest.hpp"

#include "input_error.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <optional>

namespace sage_train {

namespace {

/// The cells of one line, or nothing when a quote stays open.
std::optional<std::vector<std::string>> cells_of(std::string const& line) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    char const c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += '"';
      ++i;
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  for (std::string& cell : cells) {
    auto const first = cell.find_first_not_of(" \t");
    cell = first == std::string::npos ? "" : cell.substr(first, cell.find_last_not_of(" \t") - first + 1);
  }
  return cells;
}

std::optional<split> split_named(std::string const& name) {
  if (name == "train") return split::train;
  if (name == "val") return split::val;
  if (name == "test") return split::test;
  return std::nullopt;
}

}  // namespace

std::string manifest::at(std::size_t line, std::string const& what) const {
  return file.string() + ":" + std::to_string(line) + ": " + what;
}

manifest read_manifest(std::filesystem::path const& folder) {
  manifest list{.file = folder / "manifest.csv", .rows = {}};
  if (std::filesystem::is_regular_file(folder))
    throw input_error(folder.string() + ": this is a file; --data wants its folder");
  if (!std::filesystem::is_directory(folder))
    throw input_error(folder.string() + ": this folder does not exist");
  std::ifstream in(list.file);
  if (!in) throw input_error(list.file.string() + ": this file does not exist or cannot be read");

  constexpr std::array columns = {"image", "saliency", "label", "split"};
  std::array<std::size_t, columns.size()> column{};
  std::size_t width = 0, line = 0;
  std::map<std::string, manifest_row> seen;
  for (std::string text; std::getline(in, text);) {
    ++line;
    if (line == 1 && text.starts_with("\xEF\xBB\xBF")) text.erase(0, 3);  // the mark some editors put first
    if (!text.empty() && text.back() == '\r') text.pop_back();
    if (text.empty()) continue;
    auto const cells = cells_of(text);
    if (!cells) throw input_error(list.at(line, "a quote is opened and not closed"));
    if (width == 0) {
      width = cells->size();
      for (std::size_t k = 0; k < columns.size(); ++k) {
        auto const found = std::find(cells->begin(), cells->end(), columns[k]);
        if (found == cells->end())
          throw input_error(list.at(line, std::string("the header has no column '") + columns[k] +
                                              "' (expected image,saliency,label,split)"));
        column[k] = static_cast<std::size_t>(found - cells->begin());
      }
      continue;
    }
    if (cells->size() != width)
      throw input_error(list.at(line, "has " + std::to_string(cells->size()) +
                                          " cells where the header has " + std::to_string(width)));
    manifest_row row{line, (*cells)[column[0]], (*cells)[column[1]], (*cells)[column[2]], {}};
    if (row.image.empty()) throw input_error(list.at(line, "the image cell is empty"));
    if (row.label.empty()) throw input_error(list.at(line, "the label cell is empty"));
    std::string const& split_name = (*cells)[column[3]];
    auto const part = split_named(split_name);
    if (!part) throw input_error(list.at(line, "the split is '" + split_name + "', not train, val or test"));
    row.split = *part;
    auto const [first, fresh] = seen.emplace(row.image, row);
    if (!fresh && first->second.split != row.split)
      throw input_error(list.at(
          line, "'" + row.image + "' stands in another split on line " + std::to_string(first->second.line)));
    list.rows.push_back(std::move(row));
  }
  if (list.rows.empty()) throw input_error(list.file.string() + ": lists no image");
  return list;
}

}  // namespace sage_train
