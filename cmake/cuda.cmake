# The CUDA compiler, for the tests and the benchmark of exec/cuda.cuh: the one that CUDACXX or PATH names, or the
# toolkit's usual place. Sets SAGE_HAS_CUDA. The architectures are few, for the compiler's time; the preset `cuda` has all
# of them.
include(CheckLanguage)
set(SAGE_CUDA AUTO CACHE STRING "Build the CUDA programs: AUTO where there is a CUDA compiler, ON, or OFF")
set_property(CACHE SAGE_CUDA PROPERTY STRINGS AUTO ON OFF)
set(SAGE_CUDA_ARCHITECTURES 75 CACHE STRING "The architectures that the CUDA programs are compiled for")

set(SAGE_HAS_CUDA OFF)
if(SAGE_CUDA)
  find_program(SAGE_NVCC NAMES "$ENV{CUDACXX}" nvcc HINTS ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin
    DOC "The CUDA compiler")
  mark_as_advanced(SAGE_NVCC)
  if(SAGE_NVCC)
    set(ENV{CUDACXX} "${SAGE_NVCC}")
    check_language(CUDA)  # it may not get along with the host's compiler
  endif()
  if(CMAKE_CUDA_COMPILER)
    set(CMAKE_CUDA_ARCHITECTURES "${SAGE_CUDA_ARCHITECTURES}")
    enable_language(CUDA)
    # No -O3 for the host's half, which would double the compiler's time; the device's half has it always.
    set(CMAKE_CUDA_FLAGS_RELEASE "-DNDEBUG")
    if(CMAKE_CUDA_COMPILER_VERSION VERSION_GREATER_EQUAL 12.0)  # C++20
      set(SAGE_HAS_CUDA ON)
      message(STATUS "SAGE: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, for ${SAGE_CUDA_ARCHITECTURES}")
    endif()
  endif()
  if(NOT SAGE_HAS_CUDA AND SAGE_CUDA STREQUAL "AUTO")
    message(STATUS "SAGE: no working nvcc from 12.0 on: the CUDA tests and benchmark left out")
  elseif(NOT SAGE_HAS_CUDA)
    message(FATAL_ERROR "SAGE_CUDA is ${SAGE_CUDA}, and there is no working nvcc from 12.0 on: name one in CUDACXX")
  endif()
endif()
