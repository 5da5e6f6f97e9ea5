#include "device.hpp"

#include <algorithm>
#include <stdexcept>

namespace bench {

namespace {

constexpr index alignment = 256;
index aligned(index bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

void require(cudaError_t status, char const* what) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(status));
}

device_sets::device_sets(repeated_batch const& b, cudaDeviceProp const& device) : batch_(b) {
  index const size = index(b.what.element->size);
  index at = 0;
  for (std::size_t k = 0; k < b.inputs.size(); ++k) {
    // What no term reads takes no memory.
    if (!is_read(b.what.what.loss, k)) {
      input_offsets_.push_back(0);
      continue;
    }
    input_offsets_.push_back(at);
    at = aligned(at + b.rows() * b.input_columns[k] * size);
  }
  inputs_bytes_ = at;
  for (index const columns : b.output_columns) {
    output_offsets_.push_back(at);
    at = aligned(at + b.rows() * columns * size);
  }
  set_bytes_ = at;

  // Four times the cache: what is left of a set when it comes round again is little. Beyond 1024 sets lie only shapes
  // whose time is that of a launch.
  index const cache = device.l2CacheSize;
  workspace_bytes_ = aligned(b.what.element->workspace_bytes(b.what.what));
  index const rest_bytes = aligned(b.rows() * index(sizeof(int))) + index(result_bytes) + workspace_bytes_;
  std::size_t available = 0, total = 0;
  require(cudaMemGetInfo(&available, &total), "the device's memory");
  index const usable = index(available) / 10 * 9 - rest_bytes;
  index const count = std::min(
      {std::max<index>(1, (4 * cache + set_bytes_ - 1) / set_bytes_), index(1024), usable / set_bytes_});
  if (count < 1) return;
  beyond_cache_ = count * set_bytes_ >= 2 * cache;
  if (cudaMalloc(&memory_, std::size_t(count * set_bytes_)) != cudaSuccess ||
      cudaMalloc(&rest_, std::size_t(rest_bytes)) != cudaSuccess) {
    static_cast<void>(cudaGetLastError());
    return;
  }
  unsigned char* const result = rest_ + aligned(b.rows() * index(sizeof(int)));
  for (std::size_t s = 0; s < std::size_t(count); ++s) {
    device_tensors t;
    for (index const offset : input_offsets_) t.inputs.push_back(tensor(s, offset));
    for (index const offset : output_offsets_) t.outputs.push_back(tensor(s, offset));
    t.labels = reinterpret_cast<int const*>(rest_);
    t.result = result;
    t.workspace = result + result_bytes;
    t.workspace_bytes = workspace_bytes_;
    if (workspace_bytes_ == 0) t.workspace = nullptr;
    sets_.push_back(t);
  }
  fill();
}

device_sets::~device_sets() {
  static_cast<void>(cudaFree(memory_));
  static_cast<void>(cudaFree(rest_));
}

void device_sets::fill() const {
  element_type const& element = *batch_.what.element;
  for (std::size_t k = 0; k < batch_.inputs.size(); ++k) {
    if (!is_read(batch_.what.what.loss, k)) continue;
    auto const& x = batch_.inputs[k];
    std::vector<unsigned char> narrow(x.size() * element.size);
    element.narrow(x.data(), narrow.data(), index(x.size()));
    auto* const to = tensor(0, input_offsets_[k]);
    require(cudaMemcpy(to, narrow.data(), narrow.size(), cudaMemcpyHostToDevice), "copying inputs");
    // What is there already, again and again: whole periods until the last copy.
    index const row = batch_.input_columns[k] * index(element.size);
    for (index rows = batch_.period; rows < batch_.rows();) {
      index const more = std::min(rows, batch_.rows() - rows);
      require(cudaMemcpy(to + rows * row, to, std::size_t(more * row), cudaMemcpyDeviceToDevice),
              "repeating inputs");
      rows += more;
    }
  }
  for (std::size_t s = 1; s < count(); ++s)
    require(cudaMemcpy(tensor(s, 0), tensor(0, 0), std::size_t(inputs_bytes_), cudaMemcpyDeviceToDevice),
            "copying a set");
  if (batch_.labels.empty()) return;
  std::vector<int> labels(std::size_t(batch_.rows()));
  for (std::size_t i = 0; i < labels.size(); ++i)
    labels[i] = int(batch_.labels[i % std::size_t(batch_.period)]);
  require(cudaMemcpy(rest_, labels.data(), labels.size() * sizeof(int), cudaMemcpyHostToDevice),
          "copying labels");
}

void device_sets::launch(std::size_t set, cudaStream_t stream) const {
  batch_.what.element->launch(batch_.what.what, sets_[set], stream);
}

void device_sets::copy(std::size_t set, cudaStream_t stream) const {
  // No loss reads more than it writes: the second half is outputs alone. Ends are where the device likes them.
  index const half = batch_.bytes() / 2 / alignment * alignment;
  require(cudaMemcpyAsync(tensor(set, set_bytes_ - half), tensor(set, 0), std::size_t(half),
                          cudaMemcpyDeviceToDevice, stream),
          "a copy");
}

std::string device_sets::disagreement(std::size_t set) const {
  element_type const& element = *batch_.what.element;
  auto const& t = sets_[set];
  require(cudaMemset(t.result, 0xff, result_bytes), "clearing the result");
  require(cudaMemset(tensor(set, inputs_bytes_), 0xff, std::size_t(set_bytes_ - inputs_bytes_)),
          "clearing outputs");
  launch(set, nullptr);
  require(cudaDeviceSynchronize(), "a launch");
  float value = 0;
  require(cudaMemcpy(&value, t.result, sizeof value, cudaMemcpyDeviceToHost), "reading the value");

  // All rows, or as many as a period has, from the first to the last.
  index const n = batch_.period;
  std::vector<index> rows;
  for (index i = 0; i < n; ++i) rows.push_back(n == 1 ? 0 : i * (batch_.rows() - 1) / (n - 1));
  std::vector<std::vector<float>> outputs;
  for (std::size_t k = 0; k < t.outputs.size(); ++k) {
    index const columns = batch_.output_columns[k];
    std::size_t const row = std::size_t(columns) * element.size;
    std::vector<unsigned char> narrow(std::size_t(n) * row);
    auto const* const from = static_cast<unsigned char const*>(t.outputs[k]);
    if (n == batch_.rows()) {
      require(cudaMemcpy(narrow.data(), from, narrow.size(), cudaMemcpyDeviceToHost), "reading an output");
    } else {
      for (std::size_t i = 0; i < rows.size(); ++i)
        require(cudaMemcpy(narrow.data() + i * row, from + std::size_t(rows[i]) * row, row,
                           cudaMemcpyDeviceToHost),
                "reading an output");
    }
    outputs.emplace_back(std::size_t(n * columns));
    element.widen(narrow.data(), outputs.back().data(), n * columns);
  }
  return batch_.disagreement(double(value), outputs, rows);
}

timed_work::timed_work(work of, std::size_t sets, way how) : of_(std::move(of)), sets_(sets) {
  require(cudaStreamCreate(&stream_), "a stream");
  require(cudaEventCreate(&start_), "an event");
  require(cudaEventCreate(&end_), "an event");
  if (how == way::launches) return;
  require(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeGlobal), "capturing");
  for (std::size_t s = 0; s < sets_; ++s) of_(s, stream_);
  require(cudaStreamEndCapture(stream_, &graph_), "capturing");
  require(cudaGraphInstantiate(&ready_, graph_, 0), "a graph");
}

