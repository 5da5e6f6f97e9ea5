#include "sage.hpp"

#if SAGE_BENCH_FLOAT16
template void bench::add_sage(providers&, batch<half>&, settings const&);
#endif
