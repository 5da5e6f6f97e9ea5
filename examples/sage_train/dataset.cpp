#include "dataset.hpp"

#include "hash.hpp"
#include "image_files.hpp"
#include "input_error.hpp"
#include "saliency.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <stdexcept>

namespace sage_train {

namespace {

constexpr std::array split_names = {"train", "val", "test"};

bool contains(std::vector<std::string> const& labels, std::string const& label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

/// The classes to learn: the labels of the training split that are not held out, sorted. Each must stand in
/// every split.
std::vector<std::string> classes_of(manifest const& list, std::vector<std::string> const& hold_out) {
  std::map<std::string, std::array<std::size_t, 3>> first_line;  // of every label in every split
  for (manifest_row const& row : list.rows) {
    std::size_t& line = first_line[row.label][static_cast<std::size_t>(row.split)];
    if (line == 0) line = row.line;
  }
  for (std::string const& label : hold_out)
    if (!first_line.contains(label))
      throw input_error(list.file.string() + ": no image has the label '" + label + "' given to --hold-out");
  for (std::string const& label : hold_out) first_line.erase(label);

  for (manifest_row const& row : list.rows)
    if (!contains(hold_out, row.label) && first_line[row.label][0] == 0)
      throw input_error(list.at(row.line, "the label '" + row.label + "' in the " +
                                              split_names[static_cast<std::size_t>(row.split)] +
                                              " split has no image in the training split (--hold-out " +
                                              row.label + " would make it an unknown class)"));
  std::vector<std::string> classes;
  for (auto const& [label, lines] : first_line) {
    for (std::size_t part = 1; part < 3; ++part)
      if (lines[part] == 0)
        throw input_error(list.at(
            lines[0], "the class '" + label + "' has no image in the " + split_names[part] + " split"));
    classes.push_back(label);
  }
  if (classes.size() < 2)
    throw input_error(list.file.string() + ": at least 2 classes are needed to learn from, here are " +
                      std::to_string(classes.size()));
  return classes;
}

picture read_at(manifest const& list, manifest_row const& row, std::string const& name,
                std::size_t channels) {
  try {
    return read_picture(list.file.parent_path() / name, channels);
  } catch (std::runtime_error const& reason) {
    throw input_error(list.at(row.line, (list.file.parent_path() / name).string() + " " + reason.what()));
  }
}

/// The longer side becomes 128 pixels; both are multiples of 8.
void default_size(picture const& image, std::size_t& height, std::size_t& width) {
  double const scale = 128.0 / static_cast<double>(std::max(image.height, image.width));
  auto const rounded = [&](std::size_t side) {
    return std::max<std::size_t>(
        16, 8 * static_cast<std::size_t>(std::lround(static_cast<double>(side) * scale / 8)));
  };
  height = rounded(image.height);
  width = rounded(image.width);
}

std::string size_text(picture const& image) {
  return std::to_string(image.width) + "x" + std::to_string(image.height);
}

}  // namespace

std::vector<std::size_t> dataset::part(split which) const {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < samples.size(); ++i)
    if (samples[i].split == which) indices.push_back(i);
  return indices;
}

std::size_t dataset::unknown_count() const {
  return static_cast<std::size_t>(std::count_if(samples.begin(), samples.end(),
                                                [](sample const& s) { return s.label == sample::unknown; }));
}

std::size_t dataset::mapless_count() const {
  return static_cast<std::size_t>(
      std::count_if(samples.begin(), samples.end(), [](sample const& s) { return s.weight == 0; }));
}

dataset load_dataset(manifest const& list, std::vector<std::string> const& hold_out, std::size_t height,
                     std::size_t width) {
  dataset data{
      .height = height, .width = width, .classes = classes_of(list, hold_out), .normal = {}, .samples = {}};
  int brightest = -1;  // of all maps
  for (manifest_row const& row : list.rows) {
    const picture image = read_at(list, row, row.image, 3);
    if (data.height == 0) default_size(image, data.height, data.width);
    sample& s = data.samples.emplace_back();
    s.name = row.image;
    auto const found = std::lower_bound(data.classes.begin(), data.classes.end(), row.label);
    bool const known = found != data.classes.end() && *found == row.label;
    s.label = known ? static_cast<int>(found - data.classes.begin()) : sample::unknown;
    s.split = known ? row.split : split::test;
    s.image = resized(image, data.height, data.width);
    if (row.saliency.empty()) {
      s.saliency.assign(data.height * data.width, 0.0f);
      s.weight = 0;
      continue;
    }
    const picture map = read_at(list, row, row.saliency, 1);
    // The same shape up to one pixel of rounding, measured on the map.
    double const width_expected = static_cast<double>(map.height) * static_cast<double>(image.width) /
                                  static_cast<double>(image.height);
    double const tolerance =
        std::max(1.0, static_cast<double>(image.width) / static_cast<double>(image.height));
    if (std::abs(width_expected - static_cast<double>(map.width)) > tolerance)
      throw input_error(list.at(row.line, row.saliency + " is " + size_text(map) +
                                              ", another aspect ratio than its image " + row.image + " of " +
                                              size_text(image)));
    brightest = std::max<int>(brightest, *std::max_element(map.values.begin(), map.values.end()));
    prepare_map(map, data.height, data.width, s);
  }
  if (brightest == 0 || brightest == 1)
    throw input_error(list.file.string() + ": no saliency map has a value above " +
                      std::to_string(brightest) +
                      ", but maps are grey from 0 to 255, which means fully salient");
  return data;
}

std::uint64_t fingerprint(dataset const& data) {
  content_hash hash;
  for (std::string const& name : data.classes) hash.add(name.data(), name.size() + 1);
  for (sample const& s : data.samples) {
    hash.add(s.image.values.data(), s.image.values.size());
    hash.add(s.saliency.data(), s.saliency.size() * sizeof(float));
    hash.add(&s.label, sizeof s.label);
    hash.add(&s.split, sizeof s.split);
  }
  return hash.value;
}

}  // namespace sage_train
