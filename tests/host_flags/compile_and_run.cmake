# Compiles source files with a compiler and flags of its own, and runs the program.
#
#   cmake -D COMPILER=<path> -D FLAGS="<flags>" -D "SOURCE=<file>..." -D PROGRAM=<file to make> [-D EMULATOR=<path>]
#         -P compile_and_run.cmake
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/../run.cmake")
separate_arguments(FLAGS UNIX_COMMAND "${FLAGS}")
separate_arguments(SOURCE UNIX_COMMAND "${SOURCE}")
cmake_path(GET PROGRAM PARENT_PATH folder)
file(MAKE_DIRECTORY "${folder}")
run_silently("${COMPILER}" ${FLAGS} ${SOURCE} -pthread -o "${PROGRAM}")
run(${EMULATOR} "${PROGRAM}")
