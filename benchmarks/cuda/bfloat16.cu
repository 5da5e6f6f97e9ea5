#include "element.cuh"

bench::element_type const bench::of_bfloat16 =
    bench::element_on_device<__nv_bfloat16>("bfloat16", 1e-2, 1e-40);
