#include "report.hpp"

#include "image_files.hpp"
#include "trainer.hpp"

#include <algorithm>
#include <cmath>

namespace sage_train {

namespace {

/// A picture of given size with others pasted into it.
struct sheet {
  picture image;
  std::size_t scale;

  /// Every pixel becomes a square of `scale` pixels.
  void paste(picture const& from, std::size_t top, std::size_t left) {
    for (std::size_t c = 0; c < 3; ++c)
      for (std::size_t y = 0; y < from.height * scale; ++y)
        for (std::size_t x = 0; x < from.width * scale; ++x)
          image.at(c, top + y, left + x) = from.at(c, y / scale, x / scale);
  }
};

std::uint8_t to_byte(double unit) {
  return static_cast<std::uint8_t>(std::lround(255 * std::clamp(unit, 0.0, 1.0)));
}

picture map_picture(sample const& s, dataset const& data) {
  picture p(3, data.height, data.width);
  for (std::size_t i = 0; i < p.values.size(); ++i)
    p.values[i] = to_byte(static_cast<double>(s.saliency[i % s.saliency.size()]));
  return p;
}

/// An activation map as colours (blue, green, red) over the grey image.
picture cam_picture(sample const& s, float const* cam, std::size_t height, std::size_t width) {
  picture small(1, height, width);
  for (std::size_t i = 0; i < small.values.size(); ++i)
    small.values[i] = to_byte(static_cast<double>(cam[i]));
  picture const heat = resized(small, s.image.height, s.image.width);
  picture p = s.image;
  for (std::size_t y = 0; y < p.height; ++y)
    for (std::size_t x = 0; x < p.width; ++x) {
      double const v = static_cast<double>(heat.at(0, y, x)) / 255;
      double const grey = (s.image.at(0, y, x) + s.image.at(1, y, x) + s.image.at(2, y, x)) / (3.0 * 255);
      for (std::size_t c = 0; c < 3; ++c) {
        double const colour = 1.5 - std::abs(4 * v - (3.0 - static_cast<double>(c)));
        p.at(c, y, x) = to_byte(0.5 * grey + 0.5 * std::clamp(colour, 0.0, 1.0));
      }
    }
  return p;
}

}  // namespace

std::vector<std::size_t> panel_rows(dataset const& data, std::size_t count) {
  std::vector<std::vector<std::size_t>> of_class(data.classes.size());
  for (std::size_t const i : data.part(split::test)) {
    sample const& s = data.samples[i];
    if (s.label != sample::unknown && s.weight > 0) of_class[static_cast<std::size_t>(s.label)].push_back(i);
  }
  std::vector<std::size_t> rows;
  for (std::size_t turn = 0; turn < data.samples.size() && rows.size() < count; ++turn)
    for (auto const& members : of_class)
      if (turn < members.size() && rows.size() < count) rows.push_back(members[turn]);
  return rows;
}

void draw_panel(std::vector<run_record> const& runs, dataset const& data,
                std::vector<std::size_t> const& rows, options const& with,
                std::filesystem::path const& file) {
  constexpr std::size_t gap = 6, caption = 14;
  std::vector<run_record const*> shown;
  for (run_record const& r : runs)
    if (r.seed == with.first_seed && !r.diverged()) shown.push_back(&r);
  std::vector<std::string> titles = {"image", "map", "x+", "x-"};
  for (run_record const* r : shown) titles.push_back("CAM " + r->method);

  std::size_t const scale = std::max<std::size_t>(1, (120 + data.width - 1) / data.width);
  std::size_t const tile_width = data.width * scale + gap, tile_height = data.height * scale + caption + gap;
  sheet page{picture(3, caption + gap + rows.size() * tile_height, gap + titles.size() * tile_width, 255),
             scale};
  for (std::size_t k = 0; k < titles.size(); ++k) draw_text(page.image, gap, gap + k * tile_width, titles[k]);
  auto const views = make_view_pictures(data, rows, with);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    sample const& s = data.samples[rows[i]];
    std::size_t const top = caption + gap + i * tile_height + caption;
    draw_text(page.image, top - 10, gap, data.classes[static_cast<std::size_t>(s.label)]);
    std::vector<picture> tiles = {s.image, map_picture(s, data), views[i].plus, views[i].minus};
    for (run_record const* r : shown)
      tiles.push_back(
          cam_picture(s, r->cams.data() + i * r->cam_height * r->cam_width, r->cam_height, r->cam_width));
    for (std::size_t k = 0; k < tiles.size(); ++k) page.paste(tiles[k], top, gap + k * tile_width);
  }
  write_png(file, page.image);
}

}  // namespace sage_train
