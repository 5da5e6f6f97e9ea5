# Checks the arrows of the house: who may include what, from the #include lines alone.
#
#   cmake -D INCLUDE_DIR=<absolute path of the include folder> -P check_includes.cmake
#
# Every violation is one line `file: sentence`.
cmake_minimum_required(VERSION 3.25)

# A folder may include itself, and what stands here: the design's arrows and what they lead to in turn.
set(may_include_core "")
set(may_include_math core)
set(may_include_tensor core)
set(may_include_formula math core)
set(may_include_exec math tensor core)
set(may_include_loss formula exec tensor math core)
set(may_include_augment formula exec tensor math core)
set(may_include_adapt tensor core)
set(may_include_framework adapt augment loss formula exec tensor math core)
set(may_include_. augment loss formula exec tensor math core)  # sage.hpp itself: the standard library suffices

# A foreign library by the first folder of its headers. A file that includes one is named after it, and stands in
# adapt/ or framework/.
set(library_of_Eigen eigen)
set(library_of_unsupported eigen)
set(library_of_xtensor xtensor)
set(library_of_xtl xtensor)
set(library_of_ATen libtorch)
set(library_of_c10 libtorch)
set(library_of_torch libtorch)
set(library_of_cuda cuda)  # libcu++: <cuda/std/mdspan>

set(standard_headers
  algorithm any array atomic barrier bit bitset cassert cerrno cfenv cfloat charconv chrono cinttypes climits cmath
  compare complex concepts condition_variable coroutine csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime
  deque exception execution filesystem format forward_list fstream functional future initializer_list iomanip ios
  iosfwd iostream istream iterator latch limits list locale map memory memory_resource mutex new numbers numeric
  optional ostream queue random ranges ratio regex scoped_allocator semaphore set shared_mutex source_location span
  sstream stack stdexcept stdfloat stop_token streambuf string string_view syncstream system_error thread tuple
  type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version
  unistd.h)  # POSIX's, where there is one: the thread pool must know that it was forked

# Streams and locales cost every source file that includes them, and <iostream> an initialiser in every program: for
# framework/ alone, whose frameworks print their modules to streams.
set(headers_of_streams
  codecvt fstream iomanip ios iosfwd iostream istream locale ostream regex spanstream sstream streambuf strstream
  syncstream)

set(violations 0)
function(violation sentence)
  message("${file}: ${sentence}")
  math(EXPR count "${violations} + 1")
  set(violations ${count} PARENT_SCOPE)
endfunction()

file(GLOB_RECURSE files RELATIVE "${INCLUDE_DIR}/sage" "${INCLUDE_DIR}/sage/*")
list(LENGTH files total)
if(total EQUAL 0)
  message(FATAL_ERROR "no headers below ${INCLUDE_DIR}/sage")
endif()

set(arrows 0)
foreach(file IN LISTS files)
  cmake_path(GET file PARENT_PATH folder)
  string(REGEX REPLACE "/.*" "" folder "${folder}")
  if(folder STREQUAL "")
    set(folder .)
  endif()
  if(NOT DEFINED may_include_${folder})
    violation("the house has no room named ${folder}")
  endif()
  if(file MATCHES "[.]cuh$" AND NOT folder MATCHES "^(exec|framework)$")
    violation("device headers (.cuh) stand in exec/ and framework/ only")
  endif()

  file(STRINGS "${INCLUDE_DIR}/sage/${file}" lines REGEX "^[ \t]*#[ \t]*include")
  foreach(line IN LISTS lines)
    math(EXPR arrows "${arrows} + 1")
    string(REGEX REPLACE "^[ \t]*#[ \t]*include[ \t]*" "" what "${line}")
    if(NOT what MATCHES "^<([^>]+)>")
      violation("includes ${what}: headers are named in angle brackets, from the include folder on")
    elseif(what MATCHES "^<sage/(([^/>]+)/)?[^>]+>")
      set(other "${CMAKE_MATCH_2}")
      if(other STREQUAL "")
        if(NOT folder STREQUAL "framework")
          violation("includes ${what}: only framework/ sees the whole library")
        endif()
      elseif(NOT other STREQUAL folder AND NOT other IN_LIST may_include_${folder})
        violation("includes ${what}: ${folder}/ may not include ${other}/")
      endif()
      # A framework has tensors of both; what chooses between them asks whether nvcc reads it.
      if(what MATCHES "[.]cuh>" AND NOT file MATCHES "([.]cuh|^framework/.*/accelerator[.]hpp)$")
        violation("includes ${what}: the host compiler cannot read device headers")
      endif()
    elseif(what MATCHES "^<([^/>]+)/")
      set(library "${library_of_${CMAKE_MATCH_1}}")
      if(NOT folder MATCHES "^(adapt|framework)$")
        violation("includes ${what}: foreign libraries are for adapt/ and framework/")
      elseif(library STREQUAL "" OR NOT file MATCHES "^${folder}/${library}[./_]")
        violation("includes ${what}: a file includes the one foreign library that it is named after")
      endif()
    else()
      string(REGEX REPLACE "^<([^>]+)>.*" "\\1" name "${what}")
      if(name MATCHES "^cuda_")
        if(NOT file MATCHES "[.]cuh$")
          violation("includes ${what}: CUDA's headers are for device headers (.cuh)")
        endif()
      elseif(NOT name IN_LIST standard_headers)
        violation("includes ${what}: not a header of the C++ standard library")
      elseif(name IN_LIST headers_of_streams AND NOT folder STREQUAL "framework")
        violation("includes ${what}: streams and locales are for framework/ alone")
      endif()
    endif()
  endforeach()
endforeach()

message(STATUS "${total} headers, ${arrows} includes")
if(violations GREATER 0)
  message(FATAL_ERROR "${violations} includes go against the arrows")
endif()
