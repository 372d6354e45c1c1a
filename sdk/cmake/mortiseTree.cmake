# Rules of this source tree only: one INTERFACE target with all flags, where LibTorch is, ccache, the narrow
# precompiled header, and the functions mortise_add_library and mortise_add_test.  Third parties see mortisePlugin.cmake.

option(MORTISE_PCH "Use the narrow precompiled header for tensor sources" ON)
option(MORTISE_FUZZ "Build the libFuzzer targets" OFF)
set(MORTISE_SANITIZE "" CACHE STRING "Value of -fsanitize=; empty: none")

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
# The build tree has the shape of the install tree, so that programs find libraries and plugins alike in both.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_INSTALL_RPATH "$ORIGIN/../lib;$ORIGIN")

find_program(MORTISE_CCACHE ccache)
if(MORTISE_CCACHE)
  # A preset's environment does not reach a plain `ninja`, so the settings travel in the launcher.
  set(launcher ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${MORTISE_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
endif()

add_library(mortise_flags INTERFACE)
add_library(mortise::flags ALIAS mortise_flags)
# -fPIC for programs too: GCC refuses a precompiled header made with other -fPIC/-fPIE flags.
target_compile_options(mortise_flags INTERFACE -fPIC -Wall -Wextra -Wshadow -Winvalid-pch $<$<BOOL:${MORTISE_WERROR}>:-Werror>)
# GCC 12 sees impossible lengths in std::string's own code (GCC bugs 105329, 105651): shown, but no error.
if(MORTISE_WERROR AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mortise_flags INTERFACE -Wno-error=stringop-overflow -Wno-error=restrict -Wno-error=stringop-overread -Wno-error=array-bounds)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(mortise_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
endif()
if(MORTISE_SANITIZE)
  target_compile_options(mortise_flags INTERFACE -fsanitize=${MORTISE_SANITIZE} -fno-sanitize=vptr -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(mortise_flags INTERFACE -fsanitize=${MORTISE_SANITIZE} -fno-sanitize=vptr)
endif()
if(MORTISE_FUZZ)
  target_compile_options(mortise_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
# Binaries run on any x86-64-v2 processor; hot loops are compiled for more and chosen at run time.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  target_compile_options(mortise_flags INTERFACE -march=x86-64-v2 -mtune=generic)
endif()
# Not lld: of two unwind entries with one address, lld 14 keeps the empty one that GCC 12 writes for an empty `.cold` part,
# and an exception through the neighbour aborts.  GNU ld links as fast here (conventions §11).

if(MORTISE_TORCH)
  include(${CMAKE_CURRENT_LIST_DIR}/mortiseTorch.cmake)
  if(NOT MORTISE_TORCH_DIR)
    execute_process(COMMAND ${PROJECT_SOURCE_DIR}/sdk/bootstrap/torch.sh --print OUTPUT_VARIABLE found
                    OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
      message(FATAL_ERROR "LibTorch 2.11 is not here yet.  fix: run sdk/bootstrap/bootstrap.sh, or set MORTISE_TORCH_DIR")
    endif()
    set(MORTISE_TORCH_DIR ${found} CACHE PATH "" FORCE)
  endif()
  mortise_import_torch(${MORTISE_TORCH_DIR})
endif()

# One precompiled header for all tensor sources of the tree.  Third parties never need it.
function(mortise_use_pch target)
  if(TARGET mortise_pch)
    target_precompile_headers(${target} REUSE_FROM mortise_pch)
  endif()
endfunction()

# mortise_add_library(NAME [SHARED|STATIC] SOURCES … [LINK …] [PRIVATE_LINK …] [TORCH])
function(mortise_add_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "SHARED;STATIC;TORCH" "" "SOURCES;LINK;PRIVATE_LINK")
  if(arg_SHARED AND NOT MORTISE_FUZZ) # clang links its sanitizers into programs only
    add_library(${name} SHARED ${arg_SOURCES})
    target_link_options(${name} PRIVATE -Wl,-z,defs)
  else()
    add_library(${name} STATIC ${arg_SOURCES})
  endif()
  target_link_libraries(${name} PUBLIC ${arg_LINK} PRIVATE ${arg_PRIVATE_LINK} $<BUILD_INTERFACE:mortise::flags>)
  if(arg_TORCH)
    mortise_use_pch(${name})
  endif()
endfunction()

# mortise_add_test_program(NAME SOURCES … [LINK …] [TORCH]): one doctest program in tests/ of the build.
function(mortise_add_test_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "SOURCES;LINK")
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE mortise_test_main ${arg_LINK} mortise::flags)
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_definitions(${name} PRIVATE MORTISE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MORTISE_BUILD_DIR="${PROJECT_BINARY_DIR}")
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  if(arg_TORCH)
    mortise_use_pch(${name})
  endif()
endfunction()

# mortise_add_test(NAME SOURCES … [LINK …] [LABELS …] [TORCH] [TIMEOUT s]): such a program, and one CTest test that runs it.
function(mortise_add_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "TIMEOUT" "SOURCES;LINK;LABELS")
  if(NOT MORTISE_TESTS OR (arg_TORCH AND NOT MORTISE_TORCH))
    return()
  endif()
  set(torch "")
  if(arg_TORCH)
    set(torch TORCH)
  endif()
  mortise_add_test_program(${name} SOURCES ${arg_SOURCES} LINK ${arg_LINK} ${torch})
  add_test(NAME ${name} COMMAND ${name})
  if(NOT arg_LABELS)
    set(arg_LABELS unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT})
endfunction()
