# `find_package(sage)` for the installed headers. The package has no dependency to look for, so the exported targets
# are the whole configuration file.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(sage_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/sage")
write_basic_package_version_file("${CMAKE_CURRENT_BINARY_DIR}/sage-config-version.cmake"
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

install(TARGETS sage EXPORT sage FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT sage FILE sage-config.cmake NAMESPACE sage:: DESTINATION "${sage_package_dir}")
install(FILES "${CMAKE_CURRENT_BINARY_DIR}/sage-config-version.cmake" DESTINATION "${sage_package_dir}")
