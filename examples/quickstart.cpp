// Losses and gradients of a batch in std::vector: no tensor library, no flags.
#include <sage/sage.hpp>

#include <cstdio>
#include <vector>

int main() {
  // Embeddings (N = 2, D = 2): of the images, of x⁺ that keeps only what is salient, of x⁻ that degrades it.
  std::vector<float> x{0, 0, 1, 1}, x_plus{3, 4, 1, 2}, x_minus{0, 4, 5, 1}, d_x(4), d_plus(4), d_minus(4);
  auto const rows = [](std::vector<float>& v) { return sage::strided_view{v.data(), sage::extents{2, 2}}; };

  sage::triplet_margin_loss<> triplet{.margin = 0.2};
  auto const r =
      triplet.value_and_grad(rows(x), rows(x_plus), rows(x_minus), rows(d_x), rows(d_plus), rows(d_minus));
  std::printf("triplet %.3f, active %d of 2, gradient of the first row %.3f %.3f\n", r.value, int(r.active),
              d_x[0], d_x[1]);

  // Logits (N = 2, K = 2), which shall not change from x to x⁺, and shall find the labels.
  std::vector<float> z{2, 0, 0, 1}, z_plus{1, 0, 0, 1};
  std::vector<int> labels{0, 1};
  auto const consistency = sage::consistency_loss<>{.temperature = 2}(rows(z), rows(z_plus));
  auto const entropy = sage::cross_entropy_loss{.label_smoothing = 0.1}(rows(z), labels);
  std::printf("consistency %.5f, cross entropy %.3f\n", consistency.value, entropy.value);
}
