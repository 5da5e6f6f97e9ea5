# Configures, builds and runs the stranger's project.
#
#   cmake -D COMPILER=<path> -D GENERATOR=<name> -D BINARY_DIR=<scratch> -D VERSION=<version> -D BUILD_DIR=<of this project>
#         -P consume.cmake                          with the package that BUILD_DIR installs
#   cmake ... -D SUBFOLDER=<this project> -P ...    with the project as a subfolder
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/../run.cmake")
file(REMOVE_RECURSE "${BINARY_DIR}")

if(SUBFOLDER)
  set(library -D "SAGE_SOURCE_DIR=${SUBFOLDER}")
else()
  run("${CMAKE_COMMAND}" --install "${BUILD_DIR}" --prefix "${BINARY_DIR}/first")
  # A package may be moved.
  file(RENAME "${BINARY_DIR}/first" "${BINARY_DIR}/prefix")
  set(library -D "CMAKE_PREFIX_PATH=${BINARY_DIR}/prefix")
endif()

run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}/consumer" -B "${BINARY_DIR}/build" -G "${GENERATOR}"
    -D "CMAKE_CXX_COMPILER=${COMPILER}" -D "SAGE_VERSION=${VERSION}" ${library})
run("${CMAKE_COMMAND}" --build "${BINARY_DIR}/build")
run("${BINARY_DIR}/build/consumer")
