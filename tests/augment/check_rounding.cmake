# The noise, and the pair made with it, have the bits of the host on a GPU, too: in their kernel no product may be fused
# with a sum, neither by nvcc (fma) nor later by the assembler (mul without .rn), and no function approximated.
#
#   cmake -D NVCC=<path> -D HOST_COMPILER=<path> -D INCLUDE_DIR=<include folder> -P check_rounding.cmake
cmake_minimum_required(VERSION 3.25)
execute_process(
  COMMAND "${NVCC}" -std=c++20 -ccbin "${HOST_COMPILER}" -arch=compute_75 -I "${INCLUDE_DIR}" --ptx -o -
          "${CMAKE_CURRENT_LIST_DIR}/noise.cu"
  OUTPUT_VARIABLE kernels COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "mul[.]rn[.]f32" products "${kernels}")
string(REGEX MATCHALL "[ \t](fma|mad|mul[.]f|mul[.]ftz|div[.]|[a-z0-9.]*approx)[^\n;]*f(32|64)[^\n]*" fused "${kernels}")
list(LENGTH products count)
if(count LESS 50)
  message(FATAL_ERROR "${count} products in the kernel, which has about a hundred: this test sees nothing")
endif()
if(fused)
  list(JOIN fused "\n" fused)
  message(FATAL_ERROR "not rounded one by one:\n${fused}")
endif()
message(STATUS "${count} products, each rounded")
