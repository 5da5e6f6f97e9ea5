#include "sage.hpp"

template void bench::add_sage(providers&, batch<bfloat16>&, settings const&);
