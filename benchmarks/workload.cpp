#include "workload.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <stdexcept>

namespace bench {

namespace {

/// The columns of inputs and outputs, and the rows of each.
struct extent {
  index rows, columns;
};
struct layout {
  std::vector<extent> inputs, outputs;
};

layout layout_of(workload const& w) {
  extent const embedding{w.rows, w.length}, logits{w.rows, w.classes};
  switch (w.loss) {
    case loss::triplet:
      return {{embedding, embedding, embedding}, {embedding, embedding, embedding}};
    case loss::consistency:
      return {{logits, logits}, {logits, logits}};
    case loss::cross_entropy:
      return {{logits}, {logits}};
    case loss::sage:
      return {{logits, logits, logits, embedding, embedding, embedding},
              {logits, logits, embedding, embedding, embedding}};
    case loss::blur_pair: {
      extent const images{w.rows * w.channels, w.length * w.classes}, maps{w.rows, w.length * w.classes};
      return {{images, maps}, {images, images, images}};
    }
  }
  return {};
}

constexpr std::size_t alignment = 64;

template <class T>
std::size_t bytes_of(extent const& e) {
  return (std::size_t(e.rows * e.columns) * sizeof(T) + alignment - 1) / alignment * alignment;
}

template <class T>
std::size_t set_bytes(layout const& l) {
  std::size_t r = 0;
  for (auto const& e : l.inputs) r += bytes_of<T>(e);
  for (auto const& e : l.outputs) r += bytes_of<T>(e);
  return r;
}

/// Logits and embeddings are normal; x⁺ lies near x, so that half of the triplets and more are active; x⁻ is
/// independent. Images and maps are uniform.
template <class T>
void fill(workload const& w, std::vector<operand<T>> const& inputs) {
  using A = arithmetic_t<T>;
  std::mt19937 bits(42);
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    auto const& x = inputs[k];
    bool const is_near = (w.loss == loss::triplet || w.loss == loss::consistency) ? k == 1
                         : w.loss == loss::sage                                   ? k == 1 || k == 4
                                                                                  : false;
    bool const is_minus = (w.loss == loss::triplet && k == 2) || (w.loss == loss::sage && k == 5);
    for (index i = 0; i < x.size(); ++i) {
      if (w.loss == loss::blur_pair) {
        x.data[i] = T(uniform(bits));
      } else if (is_near) {
        x.data[i] = T(A(inputs[k - 1].data[i]) + A(0.5f * normal(bits)));
      } else if (is_minus) {  // at the distance of x⁺, give or take the margin: hinges of both kinds
        x.data[i] = T(A(inputs[k - 2].data[i]) + A((i / x.columns % 2 == 0 ? 0.3f : 1.f) * normal(bits)));
      } else {
        x.data[i] = T(normal(bits));
      }
    }
  }
}

}  // namespace

std::string name_of(workload const& w) {
  static char const* const losses[] = {"triplet", "consistency", "cross_entropy", "sage", "blur_pair"};
  static char const* const modes[] = {"value", "value_and_grad", "backward", "pair"};
  static char const* const elements[] = {"/float/", "/double/", "/half/", "/bfloat16/"};
  auto const text = [](index n) { return std::to_string(n); };
  std::string r = w.family.empty() ? "" : w.family + "/";
  r += std::string(losses[int(w.loss)]) + "/" + modes[int(w.mode)] + elements[int(w.element)];
  switch (w.loss) {
    case loss::triplet:
      r += text(w.rows) + "x" + text(w.length);
      break;
    case loss::sage:
      r += text(w.rows) + "x(" + text(w.length) + "," + text(w.classes) + ")";
      break;
    case loss::blur_pair:
      r += text(w.rows) + "x" + text(w.channels) + "x" + text(w.length) + "x" + text(w.classes) +
           ",sigma=" + text(index(w.sigma));
      break;
    default:
      r += text(w.rows) + "x" + text(w.classes);
  }
  return r + (w.beyond_cache ? "/memory" : "");
}

template <class T>
std::vector<std::size_t> written(batch<T> const& b) {
  if (b.what.mode == mode::value) return {};
  std::size_t const count = b.what.loss == loss::blur_pair ? 2 : b.sets[0].outputs.size();
  std::vector<std::size_t> r(count);
  for (std::size_t k = 0; k < count; ++k) r[k] = k;
  return r;
}

template <class T>
std::size_t sets_of(workload const& w, std::size_t rotate_bytes) {
  std::size_t const one = set_bytes<T>(layout_of(w));
  return w.beyond_cache ? std::max<std::size_t>(2, (rotate_bytes + one - 1) / one) : 1;
}

template <class T>
batch<T>::batch(workload const& w, std::size_t count) : what(w) {
  layout const l = layout_of(w);
  std::size_t const all_bytes = count * set_bytes<T>(l);
  memory_ = std::aligned_alloc(4096, (all_bytes + 4095) / 4096 * 4096);
  if (memory_ == nullptr)
    throw std::runtime_error(name_of(w) + ": no " + std::to_string(all_bytes >> 20) +
                             " MiB of memory to be had");
  std::memset(memory_, 0, all_bytes);

  auto* at = static_cast<char*>(memory_);
  std::vector<operand<T>> first;
  for (std::size_t s = 0; s < count; ++s) {
    tensors<T> t;
    for (auto const& e : l.inputs) {
      operand<T> const x{reinterpret_cast<T*>(at), e.rows, e.columns};
      if (s == 0) {
        first.push_back(x);
      } else {
        std::memcpy(x.data, sets[0].inputs[t.inputs.size()].data, std::size_t(x.size()) * sizeof(T));
      }
      t.inputs.push_back({x.data, x.rows, x.columns});
      at += bytes_of<T>(e);
    }
    for (auto const& e : l.outputs) {
      t.outputs.push_back({reinterpret_cast<T*>(at), e.rows, e.columns});
      at += bytes_of<T>(e);
    }
    if (s == 0) fill(w, first);
    sets.push_back(t);
  }
  std::mt19937 bits(7);
  for (index i = 0; i < w.rows && w.classes > 0; ++i)
    labels.push_back(std::int64_t(bits() % std::uint64_t(w.classes)));

  // z⁻ is an operand of the complete loss, which has no term that reads it.
  for (std::size_t k = 0; k < l.inputs.size(); ++k)
    if (!(w.loss == loss::sage && k == 2)) bytes += l.inputs[k].rows * l.inputs[k].columns * index(sizeof(T));
  for (std::size_t const k : written(*this))
    bytes += l.outputs[k].rows * l.outputs[k].columns * index(sizeof(T));
}

template <class T>
batch<T>::~batch() {
  std::free(memory_);
}

#define INSTANTIATE(T)                                           \
  template std::size_t sets_of<T>(workload const&, std::size_t); \
  template class batch<T>;                                       \
  template std::vector<std::size_t> written(batch<T> const&);
INSTANTIATE(float)
INSTANTIATE(double)
SAGE_BENCH_NARROW_TYPES(INSTANTIATE)
#undef INSTANTIATE

}  // namespace bench
