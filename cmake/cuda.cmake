# The CUDA compiler, for the tests and the benchmark of exec/cuda.cuh: the one that CUDACXX or PATH names, or the toolkit's usual place.
# SAGE_CUDA_ARCHITECTURES is kept small, for the compiler's time; the preset `cuda` has all of them.
set(SAGE_CUDA AUTO CACHE STRING "Build the CUDA programs: AUTO where there is a CUDA compiler, ON, or OFF")
set_property(CACHE SAGE_CUDA PROPERTY STRINGS AUTO ON OFF)
set(SAGE_CUDA_ARCHITECTURES 75 CACHE STRING "The architectures that the CUDA programs are compiled for")

if(SAGE_CUDA)
  find_program(SAGE_NVCC NAMES "$ENV{CUDACXX}" nvcc HINTS ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin
    DOC "The CUDA compiler")
  mark_as_advanced(SAGE_NVCC)
  if(SAGE_NVCC)
    if(NOT DEFINED CMAKE_CUDA_COMPILER)
      set(CMAKE_CUDA_COMPILER "${SAGE_NVCC}")
    endif()
    set(CMAKE_CUDA_ARCHITECTURES "${SAGE_CUDA_ARCHITECTURES}")
    enable_language(CUDA)
    message(STATUS "SAGE: CUDA ${CMAKE_CUDA_COMPILER_VERSION}, for ${SAGE_CUDA_ARCHITECTURES}")
  elseif(SAGE_CUDA STREQUAL "AUTO")
    message(STATUS "SAGE: no nvcc: the CUDA tests and benchmark left out")
  else()
    message(FATAL_ERROR "SAGE_CUDA is ${SAGE_CUDA}, and there is no nvcc: name it in CUDACXX")
  endif()
endif()
