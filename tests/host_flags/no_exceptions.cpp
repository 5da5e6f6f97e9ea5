// Compiled without exceptions: an error's sentence goes to the handler that the program puts in place.
// Exit status 0 if the handler was called with it.

#include <sage/sage.hpp>

#include <cstdlib>
#include <string_view>
#include <vector>

int main() {
  sage::on_error() = [](char const* sentence) {
    std::string_view const expected = "triplet_margin_loss: negative has shape (2, 2), anchor (2, 3)";
    std::exit(sentence == expected ? 0 : 1);
  };
  std::vector<float> const x(6);
  sage::strided_view const right{x.data(), sage::extents{2, 3}}, wrong{x.data(), sage::extents{2, 2}};
  sage::triplet_margin_loss<>{}(right, right, wrong);
  return 2;  // the error went unnoticed
}
