#pragma once

#include "element.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

/// Inputs and the answer of a workload whose rows repeat: row i is row i % period, so that tensors of gigabytes are made
/// on the device, and all of their rows have a known answer. A row is all that belongs to one sample. The period is odd
/// where rows repeat: no power of two, as strides and blocks are, gives the right row by mistake.
class repeated_batch {
 public:
  explicit repeated_batch(device_workload const& what);

  /// "" if an answer is right, else a sentence. `outputs` hold the rows `of_rows`, one after the other; a pair has no value.
  std::string disagreement(double value, std::vector<std::vector<float>> const& outputs,
                           std::vector<index> const& of_rows) const;

  bool has_value() const { return what.what.loss != loss::blur_pair; }
  index rows() const { return what.what.rows; }
  index elements_of_inputs() const;   // of a row, without z⁻, which no term reads
  index elements_of_outputs() const;  // of a row
  index bytes() const;                // that a call must read and write at least

  device_workload const what;
  index period;
  std::vector<index> input_columns, output_columns;  // elements of a row
  std::vector<std::vector<float>> inputs;            // (period, columns), rounded to the element type
  std::vector<std::int64_t> labels;                  // (period)

 private:
  double value_ = 0;
  std::vector<std::vector<double>> outputs_;  // (period, columns), of all rows' mean
};

/// z⁻, an operand of the complete loss.
inline bool is_read(loss l, std::size_t input) { return !(l == loss::sage && input == 2); }

}  // namespace bench
