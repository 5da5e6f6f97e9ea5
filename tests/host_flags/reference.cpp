// Writes the reference into the file that is the argument: every answer in long double, one element after the other.
// One line each: <count> <number>... <name>

#include "answers.hpp"

#include <cstdio>

int main(int argc, char** argv) {
  std::FILE* const file = argc == 2 ? std::fopen(argv[1], "w") : nullptr;
  if (!file) return 2;
  for (auto [rows, length] : host_flags::shapes) {
    for (auto const& a : host_flags::answers<long double>(sage::exec::scalar{}, rows, length)) {
      std::fprintf(file, "%zu", a.numbers.size());
      for (long double x : a.numbers) std::fprintf(file, " %.21Lg", x);
      std::fprintf(file, " %s\n", a.name.c_str());
    }
  }
  return std::fclose(file) == 0 ? 0 : 1;
}
