#pragma once

#include <sage/core/accumulator.hpp>
#include <sage/core/config.hpp>

#include <limits>
#include <type_traits>

namespace sage {

/// How the 16 bits of a half type stand for a number.
enum class half_format { unknown, binary16, bfloat16 };

/// The format of T, as far as the library knows: by std::numeric_limits<T>. Rows of known formats are converted by vector
/// instructions that read and write the bits; those of others element by element, by T's own conversions.
/// Specialise it for a half type of your own without limits whose bits are of IEEE binary16, or of bfloat16, and which is
/// rounded to the nearest, ties to even.
template <class T>
inline constexpr half_format half_format_of =
    !is_half<T> || sizeof(T) != 2 || !std::is_trivially_copyable_v<T> || std::numeric_limits<T>::radix != 2
        ? half_format::unknown
    : std::numeric_limits<T>::digits == 11 && std::numeric_limits<T>::max_exponent == 16
        ? half_format::binary16
    : std::numeric_limits<T>::digits == 8 && std::numeric_limits<T>::max_exponent == 128
        ? half_format::bfloat16
        : half_format::unknown;

// Compilers may have the types without their limits.
#if SAGE_HAS_FLOAT16
template <>
inline constexpr half_format half_format_of<_Float16> = half_format::binary16;
#endif
#if defined(__STDCPP_BFLOAT16_T__)
template <>
inline constexpr half_format half_format_of<decltype(0.0bf16)> = half_format::bfloat16;
#endif

}  // namespace sage
