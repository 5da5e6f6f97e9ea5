# Compilers that the tests call by themselves, whatever compiler the build uses and with whatever flags: a header-only
# library is compiled by its users' compilers with their users' flags.
#
#   sage_compilers          paths: the build's compiler, and the other of GCC and Clang if there is one recent enough
#   sage_compiler_names     their names for people, in the same order: "g++ 12.2.0"
#   sage_strict_flags       what every header is silent under
set(sage_compilers "")
set(sage_compiler_names "")
set(sage_strict_flags "-std=c++20 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wold-style-cast -Werror")

if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  set(name g++)
  set(other clang++)
  set(other_minimum 14)
elseif(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(name clang++)
  set(other g++)
  set(other_minimum 12)
else()
  return()  # the tests below speak GCC's command line
endif()
list(APPEND sage_compilers "${CMAKE_CXX_COMPILER}")
list(APPEND sage_compiler_names "${name} ${CMAKE_CXX_COMPILER_VERSION}")

find_program(SAGE_OTHER_COMPILER ${other} DOC "A second compiler for the tests of the headers")
mark_as_advanced(SAGE_OTHER_COMPILER)
if(SAGE_OTHER_COMPILER)
  execute_process(COMMAND "${SAGE_OTHER_COMPILER}" -dumpfullversion -dumpversion
    OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(version VERSION_GREATER_EQUAL other_minimum)
    list(APPEND sage_compilers "${SAGE_OTHER_COMPILER}")
    list(APPEND sage_compiler_names "${other} ${version}")
  endif()
endif()
