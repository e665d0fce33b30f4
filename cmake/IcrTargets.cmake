# Helpers that give every target of the project the same warnings, sanitizers and include root.

add_library(icr_options INTERFACE)
target_include_directories(icr_options INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(icr_options INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wcast-qual)
if(ICR_SANITIZE)
  target_compile_options(icr_options INTERFACE -fsanitize=${ICR_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(icr_options INTERFACE -fsanitize=${ICR_SANITIZE})
endif()

# icr_library(NAME SOURCES ... [LINK ...] [PRIVATE_LINK ...]): a static library of one room of the house.
function(icr_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  target_link_libraries(${name} PUBLIC icr_options ${A_LINK} PRIVATE ${A_PRIVATE_LINK})
endfunction()

# icr_program(NAME SOURCES ... LINK ...): an executable in bin/.
function(icr_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE icr_options ${A_LINK})
endfunction()

# icr_test(NAME SOURCES ... LINK ...): a GoogleTest program, registered with CTest as one test.
function(icr_test name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE icr_options ${A_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
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
