# The libraries that tests, examples and benchmarks can use. Each that is found becomes one target:
#
#   sage_libtorch  sage_eigen  sage_xtensor  sage_cuda  sage_stb  sage_cli11     (sage_libtorch_cuda: libtorch_cuda.cmake)
#
# and each that is not costs one line that says what is left out. Nothing is downloaded. Consumers write
# `if(TARGET sage_libtorch)`. The finding is done in functions: variables that a package sets (LibTorch's configuration
# rewrites CMAKE_CXX_FLAGS, for one) end with the function, and only those who link the target see the flags.
include(CheckCXXSourceCompiles)

function(sage_left_out what why)
  message(STATUS "SAGE: ${why}: ${what} left out")
endfunction()

# Headers only, from a package that CMake does not know: one INTERFACE target on the folder that holds `header`; further
# arguments are find_path's.
function(sage_find_headers target header what)
  find_path(${target}_INCLUDE_DIR "${header}" ${ARGN})
  mark_as_advanced(${target}_INCLUDE_DIR)
  if(NOT ${target}_INCLUDE_DIR)
    sage_left_out("${what}" "no ${header}")
    return()
  endif()
  add_library(${target} INTERFACE)
  target_include_directories(${target} SYSTEM INTERFACE "${${target}_INCLUDE_DIR}")
endfunction()

# An imported target of a CMake package, under our name.
function(sage_find_package target package imported what)
  find_package(${package} QUIET CONFIG)
  if(NOT TARGET ${imported})
    sage_left_out("${what}" "no ${package}")
    return()
  endif()
  add_library(${target} INTERFACE)
  target_link_libraries(${target} INTERFACE ${imported})
endfunction()

# The first of some folders that is a LibTorch, or one's CMAKE_PREFIX_PATH or Torch_DIR: sets <root> and <version>.
function(sage_libtorch_at root version)
  foreach(folder IN LISTS ARGN)
    foreach(suffix IN ITEMS . Torch share/cmake/Torch)
      cmake_path(ABSOLUTE_PATH folder NORMALIZE OUTPUT_VARIABLE config)
      cmake_path(APPEND config "${suffix}")
      if(folder AND EXISTS "${config}/TorchConfig.cmake")
        cmake_path(SET found NORMALIZE "${config}/../../..")
        file(STRINGS "${config}/TorchConfigVersion.cmake" line REGEX "PACKAGE_VERSION \"[^\"]+\"" LIMIT_COUNT 1)
        string(REGEX REPLACE ".*\"([^\"]+)\".*" "\\1" line "${line}")
        set(${root} "${found}" PARENT_SCOPE)
        set(${version} "${line}" PARENT_SCOPE)
        return()
      endif()
    endforeach()
  endforeach()
endfunction()

# The LibTorch that CMAKE_PREFIX_PATH or Torch_DIR names, if it is one built for CUDA, as PyPI's package is: sets
# <root> to its folder and <version>. Its own configuration stops CMake where no CUDA toolkit of its version is
# installed; nothing here needs one.
function(sage_find_libtorch_for_cuda root version)
  cmake_path(CONVERT "$ENV{CMAKE_PREFIX_PATH}" TO_CMAKE_PATH_LIST prefixes)
  sage_libtorch_at(found number ${Torch_DIR} ${CMAKE_PREFIX_PATH} ${prefixes} $ENV{Torch_DIR})
  if(found AND EXISTS "${found}/lib/libtorch_cuda.so" AND EXISTS "${found}/lib/libtorch_cpu.so")
    set(${root} "${found}" PARENT_SCOPE)
    set(${version} "${number}" PARENT_SCOPE)
  endif()
endfunction()

# add_library(<target>) for the CPU's half of the LibTorch in a folder.
function(sage_add_libtorch_cpu target root)
  add_library(${target} INTERFACE IMPORTED GLOBAL)
  target_include_directories(${target} SYSTEM INTERFACE "${root}/include" "${root}/include/torch/csrc/api/include")
  target_link_libraries(${target} INTERFACE "${root}/lib/libtorch_cpu.so" "${root}/lib/libc10.so")
endfunction()

