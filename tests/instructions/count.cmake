# Counts the instructions of the kernels with callgrind, and compares them with the table or writes them into it.
#
#   cmake -D VALGRIND=<path> -D PROGRAM=<sage_instructions> -D COMPILER="<name and version>" -D TABLE=<file>
#         -D BINARY_DIR=<scratch> [-D REFRESH=ON] -P count.cmake
#
# valgrind knows no AVX-512, whatever the processor has: AVX2 and SSE2 are counted.
cmake_minimum_required(VERSION 3.25)

# Two builds by one compiler differ by nothing; what does differ between machines is the C library, which computes a few
# functions of each row. A kernel that is no longer inlined or vectorised differs by far more.
set(percent 3)

file(STRINGS "${TABLE}" table ENCODING UTF-8)
string(REGEX REPLACE "([.+])" "[\\1]" lines_of_compiler "^${COMPILER}")
string(APPEND lines_of_compiler " +[|]")
set(of_compiler "${table}")
list(FILTER of_compiler INCLUDE REGEX "${lines_of_compiler}")
if(NOT of_compiler AND NOT REFRESH)
  message("skipped: the table has no figures of ${COMPILER}")
  return()
endif()

set(failures 0)
set(new "")
foreach(isa IN ITEMS avx2 sse2)
  set(folder "${BINARY_DIR}/${isa}")
  file(REMOVE_RECURSE "${folder}")
  file(MAKE_DIRECTORY "${folder}")
  # One file for each call of the function `measured`: counts.1, counts.2, ...
  execute_process(
    COMMAND "${CMAKE_COMMAND}" -E env SAGE_ISA=${isa} "${VALGRIND}" --quiet --tool=callgrind
            --toggle-collect=measured --dump-after=measured "--callgrind-out-file=${folder}/counts" "${PROGRAM}"
    OUTPUT_VARIABLE kernels COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]+" kernels "${kernels}")
  list(POP_FRONT kernels in_use)
  if(NOT in_use STREQUAL isa)
    message("${isa} is not counted: the processor has no more than ${in_use}")
    list(APPEND new "${of_compiler}")
    list(FILTER new INCLUDE REGEX "[|] ${isa} [|]")
    continue()
  endif()

  set(number 0)
  foreach(kernel IN LISTS kernels)
    math(EXPR number "${number} + 1")
    file(STRINGS "${folder}/counts.${number}" total REGEX "^totals: ")
    string(REGEX MATCH "[0-9]+" total "${total}")
    if(NOT total GREATER 0)
      message(FATAL_ERROR "callgrind counted nothing for ${kernel}")
    endif()
    string(LENGTH "${kernel}" width)
    math(EXPR width "24 - ${width}")
    string(REPEAT " " ${width} padding)
    list(APPEND new "${COMPILER} | ${isa} | ${kernel}${padding} | ${total}")

    set(expected "")
    foreach(line IN LISTS of_compiler)
      string(REGEX REPLACE " *[|] *" "|" line "${line}")
      string(FIND "${line}" "${COMPILER}|${isa}|${kernel}|" at)
      if(at EQUAL 0)
        string(REGEX REPLACE ".*[|]" "" expected "${line}")
      endif()
    endforeach()
    set(verdict "")
    if(NOT expected)
      set(verdict "  is not in the table")
    else()
      math(EXPR tenths "(${total} - ${expected}) * 1000 / ${expected}")
      math(EXPR limit "${percent} * 10")
      if(tenths GREATER limit OR tenths LESS -${limit})
        string(REGEX REPLACE "([0-9])$" ".\\1" change "${tenths}")
        set(verdict "  the table says ${expected}: ${change} per cent")
      endif()
    endif()
    if(verdict)
      math(EXPR failures "${failures} + 1")
    endif()
    message("${isa}  ${kernel}${padding} ${total}${verdict}")
  endforeach()
endforeach()

if(REFRESH)
  list(FILTER table EXCLUDE REGEX "${lines_of_compiler}")
  list(JOIN table "\n" text)
  list(JOIN new "\n" figures)
  file(WRITE "${TABLE}" "${text}\n${figures}\n")
elseif(failures GREATER 0)
  message(FATAL_ERROR "${failures} counts are not within ${percent} per cent of the table's. If that is as it should be: \
cmake --build <build folder> --target sage_refresh_instructions")
endif()