timed_work::~timed_work() {
  if (ready_ != nullptr) static_cast<void>(cudaGraphExecDestroy(ready_));
  if (graph_ != nullptr) static_cast<void>(cudaGraphDestroy(graph_));
  if (start_ != nullptr) static_cast<void>(cudaEventDestroy(start_));
  if (end_ != nullptr) static_cast<void>(cudaEventDestroy(end_));
  if (stream_ != nullptr) static_cast<void>(cudaStreamDestroy(stream_));
}

double timed_work::seconds(index runs) {
  index const sets = index(sets_), rounds = (runs + sets - 1) / sets;
  require(cudaEventRecord(start_, stream_), "an event");
  if (ready_ != nullptr) {
    for (index i = 0; i < rounds; ++i) require(cudaGraphLaunch(ready_, stream_), "a graph");
  } else {
    for (index i = 0; i < runs; ++i) {
      of_(next_, stream_);
      next_ = (next_ + 1) % sets_;
    }
  }
  require(cudaEventRecord(end_, stream_), "an event");
  require(cudaEventSynchronize(end_), "a launch");
  float milliseconds = 0;
  require(cudaEventElapsedTime(&milliseconds, start_, end_), "an event");
  double const all = 1e-3 * double(milliseconds);
  return ready_ != nullptr ? all * double(runs) / double(rounds * sets) : all;
}

}  // namespace bench
