#include "provider.hpp"

#include <omp.h>

/// A host that has its own threads, by OpenMP: the only source that is compiled for it.
void bench::openmp_region(int threads, std::function<void(int thread, int count)> const& body) {
#pragma omp parallel num_threads(threads)
  body(omp_get_thread_num(), omp_get_num_threads());
}
