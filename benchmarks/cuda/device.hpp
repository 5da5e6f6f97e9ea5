#pragma once

#include "repeated_batch.hpp"

#include <cuda_runtime.h>

#include <functional>
#include <string>
#include <vector>

namespace bench {

/// Throws std::runtime_error with the runtime's text.
void require(cudaError_t status, char const* what);

/// Equal sets of a batch's tensors on the device, one behind the other: in each first the inputs, then the outputs.
class device_sets {
 public:
  /// As many sets as reach over twice the second-level cache and more, or as fit; none if not even one does.
  device_sets(repeated_batch const& b, cudaDeviceProp const& device);
  device_sets(device_sets const&) = delete;
  device_sets& operator=(device_sets const&) = delete;
  ~device_sets();

  std::size_t count() const { return sets_.size(); }
  index set_bytes() const { return set_bytes_; }
  bool beyond_cache() const { return beyond_cache_; }

  void launch(std::size_t set, cudaStream_t stream) const;
  /// Reads and writes together as many bytes as a launch must. Inputs stay; outputs do not.
  void copy(std::size_t set, cudaStream_t stream) const;

  /// "" if the answer on a set is right, else a sentence: the value, and a sample of rows of every output. The outputs
  /// held NaN before.
  std::string disagreement(std::size_t set) const;

 private:
  unsigned char* tensor(std::size_t set, index offset) const {
    return memory_ + index(set) * set_bytes_ + offset;
  }
  void fill() const;

  repeated_batch const& batch_;
  index set_bytes_ = 0, inputs_bytes_ = 0, workspace_bytes_ = 0;
  bool beyond_cache_ = false;
  unsigned char *memory_ = nullptr, *rest_ = nullptr;  // sets; labels, result and workspace
  std::vector<index> input_offsets_, output_offsets_;
  std::vector<device_tensors> sets_;
};

/// Work on a stream, walking through sets, timed by events: in plain launches, or in a graph with one for each set.
class timed_work {
 public:
  using work = std::function<void(std::size_t set, cudaStream_t stream)>;
  enum class way { launches, graph };

  timed_work(work of, std::size_t sets, way how);
  timed_work(timed_work const&) = delete;
  timed_work& operator=(timed_work const&) = delete;
  ~timed_work();

  /// What so many runs took; a graph's are a multiple of the number of sets, and their time is scaled.
  double seconds(index runs);

 private:
  work of_;
  std::size_t sets_, next_ = 0;
  cudaStream_t stream_ = nullptr;
  cudaEvent_t start_ = nullptr, end_ = nullptr;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t ready_ = nullptr;
};

}  // namespace bench
