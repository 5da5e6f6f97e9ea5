#include "sage.hpp"

template void bench::add_sage(providers&, batch<float>&, settings const&);
