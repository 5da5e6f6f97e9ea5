#include "element.cuh"

bench::element_type const bench::of_float = bench::element_on_device<float>("float", 1e-4, 1e-45);
