# The target sage_libtorch_cuda: sage_libtorch and the device's half of a LibTorch built for CUDA, for programs whose calls
# of sage::libtorch nvcc compiles. Where there is none, one line says why.
function(sage_find_libtorch_cuda)
  set(what "the tests of CUDA tensors and sage_train --device cuda")
  if(NOT SAGE_LIBTORCH_CUDA_ROOT)
    sage_left_out("${what}" "no LibTorch built for CUDA")
    return()
  endif()
  if(NOT SAGE_HAS_CUDA)
    sage_left_out("${what}" "no nvcc")
    return()
  endif()

  # Program and LibTorch share one CUDA runtime. Of which CUDA a LibTorch is stands in its version: 2.9.0+cu130.
  set(version "")
  foreach(file IN ITEMS version.py build-version)
    if(NOT version AND EXISTS "${SAGE_LIBTORCH_CUDA_ROOT}/${file}")
      file(STRINGS "${SAGE_LIBTORCH_CUDA_ROOT}/${file}" version REGEX "[+]cu[0-9]+" LIMIT_COUNT 1)
    endif()
  endforeach()
  string(REGEX MATCH "^[0-9]+" major "${CMAKE_CUDA_COMPILER_VERSION}")
  if(version AND NOT version MATCHES "[+]cu${major}[0-9]")
    sage_left_out("${what}" "LibTorch is built for another CUDA than that of nvcc ${CMAKE_CUDA_COMPILER_VERSION}")
    return()
  endif()

  # Of libtorch_cuda.so no symbol is used: it brings the device's part of LibTorch's own functions.
  set(lib "${SAGE_LIBTORCH_CUDA_ROOT}/lib")
  set(libraries "-Wl,--push-state,--no-as-needed,${lib}/libtorch_cuda.so,--pop-state" "${lib}/libc10_cuda.so"
    "${lib}/libtorch_cpu.so" "${lib}/libc10.so")
  set(CMAKE_REQUIRED_LIBRARIES ${libraries})
  set(CMAKE_REQUIRED_QUIET TRUE)
  string(MAKE_C_IDENTIFIER "SAGE_LIBTORCH_LINKS_${SAGE_LIBTORCH_CUDA_ROOT}" links)
  check_cxx_source_compiles("int main() {}" ${links})
  if(NOT ${links})
    unset(${links} CACHE)  # they may be there the next time
    sage_left_out("${what}" "libtorch_cuda.so does not link: libraries that it needs (cuDNN, NCCL, …) are not found")
    return()
  endif()
  add_library(sage_libtorch_cuda INTERFACE)
  target_link_libraries(sage_libtorch_cuda INTERFACE sage_libtorch ${libraries})
  message(STATUS "SAGE: CUDA tensors of that LibTorch, in what nvcc compiles")
endfunction()

sage_find_libtorch_cuda()
