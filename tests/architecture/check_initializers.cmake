# Nothing of ours runs before main(): an object with the headers and a few calls holds no initialiser of variables at
# namespace scope, whose order among those of the host's objects nobody could choose.
#
#   cmake -D COMPILER=<path> -D NM=<path> -D INCLUDE_DIR=<include folder> -D BINARY_DIR=<scratch> -P check_initializers.cmake
cmake_minimum_required(VERSION 3.25)
include("${CMAKE_CURRENT_LIST_DIR}/../run.cmake")
file(MAKE_DIRECTORY "${BINARY_DIR}")

# Sets `variable` to the initialisers in an object of this source. GCC and Clang name them _GLOBAL__sub_I_<something>.
function(initializers variable text)
  file(WRITE "${BINARY_DIR}/source.cpp" "${text}")
  run_silently("${COMPILER}" -std=c++20 -O0 -I "${INCLUDE_DIR}" -c "${BINARY_DIR}/source.cpp" -o "${BINARY_DIR}/source.o")
  execute_process(COMMAND "${NM}" "${BINARY_DIR}/source.o" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^ \n]*_GLOBAL__(sub_)?I_[^ \n]*" found "${symbols}")
  set(${variable} "${found}" PARENT_SCOPE)
endfunction()

set(calls "
void of_host(float* x, float* y, int* labels) {
  sage::strided_view const a{x, sage::extents{4, 3}}, b{y, sage::extents{4, 3}};
  sage::exec::threads const threads{2};
  sage::triplet_margin_loss<>{}(threads, a, b, a);
  sage::cross_entropy_loss{}(a, sage::strided_view{labels, sage::extents{4}});
}
")
initializers(ours "#include <sage/sage.hpp>\n#include <sage/exec/threads.hpp>\n${calls}")
initializers(control "extern int called();\nint const at_start = called();\n")
if(NOT control)
  message(FATAL_ERROR "the initialiser of a variable is not found in its object: this test sees nothing")
endif()
if(ours)
  message(FATAL_ERROR "initialisers: ${ours}")
endif()
