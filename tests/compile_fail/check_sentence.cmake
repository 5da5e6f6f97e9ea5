# Compiles mistakes.cpp with one mistake, whose sentence must be the first error, or without any, which must succeed.
#
#   cmake -D COMPILER=<path> -D MISTAKE=<number> -D SENTENCE=<part of the error> -D INCLUDE_DIR=<include folder>
#         -P check_sentence.cmake
cmake_minimum_required(VERSION 3.25)
execute_process(
  COMMAND "${COMPILER}" -std=c++20 -fsyntax-only -D MISTAKE=${MISTAKE} -I "${INCLUDE_DIR}"
          "${CMAKE_CURRENT_LIST_DIR}/mistakes.cpp"
  RESULT_VARIABLE result ERROR_VARIABLE errors)
if(MISTAKE EQUAL 0)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "the program without a mistake does not compile:\n${errors}")
  endif()
  return()
endif()

if(result EQUAL 0)
  message(FATAL_ERROR "compiles; expected the error: ${SENTENCE}")
endif()
# The first error is what a user reads.
string(REGEX MATCH "[^\n]*: (fatal )?error: [^\n]*" first "${errors}")
string(FIND "${first}" "${SENTENCE}" position)
if(position EQUAL -1)
  message(FATAL_ERROR "expected as first error: ${SENTENCE}\ngot:\n${errors}")
endif()
