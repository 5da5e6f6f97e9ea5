# The README shows the very text of the quickstarts, and names only files that are there.
#
#   cmake -D SOURCE_DIR=<root of the project> -P check_examples.cmake
cmake_minimum_required(VERSION 3.25)

file(READ "${SOURCE_DIR}/README.md" readme)
foreach(name IN ITEMS quickstart quickstart_eigen)
  file(READ "${SOURCE_DIR}/examples/${name}.cpp" example)
  string(FIND "${readme}" "```cpp\n${example}```" place)
  if(place EQUAL -1)
    message(FATAL_ERROR "README.md does not show examples/${name}.cpp as it is")
  endif()
endforeach()

string(REGEX MATCHALL "\\((examples|include|tests|cmake|benchmarks)/[^)]+\\)" links "${readme}")
foreach(link IN LISTS links)
  string(REGEX REPLACE "[()]" "" file "${link}")
  if(NOT EXISTS "${SOURCE_DIR}/${file}")
    message(FATAL_ERROR "README.md points to ${file}, which does not exist")
  endif()
endforeach()
