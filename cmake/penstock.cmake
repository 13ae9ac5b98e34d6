# The functions that rooms call. A room is an OBJECT library penstock_<room>; all rooms together
# are libpenstock.so. Sources are listed by hand: a file that is not listed is not built.

set(PENSTOCK_MARCH "x86-64-v3" CACHE STRING "Instruction set every machine must have")
set(PENSTOCK_SANITIZE "" CACHE STRING "Value for -fsanitize=, empty for none")
option(PENSTOCK_COVERAGE "Instrument for gcov" OFF)

# Warnings are on for our own targets only; presets turn them into errors. The ones turned off are
# wrong too often in g++ 12: they look through inlined std::string, std::variant and std::expected.
set(PENSTOCK_WARNINGS
    -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wcast-align -Wvla
    -Wextra-semi -Wredundant-move -Wimplicit-fallthrough -Werror=return-type
    -Werror=unused-result
    -Wno-missing-field-initializers)
set(PENSTOCK_GCC_FALSE_ALARMS
    -Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow
    -Wno-stringop-overread -Wno-free-nonheap-object -Wno-dangling-pointer -Wno-tsan)

# Compile and link settings of every target of ours, third-party C sources excepted.
function(penstock_settings target)
  target_compile_features(${target} PRIVATE cxx_std_23)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET default
    VISIBILITY_INLINES_HIDDEN ON)
  target_compile_options(${target} PRIVATE
    ${PENSTOCK_WARNINGS}
    $<$<CXX_COMPILER_ID:GNU>:${PENSTOCK_GCC_FALSE_ALARMS}>)
  penstock_machine(${target})
endfunction()

# Instruction set and instrumentation; applies to third-party sources too.
function(penstock_machine target)
  # Without interposition g++ may inline across exported functions of one library.
  target_compile_options(${target} PRIVATE -march=${PENSTOCK_MARCH} -fno-semantic-interposition)
  if(PENSTOCK_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${PENSTOCK_SANITIZE}
                                             -fno-sanitize-recover=all)
    target_link_options(${target} PRIVATE -fsanitize=${PENSTOCK_SANITIZE})
  endif()
  if(PENSTOCK_COVERAGE)
    target_compile_options(${target} PRIVATE --coverage -fprofile-update=atomic)
    target_link_options(${target} PRIVATE --coverage)
  endif()
endfunction()

# What libpenstock.so needs beyond its rooms.
function(penstock_set_up_library target)
  file(WRITE ${PROJECT_BINARY_DIR}/version.cc.tmp
       "extern const char penstock_version_text[];\n"
       "const char penstock_version_text[] = \"${PROJECT_VERSION}\";\n")
  configure_file(${PROJECT_BINARY_DIR}/version.cc.tmp ${PROJECT_BINARY_DIR}/version.cc COPYONLY)
  target_sources(${target} PRIVATE ${PROJECT_BINARY_DIR}/version.cc)
  penstock_settings(${target})
  target_compile_features(${target} PUBLIC cxx_std_23)
  target_include_directories(${target} INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/src> $<INSTALL_INTERFACE:include>)
  # Calls between our own rooms go straight to the function, not through the PLT. Third-party
  # archives stay private to the library.
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL)
  set_target_properties(${target} PROPERTIES EXPORT_NAME penstock)
endfunction()

# penstock_library(<room> HEADERS ... SOURCES ... DEPENDS <room>... LINK <target>...)
# Adds the room to libpenstock.so. DEPENDS names the rooms whose headers it may include; LINK the
# third-party targets. Files are relative to the room.
function(penstock_library room)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;SOURCES;DEPENDS;LINK")
  penstock_refuse_leftovers(penstock_library "${arg_UNPARSED_ARGUMENTS}")
  set(target penstock_${room})
  if(NOT arg_SOURCES)
    # CMake wants one source at least; a room may be headers only.
    file(TOUCH ${CMAKE_CURRENT_BINARY_DIR}/empty.cc)
    set(arg_SOURCES ${CMAKE_CURRENT_BINARY_DIR}/empty.cc)
  endif()
  add_library(${target} OBJECT ${arg_SOURCES})
  add_library(penstock::${room} ALIAS ${target})
  penstock_settings(${target})
  target_include_directories(${target} PUBLIC ${PROJECT_SOURCE_DIR}/src)
  foreach(dependency IN LISTS arg_DEPENDS)
    target_link_libraries(${target} PUBLIC penstock_${dependency})
  endforeach()
  target_link_libraries(${target} PRIVATE ${arg_LINK})
  target_sources(penstock PRIVATE $<TARGET_OBJECTS:${target}>)
  target_link_libraries(penstock PRIVATE ${arg_LINK})
  if(arg_HEADERS)
    list(TRANSFORM arg_HEADERS PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/)
    target_sources(penstock PUBLIC FILE_SET HEADERS
      BASE_DIRS ${PROJECT_SOURCE_DIR}/src FILES ${arg_HEADERS})
  endif()
