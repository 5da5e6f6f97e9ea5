#include <sage/sage.hpp>

#include <string_view>
#include <vector>

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
constexpr std::string_view header_version =
    TEXT(SAGE_VERSION_MAJOR) "." TEXT(SAGE_VERSION_MINOR) "." TEXT(SAGE_VERSION_PATCH);
static_assert(header_version == PACKAGE_VERSION, "the package and the headers have one version");

// 0 if the loss of equal rows is the margin.
int main() {
  std::vector<double> const row{1, 2, 3};
  double const error = sage::triplet_margin_loss<>{.margin = 2}(row, row, row).value - 2;
  return error < 1e-12 && error > -1e-12 ? 0 : 1;
}
