# Helpers that give every target of the project the same warnings, sanitizers and include root.

add_library(icr_options INTERFACE)
target_include_directories(icr_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(icr_options INTERFACE
  -Wall -Wextra -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wcast-qual)
# Where several sources are compiled as one, g++ compares local names with those of neighbours, too, and takes sources for
# headers, where unnamed namespaces would be wrong. clang does not. clang-tidy, which reads the commands of the preset
# `tidy`, would stumble over an option that it does not know.
set(joined_by_gcc $<AND:$<CXX_COMPILER_ID:GNU>,$<BOOL:$<TARGET_PROPERTY:UNITY_BUILD>>>)
target_compile_options(icr_options INTERFACE $<$<NOT:${joined_by_gcc}>:-Wshadow>)
if(NOT CMAKE_UNITY_BUILD)
  target_compile_options(icr_options INTERFACE $<${joined_by_gcc}:-Wno-subobject-linkage>)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # What a mutex guards is used only while the mutex is held (model/base/thread_annotations.h).
  target_compile_options(icr_options INTERFACE -Wthread-safety -Werror=thread-safety)
  target_compile_options(icr_options INTERFACE -Wno-sign-conversion)  # g++ does not include it in -Wconversion
endif()
if(ICR_SANITIZE)
  target_compile_options(icr_options INTERFACE -fsanitize=${ICR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(icr_options INTERFACE -fsanitize=${ICR_SANITIZE})
endif()
if(CMAKE_UNITY_BUILD)
  # Trees for tests and clang-tidy do not check the strings of fmt while they compile, which takes a sixth of clang's time.
  # The release tree does.
  target_compile_definitions(icr_options INTERFACE FMT_CONSTEVAL=)
endif()

# lld links programs with debug information several times as fast as the default linker.
find_program(ICR_LLD ld.lld)
if(ICR_LLD)
  target_link_options(icr_options INTERFACE -fuse-ld=lld)
endif()

# Presets with CMAKE_UNITY_BUILD compile several sources of a target as one, which takes a third of the time, because most of
# it goes into headers. Presets with ICR_UNITY_UNLESS_HOT do so everywhere but in rooms that are HOT. Sources that are ALONE
# are compiled by themselves: they have names of their own that a neighbour has too.
function(icr_compile_alone)
  set_source_files_properties(${ARGN} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()

# icr_library(NAME [COLD | HOT] SOURCES ... [ALONE ...] [LINK ...] [PRIVATE_LINK ...]): a static library of one room of the house.
# A room that is COLD (nothing of it runs once for each packet or record) is not optimized in trees with sanitizers, which
# saves 40 % of the time that compiling it takes. In a room that is HOT (it is on the path of packets), the released
# programs are compiled source by source, so what is inlined does not depend on which sources are neighbours.
function(icr_library name)
  cmake_parse_arguments(A "COLD;HOT" "" "SOURCES;ALONE;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES} ${A_ALONE})
  icr_compile_alone(${A_ALONE})
  target_link_libraries(${name} PUBLIC icr_options ${A_LINK} PRIVATE ${A_PRIVATE_LINK})
  if(A_COLD AND ICR_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  if(ICR_UNITY_UNLESS_HOT AND NOT A_HOT)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON)
  endif()
  set_target_properties(${name} PROPERTIES UNITY_BUILD_BATCH_SIZE 16)
endfunction()

# icr_instrument(LIBRARY ...): libFuzzer learns which branches of these libraries, and of those that they link, an input took.
function(icr_instrument)
  foreach(library ${ARGN})
    if(NOT library MATCHES "^icr_" OR library STREQUAL icr_options)
      continue()
    endif()
    get_target_property(options ${library} COMPILE_OPTIONS)
    if(NOT "-fsanitize=fuzzer-no-link" IN_LIST options)
      target_compile_options(${library} PRIVATE -fsanitize=fuzzer-no-link)
      get_target_property(links ${library} LINK_LIBRARIES)
      icr_instrument(${links})
    endif()
  endforeach()
endfunction()

# icr_program(NAME SOURCES ... LINK ...): an executable in bin/. Its own sources are COLD.
function(icr_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  if(ICR_SANITIZE)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  target_link_libraries(${name} PRIVATE icr_options ${A_LINK})
endfunction()

# An optimized program has to pass these tests as well: what they measure or count means nothing under a sanitizer.
add_custom_target(icr_optimized_tests)

# Trees for tests read the headers that most tests include once for all tests that have the same options. That saves a quarter
# of the time that compiling them takes. Other trees compile every test without this, so each still includes what it uses.
function(icr_share_headers name kind)
  set(shared icr_test_headers_${kind})
  if(NOT TARGET ${shared})
    set(source ${CMAKE_BINARY_DIR}/${shared}.cpp)
    file(CONFIGURE OUTPUT ${source} CONTENT "// Nothing but the headers that tests share.\n")
    add_library(${shared} OBJECT ${source})
    target_link_libraries(${shared} PRIVATE icr_options fmt::fmt GTest::gtest GTest::gmock)
    # Without the time in it, the result is the same each time, so ccache finds what was compiled with it.
    target_compile_options(${shared} PRIVATE ${ARGN} "SHELL:-Xclang -fno-pch-timestamp")
    target_precompile_headers(${shared} PRIVATE <gmock/gmock.h> <gtest/gtest.h> <fmt/format.h> <algorithm> <array> <chrono>
      <filesystem> <fstream> <functional> <map> <memory> <optional> <random> <set> <span> <sstream> <string> <thread>
      <unordered_map> <variant> <vector>)
  endif()
  target_precompile_headers(${name} REUSE_FROM ${shared})
endfunction()

# icr_test(NAME [OPTIMIZED] [FAST] [SHARDS N] [COST SECONDS] SOURCES ... [ALONE ...] LINK ...): a GoogleTest program, registered with
# CTest as one test, or as N tests that share its cases. A test with a higher COST (about its seconds) starts earlier.
# The sources of a test are not optimized unless it is FAST or OPTIMIZED: compiling them is most of what a build takes, and
# running them is little of what a test takes. ./run-tests runs tests that are OPTIMIZED in the release tree as well (label
# `optimized`); the others run there only in ./run-tests long.
function(icr_test name)
  cmake_parse_arguments(A "OPTIMIZED;FAST" "SHARDS;COST" "SOURCES;ALONE;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES} ${A_ALONE})
  icr_compile_alone(${A_ALONE})
  if(A_OPTIMIZED)
    add_dependencies(icr_optimized_tests ${name})
    set(labels optimized)
  elseif(NOT A_FAST)
    target_compile_options(${name} PRIVATE -O0)
  endif()
  if(CMAKE_UNITY_BUILD AND ICR_SANITIZE)
    if(A_OPTIMIZED OR A_FAST)
      icr_share_headers(${name} optimized)
    else()
      icr_share_headers(${name} plain -O0)
    endif()
  endif()
  if(ICR_UNITY_UNLESS_HOT)
    set_target_properties(${name} PROPERTIES UNITY_BUILD ON)
  endif()
  target_link_libraries(${name} PRIVATE icr_options ${A_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  if(NOT A_SHARDS)
    set(A_SHARDS 1)
  endif()
  if(NOT A_COST)
    set(A_COST 1)
  endif()
  foreach(shard RANGE 1 ${A_SHARDS})
    set(test ${name})
    if(A_SHARDS GREATER 1)
      set(test ${name}.${shard})
    endif()
    math(EXPR index "${shard} - 1")
    add_test(NAME ${test} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
    set_tests_properties(${test} PROPERTIES COST ${A_COST} LABELS "${labels}"
      ENVIRONMENT "GTEST_OUTPUT=xml:${CMAKE_BINARY_DIR}/test-results/${test}.xml;GTEST_TOTAL_SHARDS=${A_SHARDS};GTEST_SHARD_INDEX=${index}")
  endforeach()
endfunction()

# icr_flatbuffers(TARGET FILE.fbs ...): headers generated at build time (they are pinned to the exact flatc),
# included as "<folder>/<file>_generated.h".
function(icr_flatbuffers target)
  file(RELATIVE_PATH here ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  set(out ${CMAKE_BINARY_DIR}/generated/${here})
  set(headers)
  foreach(schema ${ARGN})
    get_filename_component(base ${schema} NAME_WE)
    set(header ${out}/${base}_generated.h)
    add_custom_command(OUTPUT ${header}
      COMMAND flatbuffers::flatc --cpp --scoped-enums --cpp-std c++17 -I ${PROJECT_SOURCE_DIR} --keep-prefix
              -o ${out} ${CMAKE_CURRENT_SOURCE_DIR}/${schema}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${schema} VERBATIM)
    list(APPEND headers ${header})
  endforeach()
  add_custom_target(${target} DEPENDS ${headers})
endfunction()
