// Runs the comparisons of one translation unit, or of two with different flags in one program.

#include <cstdio>

int HOST_FLAGS_ENTRY(char const* reference_file);
#ifdef HOST_FLAGS_OTHER_ENTRY
int HOST_FLAGS_OTHER_ENTRY(char const* reference_file);
#endif

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  int failures = HOST_FLAGS_ENTRY(argv[1]);
#ifdef HOST_FLAGS_OTHER_ENTRY
  failures += HOST_FLAGS_OTHER_ENTRY(argv[1]);
#endif
  std::printf("%d wrong answers\n", failures);
  return failures == 0 ? 0 : 1;
}
