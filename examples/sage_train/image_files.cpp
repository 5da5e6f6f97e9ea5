#include "image_files.hpp"

#include "files.hpp"
#include "input_error.hpp"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#include <stb/stb_image.h>
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#include <stb/stb_image_resize.h>
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#include <stb/stb_easy_font.h>
#include <stb/stb_image_write.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>

namespace sage_train {

picture read_picture(std::filesystem::path const& file, std::size_t channels) {
  std::error_code ignored;
  if (!std::filesystem::exists(file, ignored)) throw std::runtime_error("does not exist");
  if (!std::filesystem::is_regular_file(file, ignored)) throw std::runtime_error("is no file");
  int width = 0, height = 0, stored = 0;
  const std::unique_ptr<stbi_uc, void (*)(void*)> pixels(
      stbi_load(file.c_str(), &width, &height, &stored, static_cast<int>(channels)), stbi_image_free);
  if (!pixels)
    throw std::runtime_error(std::string("is no readable PNG, JPEG or BMP (") + stbi_failure_reason() + ")");
  picture image(channels, static_cast<std::size_t>(height), static_cast<std::size_t>(width));
  const std::size_t area = image.height * image.width;
  for (std::size_t c = 0; c < channels; ++c)
    for (std::size_t i = 0; i < area; ++i) image.values[c * area + i] = pixels.get()[i * channels + c];
  return image;
}

picture resized(picture const& from, std::size_t height, std::size_t width) {
  if (from.height == height && from.width == width) return from;
  picture to(from.channels, height, width);
  for (std::size_t c = 0; c < from.channels; ++c)
    stbir_resize_uint8(from.values.data() + c * from.height * from.width, static_cast<int>(from.width),
                       static_cast<int>(from.height), 0, to.values.data() + c * height * width,
                       static_cast<int>(width), static_cast<int>(height), 0, 1);
  return to;
}

void write_png(std::filesystem::path const& file, picture const& image) {
  const std::size_t area = image.height * image.width;
  std::vector<std::uint8_t> interleaved(area * image.channels);
  for (std::size_t c = 0; c < image.channels; ++c)
    for (std::size_t i = 0; i < area; ++i) interleaved[i * image.channels + c] = image.values[c * area + i];
  std::string bytes;
  auto const append = [](void* to, void* data, int size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), static_cast<std::size_t>(size));
  };
  int const written =
      stbi_write_png_to_func(append, &bytes, static_cast<int>(image.width), static_cast<int>(image.height),
                             static_cast<int>(image.channels), interleaved.data(), 0);
  if (!written) throw input_error(file.string() + ": cannot be encoded as PNG");
  write_file(file, bytes);
}

void draw_text(picture& image, std::size_t y, std::size_t x, std::string const& text) {
  // stb_easy_font returns quads of four (x, y, z, colour) vertices of 16 bytes each.
  struct vertex {
    float x, y, z;
    std::array<unsigned char, 4> colour;
  };
  std::vector<vertex> vertices(text.size() * 80 + 4);
  std::string copy = text;
  int const quads = stb_easy_font_print(0, 0, copy.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(vertex)));
  for (int q = 0; q < quads; ++q) {
    vertex const& a = vertices[static_cast<std::size_t>(4 * q)];
    vertex const& b = vertices[static_cast<std::size_t>(4 * q + 2)];
    for (auto v = static_cast<std::size_t>(a.y); v < static_cast<std::size_t>(b.y); ++v)
      for (auto u = static_cast<std::size_t>(a.x); u < static_cast<std::size_t>(b.x); ++u)
        if (y + v < image.height && x + u < image.width)
          for (std::size_t c = 0; c < image.channels; ++c) image.at(c, y + v, x + u) = 0;
  }
}

}  // namespace sage_train
