# Compiles every header of one folder alone, with strict warnings as errors.
#
#   cmake -D COMPILER=<path> -D FLAGS="<flags>" -D INCLUDE_DIR=<include folder> -D HEADERS="sage/a.hpp sage/b.hpp"
#         -D BINARY_DIR=<scratch folder> -P check_alone.cmake
cmake_minimum_required(VERSION 3.25)
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
separate_arguments(HEADERS UNIX_COMMAND "${HEADERS}")
file(MAKE_DIRECTORY "${BINARY_DIR}")

set(failures 0)
foreach(header IN LISTS HEADERS)
  # Included twice: a header without a guard fails too.
  string(MAKE_C_IDENTIFIER "${header}" name)
  set(source "${BINARY_DIR}/${name}.cpp")
  file(WRITE "${source}" "#include <${header}>\n#include <${header}>\n")
  execute_process(COMMAND "${COMPILER}" ${FLAGS} -I "${INCLUDE_DIR}" -fsyntax-only "${source}"
    RESULT_VARIABLE result ERROR_VARIABLE errors)
  if(NOT result EQUAL 0)
    message("${header}\n${errors}")
    math(EXPR failures "${failures} + 1")
  endif()
endforeach()

list(LENGTH HEADERS total)
message(STATUS "${total} headers")
if(failures GREATER 0)
  message(FATAL_ERROR "${failures} of ${total} headers do not compile alone and silently")
endif()
