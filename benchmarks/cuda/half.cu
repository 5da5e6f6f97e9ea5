#include "element.cuh"

bench::element_type const bench::of_half = bench::element_on_device<__half>("half", 2e-3, 6e-8);
