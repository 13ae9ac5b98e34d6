# Two installs of one build.
#
# Component python, prefix = site-packages: the package penstock/ with its native parts in
# penstock/lib/, and the native command in the environment's bin/.
# Component sdk, prefix = any: include/, lib/libpenstock.so, bin/penstock, find_package(penstock).

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

# scikit-build-core names the folder of a wheel's scripts; in an environment bin/ is three up from
# lib/pythonX.Y/site-packages.
if(SKBUILD)
  set(PENSTOCK_SCRIPTS_DIR ${SKBUILD_SCRIPTS_DIR})
else()
  set(PENSTOCK_SCRIPTS_DIR ../../../bin)
endif()

set_target_properties(penstock PROPERTIES INSTALL_RPATH "\$ORIGIN")
install(TARGETS penstock EXPORT penstock_targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT sdk
  FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT sdk)
install(EXPORT penstock_targets NAMESPACE penstock:: FILE penstockTargets.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/penstock COMPONENT sdk)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/penstockConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_SOURCE_DIR}/cmake/penstockConfig.cmake
              ${PROJECT_BINARY_DIR}/penstockConfigVersion.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/penstock COMPONENT sdk)

if(TARGET penstock_executable)
  set(python_version ${Python_VERSION_MAJOR}.${Python_VERSION_MINOR})
  set_target_properties(penstock_executable PROPERTIES INSTALL_RPATH
    "\$ORIGIN/../lib/python${python_version}/site-packages/penstock/lib;\$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS penstock_executable RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT sdk)
endif()

if(PENSTOCK_BUILD_PYTHON)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/python/penstock/ DESTINATION penstock
    COMPONENT python EXCLUDE_FROM_ALL
    FILES_MATCHING PATTERN "*.py" PATTERN "*.pyi" PATTERN "py.typed"
    PATTERN "__pycache__" EXCLUDE)
  install(TARGETS penstock LIBRARY DESTINATION penstock/lib
    COMPONENT python EXCLUDE_FROM_ALL NAMELINK_SKIP)
  if(TARGET _core)
    set_target_properties(_core PROPERTIES INSTALL_RPATH "\$ORIGIN/lib")
    install(TARGETS _core LIBRARY DESTINATION penstock COMPONENT python EXCLUDE_FROM_ALL)
  endif()
  if(TARGET penstock_executable)
    install(TARGETS penstock_executable RUNTIME DESTINATION ${PENSTOCK_SCRIPTS_DIR}
      COMPONENT python EXCLUDE_FROM_ALL)
  endif()
  if(TARGET penstock_table)
    # Arrow lies in the pyarrow package beside ours, DuckDB beside the pack.
    set_target_properties(penstock_table PROPERTIES
      INSTALL_RPATH "\$ORIGIN;\$ORIGIN/../../pyarrow")
    install(TARGETS penstock_table LIBRARY DESTINATION penstock/lib
      COMPONENT python EXCLUDE_FROM_ALL NAMELINK_SKIP)
    install(FILES ${PENSTOCK_DEPS}/duckdb/libduckdb.so DESTINATION penstock/lib
      COMPONENT python EXCLUDE_FROM_ALL)
  endif()
endif()
