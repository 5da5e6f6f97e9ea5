# Compiles headers, each alone or all in one source, with strict warnings as errors.
#
#   cmake -D COMPILER=<path> -D FLAGS="<flags>" -D INCLUDE_DIR=<include folder> -D HEADERS="sage/a.hpp sage/b.hpp"
#         -D ALONE=<ON or OFF> -D BINARY_DIR=<scratch folder> -P check_headers.cmake
cmake_minimum_required(VERSION 3.25)
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
separate_arguments(HEADERS UNIX_COMMAND "${HEADERS}")
file(MAKE_DIRECTORY "${BINARY_DIR}")

if(NOT ALONE)
  list(JOIN HEADERS "," HEADERS)
endif()

set(failures 0)
foreach(headers IN LISTS HEADERS)
  # Included twice: a header without a guard fails too.
  string(REGEX REPLACE "([^,]+),?" "#include <\\1>\n" text "${headers}")
  string(SHA1 name "${headers}")
  file(WRITE "${BINARY_DIR}/${name}.cpp" "${text}${text}")
  execute_process(COMMAND "${COMPILER}" ${FLAGS} -I "${INCLUDE_DIR}" -fsyntax-only "${BINARY_DIR}/${name}.cpp"
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message("${headers}\n${errors}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()

list(LENGTH HEADERS total)
message(STATUS "${total} compilations")
if(failures GREATER 0)
  message(FATAL_ERROR "${failures} of ${total} failed or were not silent")
endif()
