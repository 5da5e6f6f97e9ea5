// The entry point of the test programs, for a Catch2 that comes without one (v2 before its 13th minor version).

#if !__has_include(<catch2/catch_all.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
