# Compiles kernels.cu for every architecture and element type; nothing may be printed but the assembler's report, and in
# it no kernel of float may put registers aside in memory.
#
#   cmake -D NVCC=<path> -D HOST_COMPILER=<path> -D INCLUDE_DIR=<include folder> -D BINARY_DIR=<scratch>
#         [-D ARCHITECTURES="75 90"] [-D ELEMENTS=float] -P check_kernels.cmake
cmake_minimum_required(VERSION 3.25)
if(NOT ARCHITECTURES)
  set(ARCHITECTURES "75 80 86 87 88 89 90 100 103 110 120 121")
endif()
if(NOT ELEMENTS)
  set(ELEMENTS "float double __half __nv_bfloat16")
endif()
separate_arguments(ARCHITECTURES UNIX_COMMAND "${ARCHITECTURES}")
separate_arguments(ELEMENTS UNIX_COMMAND "${ELEMENTS}")
file(MAKE_DIRECTORY "${BINARY_DIR}")

set(failures 0)
foreach(architecture IN LISTS ARCHITECTURES)
  foreach(element IN LISTS ELEMENTS)
    execute_process(
      COMMAND "${NVCC}" -std=c++20 -ccbin "${HOST_COMPILER}" -arch=sm_${architecture} -D ELEMENT=${element} -Xptxas -v
              -Xcompiler -Wall,-Wextra,-Wshadow,-Wconversion -I "${INCLUDE_DIR}" -c
              "${CMAKE_CURRENT_LIST_DIR}/kernels.cu" -o "${BINARY_DIR}/kernels.o"
      RESULT_VARIABLE result OUTPUT_VARIABLE report ERROR_VARIABLE report)
    if(NOT result EQUAL 0 OR report MATCHES "warning")
      message("sm_${architecture}, ${element}:\n${report}")
      math(EXPR failures "${failures} + 1")
      continue()
    endif()
    string(REGEX MATCHALL "Used [0-9]+ registers" kernels "${report}")
    list(LENGTH kernels count)
    list(TRANSFORM kernels REPLACE "[^0-9]" "")
    list(SORT kernels COMPARE NATURAL ORDER DESCENDING)
    list(GET kernels 0 most)
    # "ptxas info    : Function properties for <kernel>\n    … bytes stack frame, … bytes spill stores, …"
    string(REGEX MATCHALL "properties for [^\n]+\n[^\n]+ [1-9][0-9]* bytes spill stores" spills "${report}")
    list(LENGTH spills spilling)
    message(STATUS "sm_${architecture}, ${element}: ${count} kernels, at most ${most} registers, ${spilling} spill")
    if(element STREQUAL "float" AND spilling GREATER 0)
      list(JOIN spills "\n" spills)
      message("sm_${architecture}, ${element}: kernels that spill:\n${spills}")
      math(EXPR failures "${failures} + 1")
    endif()
  endforeach()
endforeach()
if(failures GREATER 0)
  message(FATAL_ERROR "${failures} compilations failed, were not silent or spilled")
endif()
