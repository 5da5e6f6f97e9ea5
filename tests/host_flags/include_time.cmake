# Reports how long `#include <sage/sage.hpp>` takes to compile: the best of three, without the compiler's own start.
#
#   cmake -D COMPILER=<path> -D INCLUDE_DIR=<include folder> -D BINARY_DIR=<scratch> -P include_time.cmake
cmake_minimum_required(VERSION 3.25)
file(MAKE_DIRECTORY "${BINARY_DIR}")

# Milliseconds of the fastest of three compilations.
function(time_of variable text)
  set(source "${BINARY_DIR}/include_time.cpp")
  file(WRITE "${source}" "${text}")
  foreach(attempt RANGE 1 3)
    string(TIMESTAMP start "%s%f")
    execute_process(COMMAND "${COMPILER}" -std=c++20 -O2 -I "${INCLUDE_DIR}" -c "${source}" -o "${source}.o"
      COMMAND_ERROR_IS_FATAL ANY)
    string(TIMESTAMP end "%s%f")
    math(EXPR time "(${end} - ${start}) / 1000")
    if(NOT DEFINED best OR time LESS best)
      set(best ${time})
    endif()
  endforeach()
  set(${variable} ${best} PARENT_SCOPE)
endfunction()

time_of(empty "")
time_of(included "#include <sage/sage.hpp>\n")
math(EXPR difference "${included} - ${empty}")
message(STATUS "#include <sage/sage.hpp> takes ${difference} ms")
