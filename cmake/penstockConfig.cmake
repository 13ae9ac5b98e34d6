# find_package(penstock) gives penstock::penstock: headers "penstock/..." and libpenstock.so.
include("${CMAKE_CURRENT_LIST_DIR}/penstockTargets.cmake")
