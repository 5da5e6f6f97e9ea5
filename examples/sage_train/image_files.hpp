#pragma once

#include "picture.hpp"

#include <filesystem>
#include <string>

namespace sage_train {

/// Reads a PNG, JPEG or BMP file as 3 (colour) or 1 (grey) channels.
/// Errors: std::runtime_error with the reason ("does not exist", "is broken: bad png sig"), for the caller to
/// complete.
picture read_picture(std::filesystem::path const& file, std::size_t channels);

/// The picture at another size: area average when it shrinks, cubic when it grows.
picture resized(picture const& from, std::size_t height, std::size_t width);

/// Writes an RGB picture as PNG; the file appears complete or not at all. Errors: input_error.
void write_png(std::filesystem::path const& file, picture const& image);

/// Draws a line of text with its upper left corner at (y, x).
void draw_text(picture& image, std::size_t y, std::size_t x, std::string const& text);

}  // namespace sage_train
