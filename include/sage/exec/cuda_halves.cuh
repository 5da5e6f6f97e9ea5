#pragma once

#include <sage/core/accumulator.hpp>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace sage {

template <>
inline constexpr bool is_half<__half> = true;
template <>
inline constexpr bool is_half<__nv_bfloat16> = true;

}  // namespace sage
