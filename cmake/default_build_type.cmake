# A single-configuration generator without a build type would build without optimisation, which nobody means.
get_property(sage_multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
if(NOT sage_multi_config AND NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
endif()