endfunction()

# penstock_test(<room> SOURCES ... LINK <target>... LABELS <label>...)
# One GoogleTest executable <room>_test against libpenstock.so, one ctest entry.
function(penstock_test room)
  if(NOT PENSTOCK_BUILD_TESTS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK;LABELS")
  penstock_refuse_leftovers(penstock_test "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_SOURCES)
    return()
  endif()
  set(target ${room}_test)
  add_executable(${target} EXCLUDE_FROM_ALL ${arg_SOURCES})
  penstock_settings(${target})
  target_link_libraries(${target} PRIVATE penstock penstock_fmt
    GTest::gmock GTest::gtest_main ${arg_LINK})
  target_compile_definitions(${target} PRIVATE PENSTOCK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  add_dependencies(penstock_tests ${target})
  add_test(NAME ${target} COMMAND ${target} --gtest_brief=1
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  if(arg_LABELS)
    set_tests_properties(${target} PROPERTIES LABELS "${arg_LABELS}")
  endif()
endfunction()

# penstock_bench(<name> SOURCES ... LINK <target>...)
# One Google Benchmark executable <name>_bench against libpenstock.so.
function(penstock_bench name)
  if(NOT PENSTOCK_BUILD_BENCHMARKS)
    return()
  endif()
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  penstock_refuse_leftovers(penstock_bench "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_SOURCES)
    return()
  endif()
  set(target ${name}_bench)
  add_executable(${target} EXCLUDE_FROM_ALL ${arg_SOURCES})
  penstock_settings(${target})
  target_link_libraries(${target} PRIVATE penstock penstock_fmt
    benchmark::benchmark_main ${arg_LINK})
  add_dependencies(penstock_benches ${target})
endfunction()

# penstock_executable(<name> SOURCES ... LINK <target>...)
# A program of ours that users get. It finds libpenstock.so in the installed Python package.
function(penstock_executable name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  penstock_refuse_leftovers(penstock_executable "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_SOURCES)
    return()
  endif()
  # The library has the plain name, so the target takes another and the file does not.
  set(target ${name}_executable)
  add_executable(${target} ${arg_SOURCES})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY
    ${PROJECT_BINARY_DIR}/bin)
  penstock_settings(${target})
  target_link_libraries(${target} PRIVATE penstock ${arg_LINK})
endfunction()

# penstock_pack(<pack> HEADERS ... SOURCES ... LINK <target>...)
# An operator pack: libpenstock_<pack>.so, linked against libpenstock.so and loaded on first use.
function(penstock_pack pack)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;SOURCES;LINK")
  penstock_refuse_leftovers(penstock_pack "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_SOURCES)
    return()
  endif()
  set(target penstock_${pack})
  add_library(${target} SHARED ${arg_SOURCES})
  add_library(penstock::${pack} ALIAS ${target})
  penstock_settings(${target})
  # Beside libpenstock.so, where the loader of packs looks, in the build tree as installed.
  set_target_properties(${target} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
  target_link_libraries(${target} PUBLIC penstock PRIVATE ${arg_LINK})
  target_link_options(${target} PRIVATE -Wl,-Bsymbolic-functions -Wl,--exclude-libs,ALL)
endfunction()

# penstock_python_module(<name> SOURCES ... LINK <target>...)
# A nanobind extension module against libpenstock.so.
function(penstock_python_module name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINK")
  penstock_refuse_leftovers(penstock_python_module "${arg_UNPARSED_ARGUMENTS}")
  if(NOT arg_SOURCES)
    return()
  endif()
  nanobind_add_module(${name} NB_STATIC NOMINSIZE ${arg_SOURCES})
  penstock_settings(${name})
  # g++ takes an overload set's cast in nanobind's headers for a fallthrough and a shadow.
  target_compile_options(${name} PRIVATE -Wno-shadow)
  target_link_libraries(${name} PRIVATE penstock ${arg_LINK})
  if(TARGET nanobind-static)
    set_target_properties(nanobind-static PROPERTIES COMPILE_WARNING_AS_ERROR OFF)
  endif()
endfunction()

# An argument nobody reads is a typing slip, and would otherwise leave a file unbuilt in silence.
function(penstock_refuse_leftovers function_name leftovers)
  if(leftovers)
    message(FATAL_ERROR "${function_name}: unknown arguments: ${leftovers}; "
                        "wanted keywords HEADERS, SOURCES, DEPENDS, LINK, LABELS")
  endif()
endfunction()
