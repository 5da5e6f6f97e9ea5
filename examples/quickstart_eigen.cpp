// The batch of quickstart.cpp in Eigen, and the complete SAGE loss. Matrices of either order go straight in.
#include <sage/adapt/eigen.hpp>
#include <sage/sage.hpp>

#include <Eigen/Core>

#include <cstdio>

int main() {
  // Embeddings (N = 2, D = 2): of the images, of x⁺ that keeps only what is salient, of x⁻ that degrades it.
  Eigen::MatrixXf const x{{0, 0}, {1, 1}}, x_plus{{3, 4}, {1, 2}}, x_minus{{0, 4}, {5, 1}};
  Eigen::MatrixXf d_x(2, 2), d_z(2, 2);

  sage::triplet_margin_loss<> triplet{.margin = 0.2};
  auto const r = triplet.value_and_grad(x, x_plus, x_minus, d_x, sage::skip, sage::skip);
  std::printf("triplet %.3f, active %d of 2, gradient of the first row %.3f %.3f\n", r.value, int(r.active),
              d_x(0, 0), d_x(0, 1));

  // Rows, blocks, maps and expressions are arguments like any other.
  std::printf("first row alone %.3f, all halved %.3f\n",
              triplet(x.row(0), x_plus.row(0), x_minus.row(0)).value,
              triplet(0.5f * x, 0.5f * x_plus, 0.5f * x_minus).value);

  // Everything in one call, from logits (N = 2, K = 2) and embeddings of the three views: every term by name.
  Eigen::MatrixXf const z{{2, 0}, {0, 1}}, z_plus{{1, 0}, {0, 1}}, z_minus{{0, 0}, {0, 0}};
  Eigen::VectorXi const labels{{0, 1}};
  sage::sage_loss<> loss{.margin = 0.5, .consistency_weight = 2};
  auto const s =
      loss.value_and_grad(sage::views(z, z_plus, z_minus), sage::views(x, x_plus, x_minus), labels,
                          sage::views(d_z, sage::skip, sage::skip), sage::views(d_x, sage::skip, sage::skip));
  std::printf("total %.3f = %.3f + %.3f + triplet %.3f + 2 * consistency %.4f\n", s.value, s.classification,
              s.positive_classification, s.triplet, s.consistency);
}
