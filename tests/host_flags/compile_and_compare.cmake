# Compiles compare.cpp with one compiler and one set of flags, and runs it.
#
#   cmake -D COMPILER=<path> -D FLAGS="<flags>" -D ENTRY=<name> -D INCLUDE_DIR=<include folder> -D BINARY_DIR=<scratch>
#         -D REFERENCE=<file of answers> [-D EMULATOR=<path>] -P compile_and_compare.cmake
#
# Leaves <ENTRY>.o, which link_two.cmake puts into programs with others.
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/../run.cmake")
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS} -D HOST_FLAGS_ENTRY=${ENTRY}")
file(MAKE_DIRECTORY "${BINARY_DIR}")
set(program "${BINARY_DIR}/${ENTRY}")

run_silently("${COMPILER}" ${FLAGS} -I "${INCLUDE_DIR}" -c "${CMAKE_CURRENT_LIST_DIR}/compare.cpp" -o "${program}.o")
run("${COMPILER}" ${FLAGS} "${CMAKE_CURRENT_LIST_DIR}/main.cpp" "${program}.o" -pthread -o "${program}")
run(${EMULATOR} "${program}" "${REFERENCE}")
