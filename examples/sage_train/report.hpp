#pragma once

#include "dataset.hpp"
#include "options.hpp"
#include "record.hpp"

#include <string>
#include <vector>

namespace sage_train {

/// The table: one line per method, the mean and standard deviation over the seeds, paired differences against
/// ce; and notes that say what the columns are, what diverged, and what the budget means.
std::string table_text(std::vector<run_record> const& runs, dataset const& data, options const& with);

/// One line per training; a cell is empty where there is no such number.
std::string results_csv(std::vector<run_record> const& runs);

/// One line per training and epoch.
std::string curves_csv(std::vector<run_record> const& runs);

/// Draws the curves of what did not diverge with gnuplot, the means over the seeds. Returns false when gnuplot is not installed or
/// fails.
bool draw_curves(std::vector<run_record> const& runs, std::filesystem::path const& file);

/// Test images in rows; the image, its map, x⁺, x⁻ and the activation maps of the first seed's networks in
/// columns.
void draw_panel(std::vector<run_record> const& runs, dataset const& data,
                std::vector<std::size_t> const& rows, options const& with, std::filesystem::path const& file);

/// The test images of the panel: known ones with a map, the classes taking turns.
std::vector<std::size_t> panel_rows(dataset const& data, std::size_t count);

}  // namespace sage_train