# LibTorch: whichever CMAKE_PREFIX_PATH or Torch_DIR names, else the system's; of one built for CUDA the CPU's half.
# LibTorch 1.13 is not valid C++20 for Clang, which rejects std::vector<IValue> where IValue is only declared: a small
# program with the includes of our sources tells, rather than a list of versions.
function(sage_find_libtorch)
  sage_find_libtorch_for_cuda(root Torch_VERSION)
  if(root)
    set(TORCH_LIBRARIES sage_libtorch_cpu)
    set(which "LibTorch ${Torch_VERSION}, the CPU's half of ${root}")
    sage_add_libtorch_cpu(sage_libtorch_cpu "${root}")
    set(SAGE_LIBTORCH_CUDA_ROOT "${root}" PARENT_SCOPE)
  else()
    find_package(Torch QUIET)
    if(NOT Torch_FOUND)
      sage_left_out("the LibTorch tests and sage_train" "no LibTorch")
      return()
    endif()
    set(which "LibTorch ${Torch_VERSION}")
  endif()
  set(CMAKE_CXX_STANDARD 20)
  set(CMAKE_REQUIRED_LIBRARIES ${TORCH_LIBRARIES})
  set(CMAKE_REQUIRED_QUIET TRUE)
  # One answer for each LibTorch: the build folder may have seen another.
  string(MAKE_C_IDENTIFIER "SAGE_LIBTORCH_COMPILES_${Torch_VERSION}${root}" compiles)
  check_cxx_source_compiles(
    "#include <ATen/ATen.h>\n#include <torch/nn/module.h>\nint main() { return c10::IValue(1).toInt() - 1; }" ${compiles})
  if(NOT ${compiles})
    sage_left_out("the LibTorch tests and sage_train"
      "${which} does not compile as C++20, or not link, with ${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
    return()
  endif()
  add_library(sage_libtorch INTERFACE)
  target_link_libraries(sage_libtorch INTERFACE ${TORCH_LIBRARIES})
  # LibTorch's older downloads use libstdc++'s std::string of before 2015; so must all that is linked with it.
  string(FIND "${TORCH_CXX_FLAGS}" "_GLIBCXX_USE_CXX11_ABI=0" old_strings)
  if(NOT old_strings EQUAL -1)
    set(SAGE_LIBTORCH_HAS_OLD_STRINGS TRUE PARENT_SCOPE)
  endif()
  message(STATUS "SAGE: ${which}")
endfunction()

# One more LibTorch, for programs of their own: no program holds two.
set(SAGE_SECOND_TORCH_DIR "" CACHE PATH "A second LibTorch that the tests labelled framework are built and run with, and \
that the benchmarks time")
if(DEFINED ENV{SAGE_SECOND_TORCH_DIR})
  set_property(CACHE SAGE_SECOND_TORCH_DIR PROPERTY VALUE "$ENV{SAGE_SECOND_TORCH_DIR}")
endif()
function(sage_find_second_libtorch)
  if(NOT SAGE_SECOND_TORCH_DIR)
    return()
  endif()
  sage_libtorch_at(root version "${SAGE_SECOND_TORCH_DIR}")
  if(NOT root)
    sage_left_out("a second LibTorch" "no LibTorch in ${SAGE_SECOND_TORCH_DIR}")
    return()
  endif()
  sage_add_libtorch_cpu(sage_second_libtorch "${root}")
  message(STATUS "SAGE: as second LibTorch ${version}, ${root}")
endfunction()

sage_find_libtorch()
sage_find_second_libtorch()
sage_find_package(sage_eigen Eigen3 Eigen3::Eigen "the Eigen tests and quickstart_eigen")
sage_find_package(sage_xtensor xtensor xtensor "the xtensor tests")
# libcu++, which needs no CUDA compiler; the toolkit has it in include/cccl, older ones in include.
sage_find_headers(sage_cuda cuda/std/mdspan "the tests of cuda::std::mdspan"
  HINTS ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES include/cccl include)
sage_find_package(sage_cli11 CLI11 CLI11::CLI11 "sage_train")
sage_find_headers(sage_stb stb/stb_image.h "sage_train")
