// Mistakes that the compiler must refuse with one of our sentences. MISTAKE selects one; 0 is the program without any,
// which must compile. CMake reads the lines that begin with "// MISTAKE": number | name of the test | sentence.

#include <sage/sage.hpp>

#include <string>
#include <vector>

#if MISTAKE == 0 || MISTAKE >= 30
#include <sage/exec/emulated.hpp>
#include <sage/tensor/device_view.hpp>

namespace {
/// Stands for sage::exec::cuda, which needs nvcc.
struct gpu : sage::exec::emulated_device<> {
  static constexpr auto space = sage::memory_space::cuda;
};
float memory[6];
auto const on_gpu = sage::device_view(memory, 2, 3);
sage::loss_result<float> result;
}  // namespace
#endif

namespace {

std::vector<float> x(6), y(6), z(6), g(6);
std::vector<double> d(6);
std::vector<int> labels(2);
sage::strided_view const m{x.data(), sage::extents{2, 3}};
sage::triplet_margin_loss<> const triplet{};
sage::consistency_loss<> const consistency{};
sage::cross_entropy_loss const cross_entropy{};

#if MISTAKE == 0
void mistake() {
  triplet.value_and_grad(x, y, z, g, sage::skip, sage::skip);
  consistency(m, m);
  cross_entropy(m, labels);
  consistency.value_and_grad(gpu{}, on_gpu, on_gpu, sage::add_to(on_gpu), sage::skip, sage::into(&result));
  sage::saliency_pair<> const pair{};
  pair(gpu{}, on_gpu, on_gpu, on_gpu, sage::skip);
  pair.backward(gpu{}, on_gpu, sage::skip, on_gpu, on_gpu, sage::skip, sage::add_to(on_gpu));
  sage::saliency_map{}.prepare(gpu{}, on_gpu, on_gpu, on_gpu);
}

#elif MISTAKE == 1
// MISTAKE 1 | a type that is no tensor is refused | sage: an input is no tensor: include its header of sage/adapt
void mistake() { triplet(std::string("x"), y, z); }

#elif MISTAKE == 2
// MISTAKE 2 | a loss with too few inputs is refused | sage: a loss takes its inputs
void mistake() { triplet(x); }

#elif MISTAKE == 3
// MISTAKE 3 | forgotten gradient outputs are refused | sage::skip stands for an output that is not wanted
void mistake() { triplet.value_and_grad(x, y, z); }

#elif MISTAKE == 4
// MISTAKE 4 | inputs of different element types are refused | sage: all inputs of a loss have one element type
void mistake() { triplet(x, y, d); }

#elif MISTAKE == 5
// MISTAKE 5 | a const gradient output is refused | sage: a gradient output must be mutable, this one is const
void mistake() {
  std::vector<float> const constant(6);
  consistency.value_and_grad(x, y, constant, sage::skip);
}

#elif MISTAKE == 6
// MISTAKE 6 | a gradient output of another element type is refused | sage: a gradient output has the element type of its inputs
void mistake() { consistency.value_and_grad(x, y, d, sage::skip); }

#elif MISTAKE == 7
// MISTAKE 7 | a gradient output that is no tensor is refused | sage: a gradient output must be a tensor, sage::add_to(tensor) or sage::skip
void mistake() { consistency.value_and_grad(x, y, std::string("g"), sage::skip); }

#elif MISTAKE == 8
// MISTAKE 8 | labels that are no integers are refused | sage: labels are integers, one per sample
void mistake() { sage::sage_loss<>{}(sage::views(m, m, m), sage::views(m, m, m), x); }

#elif MISTAKE == 9
// MISTAKE 9 | an upstream gradient that is neither number nor tensor is refused | sage: upstream must be a number, or a tensor
void mistake() { consistency.backward("1", x, y, g, sage::skip); }

#elif MISTAKE == 10
// MISTAKE 10 | device memory on a host executor is refused | sage: this tensor lives on a CUDA device
void mistake() {
  sage::strided_view<float, 1, sage::memory_space::cuda> const device{x.data(), sage::extents{6}};
  consistency(device, device);
}

#elif MISTAKE == 11
// MISTAKE 11 | traits whose view is no strided_view are refused | sage: tensor_traits<T>::view must return a sage::strided_view
struct grid {};
}  // namespace
template <>
struct sage::tensor_traits<grid> {
  using element_type = float;
  static constexpr std::size_t rank = 1;
  static constexpr auto space = sage::memory_space::host;
  template <class G>
  static auto view(G&) {
    return 1;
  }
};
namespace {
void mistake() {
  grid t;
  sage::as_view(t);
}

#elif MISTAKE == 12
// MISTAKE 12 | a degradation loss without a check is refused | sage: degradation_loss<no_check> has nothing to compute
void mistake() { sage::degradation_loss<sage::no_check>{}(m); }

#elif MISTAKE == 13
// MISTAKE 13 | the complete loss without views is refused | sage: logits and embeddings are given as sage::views(x, plus, minus)
void mistake() { sage::sage_loss<>{}(m, m, labels); }

#elif MISTAKE == 14
// MISTAKE 14 | per-sample losses of another element type are refused | sage: out must be a mutable tensor of the inputs' element type
void mistake() { consistency.per_sample(x, y, d); }

#elif MISTAKE == 15
// MISTAKE 15 | a divergence of logits in a check of distributions is refused | sage: squared_error is of logits, not of distributions
void mistake() { sage::degradation_loss<sage::repel<sage::squared_error>>{}(m, m); }

#elif MISTAKE == 16
// MISTAKE 16 | probabilities of another element type are refused | sage: all inputs of a loss have one element type
void mistake() { cross_entropy(m, d); }

#elif MISTAKE == 17
// MISTAKE 17 | a divergence of logits for yes-or-no labels is refused | sage: squared_error is of logits, not of distributions
void mistake() { sage::binary_consistency_loss<sage::squared_error>{}(m, m); }

#elif MISTAKE == 18
// MISTAKE 18 | an executor without anything behind it is refused | sage: a loss takes its inputs
void mistake() { consistency.backward(sage::exec::scalar{}); }

#elif MISTAKE == 19
// MISTAKE 19 | an argument too many is refused | sage: a loss takes its inputs
void mistake() { consistency(m, m, m); }

#elif MISTAKE == 20
// MISTAKE 20 | an executor behind the tensors is refused | sage: an executor stands before all other arguments
void mistake() { triplet(x, y, z, sage::exec::scalar{}); }

#elif MISTAKE == 21
// MISTAKE 21 | weights before the gradients are refused | sage: sage::weights(w) stands behind all other arguments
void mistake() { consistency.value_and_grad(m, m, sage::weights(x), m, m); }

#elif MISTAKE == 22
// MISTAKE 22 | a backward without the upstream gradient is refused | backward takes the upstream gradient before all of them
void mistake() { consistency.backward(m, m, m, m); }

#elif MISTAKE == 23
// MISTAKE 23 | a cross entropy without labels is refused | sage: cross_entropy_loss takes logits, then labels or probabilities
void mistake() { cross_entropy(m); }

#elif MISTAKE == 24
// MISTAKE 24 | a binary cross entropy without targets is refused | sage: binary_cross_entropy_loss takes logits, then targets
void mistake() { sage::binary_cross_entropy_loss{}.backward(1, m); }

#elif MISTAKE == 25
// MISTAKE 25 | an alignment without maps is refused | sage: cam_alignment_loss takes features, class weights, labels and maps
void mistake() { sage::cam_alignment_loss{}(m, m, labels); }

#elif MISTAKE == 26
// MISTAKE 26 | labels that are no tensor are refused | sage: labels are integers, one per sample
void mistake() { cross_entropy(m, std::string("cat")); }

#elif MISTAKE == 27
// MISTAKE 27 | a batch without labels is refused | sage: this loss takes embeddings and labels
void mistake() { sage::nt_xent_loss<>{}.backward(1, m, m); }

#elif MISTAKE == 28
// MISTAKE 28 | an anchor without a positive is refused | sage: info_nce_loss takes anchor and positive
void mistake() { sage::info_nce_loss<>{}.value_and_grad(m); }

#elif MISTAKE == 29
// MISTAKE 29 | the logits of one view where three belong are refused | sage: logits and embeddings are given as sage::views
void mistake() { sage::sage_loss<>{}(m, m, labels); }

#elif MISTAKE == 30
// MISTAKE 30 | host memory on a device executor is refused | sage: this tensor lives in host memory
void mistake() { consistency(gpu{}, m, m, sage::into(&result)); }

#elif MISTAKE == 31
// MISTAKE 31 | a gradient in host memory on a device executor is refused | sage: this tensor lives in host memory
void mistake() {
  consistency.value_and_grad(gpu{}, on_gpu, on_gpu, sage::add_to(m), sage::skip, sage::into(&result));
}

#elif MISTAKE == 32
// MISTAKE 32 | a gradient in device memory on a host executor is refused | sage: this tensor lives on a CUDA device
void mistake() { consistency.value_and_grad(m, m, on_gpu, sage::skip); }

#elif MISTAKE == 33
// MISTAKE 33 | labels in host memory on a device executor are refused | sage: this tensor lives in host memory
void mistake() { cross_entropy(gpu{}, on_gpu, labels, sage::into(&result)); }

#elif MISTAKE == 34
// MISTAKE 34 | a value on a device without a place for it is refused | sage: a device executor leaves the value on the device
void mistake() { consistency(gpu{}, on_gpu, on_gpu); }

#elif MISTAKE == 35
// MISTAKE 35 | a place for a value of another precision is refused | sage: a device executor leaves the value on the device
void mistake() {
  sage::loss_result<double> wide;
  consistency(gpu{}, on_gpu, on_gpu, sage::into(&wide));
}

#elif MISTAKE == 36
// MISTAKE 36 | a place for the value on a host executor is refused | sage: sage::into(r) is for executors of a device
void mistake() { consistency(m, m, sage::into(&result)); }

#elif MISTAKE == 37
// MISTAKE 37 | the complete loss on a device without its own result is refused | sage::sage_result of the inputs' element type
void mistake() {
  auto const three = sage::views(on_gpu, on_gpu, on_gpu);
  sage::sage_loss<>{}(gpu{}, three, three, sage::device_view(labels.data(), 2), sage::into(&result));
}

#elif MISTAKE == 38
// MISTAKE 38 | a loss of whole batches on a device executor is refused | sage: this loss runs on the host only for now
void mistake() { sage::info_nce_loss<>{}(gpu{}, on_gpu, on_gpu, sage::into(&result)); }

#elif MISTAKE == 39
// MISTAKE 39 | images in host memory on a device executor are refused | sage: this tensor lives in host memory
void mistake() { sage::saliency_pair<sage::channel_mean>{}(gpu{}, m, on_gpu, on_gpu, on_gpu); }

#elif MISTAKE == 40
// MISTAKE 40 | class weights in host memory on a device executor are refused | sage: this tensor lives in host memory
void mistake() { cross_entropy(gpu{}, on_gpu, on_gpu, sage::class_weights(x), sage::into(&result)); }

#elif MISTAKE == 50
// MISTAKE 50 | a copy in device memory on a host executor is refused | sage: this tensor lives on a CUDA device
void mistake() { sage::saliency_pair<>{}(m, m, sage::skip, on_gpu); }

#elif MISTAKE == 51
// MISTAKE 51 | a prepared map in host memory on a device executor is refused | sage: this tensor lives in host memory
void mistake() { sage::saliency_map{}.prepare(gpu{}, on_gpu, m, sage::skip); }

#elif MISTAKE == 52
// MISTAKE 52 | a degradation of the host's alone on a device executor is refused | sage: this degradation is for the host
struct own {
  template <class A>
  own bind(char const*, sage::image_shape const&) const {
    return *this;
  }
};
void mistake() { sage::saliency_pair<own>{}(gpu{}, on_gpu, on_gpu, on_gpu, sage::skip); }

#elif MISTAKE == 41
// MISTAKE 41 | embeddings in host memory beside logits on a device are refused | sage: this tensor lives in host memory
void mistake() {
  sage::sage_result<float> r;
  sage::sage_loss<>{}(gpu{}, sage::views(on_gpu, on_gpu, on_gpu), sage::views(m, m, m),
                      sage::device_view(labels.data(), 2), sage::into(&r));
}

#endif

}  // namespace

int main() { mistake(); }
