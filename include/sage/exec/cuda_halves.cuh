#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/half_format.hpp>

#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace sage {

template <>
inline constexpr bool is_half<__half> = true;
template <>
inline constexpr bool is_half<__nv_bfloat16> = true;

template <>
inline constexpr half_format half_format_of<__half> = half_format::binary16;
template <>
inline constexpr half_format half_format_of<__nv_bfloat16> = half_format::bfloat16;

}  // namespace sage
