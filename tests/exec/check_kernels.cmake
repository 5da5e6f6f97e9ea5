# Compiles the kernels of a source in every element type and for every architecture (from the code of the first of them, as a device
# that is newer than a program does); nothing may be printed but the assembler's report, and in it no kernel of float may
# put registers aside in memory.
#
#   cmake -D NVCC=<path> -D HOST_COMPILER=<path> -D INCLUDE_DIR=<include folder> -D BINARY_DIR=<scratch>
#         -D SOURCE=<kernels.cu>
#         [-D ARCHITECTURES="75 90"] [-D ELEMENTS=float] -P check_kernels.cmake
cmake_minimum_required(VERSION 3.25)
if(NOT ARCHITECTURES)
  set(ARCHITECTURES "75 80 86 87 88 89 90 100 103 110 120 121")
endif()
if(NOT ELEMENTS)
  set(ELEMENTS "float double __half __nv_bfloat16")
endif()
separate_arguments(ARCHITECTURES UNIX_COMMAND "${ARCHITECTURES}")
execute_process(COMMAND "${NVCC}" --list-gpu-code OUTPUT_VARIABLE known COMMAND_ERROR_IS_FATAL ANY)
foreach(architecture IN LISTS ARCHITECTURES)
  if(NOT known MATCHES "sm_${architecture}[^0-9]")
    message(STATUS "sm_${architecture} is left out: this nvcc does not know it")
    list(REMOVE_ITEM ARCHITECTURES "${architecture}")
  endif()
endforeach()
separate_arguments(ELEMENTS UNIX_COMMAND "${ELEMENTS}")
file(MAKE_DIRECTORY "${BINARY_DIR}")
list(GET ARCHITECTURES 0 first)
list(JOIN ARCHITECTURES ",sm_" targets)

set(failures 0)
foreach(element IN LISTS ELEMENTS)
  execute_process(
    COMMAND "${NVCC}" -std=c++20 -ccbin "${HOST_COMPILER}" -gencode "arch=compute_${first},code=[sm_${targets}]"
            -D ELEMENT=${element} -Xptxas -v -Xcompiler -Wall,-Wextra,-Wshadow,-Wconversion -I "${INCLUDE_DIR}"
            -c "${SOURCE}" -o "${BINARY_DIR}/kernels.o"
    RESULT_VARIABLE result OUTPUT_VARIABLE report ERROR_VARIABLE report)
  if(NOT result EQUAL 0 OR report MATCHES "warning")
    message("${element}:\n${report}")
    math(EXPR failures "${failures} + 1")
    continue()
  endif()
  # "ptxas info    : Compiling entry function '<kernel>' for 'sm_75'
  #  ptxas info    : Function properties for <kernel>
  #      0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
  #  ptxas info    : Used 40 registers, …"
  foreach(architecture IN LISTS ARCHITECTURES)
    string(REGEX MATCHALL "for 'sm_${architecture}'\n[^\n]+\n[^\n]+\n[^\n]+Used [0-9]+ registers" kernels "${report}")
    list(LENGTH kernels count)
    if(count EQUAL 0)
      message(FATAL_ERROR "no kernels in the report:\n${report}")
    endif()
    set(spilling "${kernels}")
    list(FILTER spilling INCLUDE REGEX "[1-9][0-9]* bytes spill stores")
    list(LENGTH spilling spills)
    list(TRANSFORM kernels REPLACE ".*Used ([0-9]+) registers" "\\1")
    list(SORT kernels COMPARE NATURAL ORDER DESCENDING)
    list(GET kernels 0 most)
    message(STATUS "${element}, sm_${architecture}: ${count} kernels, at most ${most} registers, ${spills} spill")
    if(element STREQUAL "float" AND spills GREATER 0)
      message("${spilling}")
      math(EXPR failures "${failures} + 1")
    endif()
  endforeach()
endforeach()
if(failures GREATER 0)
  message(FATAL_ERROR "${failures} compilations failed, were not silent or spilled")
endif()
