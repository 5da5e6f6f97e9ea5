# Two objects that were compiled with different flags stand in one program: they share no function of ours, and the
# answers are right in either order of linking.
#
#   cmake -D COMPILER=<path> -D NM=<path> -D ONE=<entry> -D OTHER=<entry> -D BINARY_DIR=<scratch>
#         -D REFERENCE=<file of answers> -P link_two.cmake
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/../run.cmake")

# Functions that may be shared, whatever they were compiled for:
# on_error() hands out the program's one error handler; a second copy would be a handler that is never replaced.
# The destructors of the two errors: an error thrown in one object is caught in the other, so its type is one for the
# program, and all that its destructor does is to call that of std::invalid_argument.
set(allowed "^sage::(on_error\\(|(shape|argument)_error::~)")

# Weak functions (nm's W) that have anything of ours in their names. Of two with the same name the linker keeps one,
# and a program for SSE2 may then call what was compiled for AVX-512.
function(weak_functions variable entry)
  execute_process(COMMAND "${NM}" --demangle --defined-only "${BINARY_DIR}/${entry}.o"
    OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[[;]|\\]" "_" symbols "${symbols}")  # CMake's lists would trip over these
  string(REGEX MATCHALL "[0-9a-f]+ W [^\n]*sage::[^\n]*" functions "${symbols}")
  list(TRANSFORM functions REPLACE "^[0-9a-f]+ W " "")
  list(FILTER functions EXCLUDE REGEX "${allowed}")
  list(LENGTH functions count)
  message(STATUS "${entry}: ${count} weak functions")
  if(count EQUAL 0)
    message(FATAL_ERROR "that is nothing to compare")
  endif()
  set(${variable} "${functions}" PARENT_SCOPE)
endfunction()

weak_functions(of_one "${ONE}")
weak_functions(of_other "${OTHER}")
set(shared "")
foreach(function IN LISTS of_one)
  if(function IN_LIST of_other)
    list(APPEND shared "${function}")
  endif()
endforeach()
if(shared)
  list(LENGTH shared count)
  list(JOIN shared "\n  " shared)
  message(FATAL_ERROR "${ONE} and ${OTHER} share ${count} functions:\n  ${shared}")
endif()

set(program "${BINARY_DIR}/${ONE}_and_${OTHER}")
foreach(order IN ITEMS "${ONE};${OTHER}" "${OTHER};${ONE}")
  list(TRANSFORM order REPLACE "(.+)" "${BINARY_DIR}/\\1.o" OUTPUT_VARIABLE objects)
  run("${COMPILER}" -std=c++20 -D HOST_FLAGS_ENTRY=${ONE} -D HOST_FLAGS_OTHER_ENTRY=${OTHER}
      "${CMAKE_CURRENT_LIST_DIR}/main.cpp" ${objects} -pthread -o "${program}")
  run("${program}" "${REFERENCE}")
endforeach()
