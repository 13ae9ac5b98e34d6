# Third-party targets. Debian packages through find_package; the parts tools/fetch put into .deps/
# are built here as static libraries whose symbols stay inside libpenstock.so.

set(PENSTOCK_DEPS "${PROJECT_SOURCE_DIR}/.deps" CACHE PATH "Where tools/fetch put its parts")
if(NOT EXISTS "${PENSTOCK_DEPS}/duckdb/libduckdb.so")
  # A wheel is built from a checkout that tools/setup may never have seen.
  execute_process(COMMAND python3 ${PROJECT_SOURCE_DIR}/tools/fetch
                  RESULT_VARIABLE PENSTOCK_FETCH_FAILED)
  if(PENSTOCK_FETCH_FAILED)
    message(FATAL_ERROR "tools/fetch failed; ${PENSTOCK_DEPS} is not complete")
  endif()
endif()

find_package(Threads REQUIRED)

# A static third-party library of ours: position independent, no warnings, headers as SYSTEM.
function(penstock_third_party target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "INCLUDE" "SOURCES;DEFINITIONS;OPTIONS")
  add_library(${target} STATIC ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES
    POSITION_INDEPENDENT_CODE ON
    C_VISIBILITY_PRESET hidden
    COMPILE_WARNING_AS_ERROR OFF)
  target_include_directories(${target} SYSTEM INTERFACE ${arg_INCLUDE})
  target_compile_definitions(${target} PRIVATE ${arg_DEFINITIONS})
  target_compile_options(${target} PRIVATE -w ${arg_OPTIONS})
endfunction()

penstock_third_party(penstock_sqlite
  INCLUDE ${PENSTOCK_DEPS}/sqlite
  SOURCES ${PENSTOCK_DEPS}/sqlite/sqlite3.c
  DEFINITIONS SQLITE_THREADSAFE=1 SQLITE_DQS=0 SQLITE_OMIT_LOAD_EXTENSION SQLITE_OMIT_DEPRECATED
              SQLITE_OMIT_SHARED_CACHE SQLITE_DEFAULT_WAL_SYNCHRONOUS=1 SQLITE_LIKE_DOESNT_MATCH_BLOBS
  OPTIONS -O2)
target_link_libraries(penstock_sqlite PRIVATE Threads::Threads)

# The C sources carry plain code and one assembly file per instruction set, chosen at run time.
penstock_third_party(penstock_blake3
  INCLUDE ${PENSTOCK_DEPS}/blake3
  SOURCES
    ${PENSTOCK_DEPS}/blake3/blake3.c
    ${PENSTOCK_DEPS}/blake3/blake3_dispatch.c
    ${PENSTOCK_DEPS}/blake3/blake3_portable.c
    ${PENSTOCK_DEPS}/blake3/blake3_sse2_x86-64_unix.S
    ${PENSTOCK_DEPS}/blake3/blake3_sse41_x86-64_unix.S
    ${PENSTOCK_DEPS}/blake3/blake3_avx2_x86-64_unix.S
    ${PENSTOCK_DEPS}/blake3/blake3_avx512_x86-64_unix.S
  OPTIONS $<$<COMPILE_LANGUAGE:C>:-O3>)

# Linked in whole, so that a wheel needs neither libyaml nor libfmt on the user's machine.
find_package(fmt 9 REQUIRED)
add_library(penstock_fmt STATIC ${PROJECT_SOURCE_DIR}/cmake/fmt_archive.cc)
set_target_properties(penstock_fmt PROPERTIES POSITION_INDEPENDENT_CODE ON)
target_compile_features(penstock_fmt PUBLIC cxx_std_23)
target_include_directories(penstock_fmt SYSTEM PUBLIC
  $<TARGET_PROPERTY:fmt::fmt,INTERFACE_INCLUDE_DIRECTORIES>)
find_path(PENSTOCK_YAML_INCLUDE yaml.h REQUIRED)
find_library(PENSTOCK_YAML_ARCHIVE libyaml.a REQUIRED)
add_library(penstock_yaml INTERFACE)
target_include_directories(penstock_yaml SYSTEM INTERFACE ${PENSTOCK_YAML_INCLUDE})
target_link_libraries(penstock_yaml INTERFACE ${PENSTOCK_YAML_ARCHIVE})

find_path(PENSTOCK_CLI11_INCLUDE CLI/CLI.hpp REQUIRED)
add_library(penstock_cli11 INTERFACE)
target_include_directories(penstock_cli11 SYSTEM INTERFACE ${PENSTOCK_CLI11_INCLUDE})

if(PENSTOCK_BUILD_TABLE OR PENSTOCK_BUILD_PYTHON)
  # The environment's own Python, unless the caller (scikit-build-core) has named one.
  if(NOT Python_EXECUTABLE)
    set(Python_EXECUTABLE ${PROJECT_SOURCE_DIR}/.venv/bin/python)
  endif()
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
endif()

if(PENSTOCK_BUILD_TABLE)
  # Arrow is taken from the pyarrow wheel: its headers here, its libraries at run time by RPATH.
  # The module's file is asked for without importing it, which would cost most of a second.
  execute_process(
    COMMAND ${Python_EXECUTABLE} -c
            "import importlib.util as u; print(u.find_spec('pyarrow').submodule_search_locations[0])"
    OUTPUT_VARIABLE PENSTOCK_PYARROW OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE PENSTOCK_PYARROW_FAILED ERROR_QUIET)
  if(PENSTOCK_PYARROW_FAILED)
    message(FATAL_ERROR "no pyarrow in ${Python_EXECUTABLE}; run tools/setup, or configure with "
                        "-DPENSTOCK_BUILD_TABLE=OFF")
  endif()
  foreach(name IN ITEMS arrow parquet)
    add_library(penstock_${name} SHARED IMPORTED)
    set_target_properties(penstock_${name} PROPERTIES
      IMPORTED_LOCATION ${PENSTOCK_PYARROW}/lib${name}.so.2600
      INTERFACE_INCLUDE_DIRECTORIES ${PENSTOCK_PYARROW}/include)
  endforeach()
  add_library(penstock_duckdb SHARED IMPORTED)
  set_target_properties(penstock_duckdb PROPERTIES
    IMPORTED_LOCATION ${PENSTOCK_DEPS}/duckdb/libduckdb.so
    IMPORTED_NO_SONAME OFF
    INTERFACE_INCLUDE_DIRECTORIES ${PENSTOCK_DEPS}/duckdb)
endif()

if(PENSTOCK_BUILD_PYTHON)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir
    OUTPUT_VARIABLE nanobind_DIR OUTPUT_STRIP_TRAILING_WHITESPACE
    RESULT_VARIABLE PENSTOCK_NANOBIND_FAILED ERROR_QUIET)
  if(PENSTOCK_NANOBIND_FAILED)
    message(FATAL_ERROR "no nanobind in ${Python_EXECUTABLE}; run tools/setup, or configure with "
                        "-DPENSTOCK_BUILD_PYTHON=OFF")
  endif()
  find_package(nanobind CONFIG REQUIRED)
endif()
