# mortise_add_plugin(NAME SOURCES … [TESTS …] [LINK mortise::sdk|mortise::sdk_torch …] [ID org.acme.name])
#
# Builds one plugin: a MODULE with one exported symbol, no undefined symbols and no rpath, in a folder of its own
# together with its generated manifest plugin.toml.  With TESTS it also builds a doctest program from the same
# objects, and with testing on it adds the contract suite of each interface (`mortise conform`) to CTest.
# The plugins of Mortise itself are built with this very function.

set(MORTISE_CMAKE_DIR ${CMAKE_CURRENT_LIST_DIR})

function(mortise_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "ID" "SOURCES;TESTS;LINK")
  if(NOT arg_LINK)
    set(arg_LINK mortise::sdk)
  endif()
  if("mortise::sdk_torch" IN_LIST arg_LINK AND NOT TARGET mortise::sdk_torch)
    return() # the tensor tier is switched off
  endif()
  mortise_plugin_target_and_id(${name} "${arg_ID}")

  add_library(${target}_objects OBJECT ${arg_SOURCES})
  target_link_libraries(${target}_objects PUBLIC ${arg_LINK})
  set_target_properties(${target}_objects PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden
                        VISIBILITY_INLINES_HIDDEN ON CXX_STANDARD 20 CXX_STANDARD_REQUIRED ON)
  mortise_plugin_in_tree(${target}_objects "${arg_LINK}")

  set(folder ${CMAKE_BINARY_DIR}/lib/mortise/plugins/${id})
  add_library(${target} MODULE $<TARGET_OBJECTS:${target}_objects>)
  target_link_libraries(${target} PRIVATE ${arg_LINK})
  if(TARGET mortise::flags)
    target_link_libraries(${target} PRIVATE mortise::flags)
  endif()
  target_link_options(${target} PRIVATE -Wl,-z,defs -Wl,--version-script=${MORTISE_CMAKE_DIR}/plugin.map)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${folder}
                        LINK_DEPENDS ${MORTISE_CMAKE_DIR}/plugin.map SKIP_BUILD_RPATH ON INSTALL_RPATH ""
                        LINKER_LANGUAGE CXX)
  mortise_plugin_manifest(${target} ${folder})
  mortise_plugin_tests(${target} ${name} ${id} "${arg_TESTS}" "${arg_LINK}")
  mortise_plugin_install(${target} ${folder} ${id})
endfunction()

# In Mortise's own tree: target plugin_<kind>_<name>, id org.mortise.<kind>.<name> (kinds may hold underscores, so both
# come from the folder).  Elsewhere: the name itself, and ID or org.example.<name>.
macro(mortise_plugin_target_and_id name given_id)
  set(target ${name})
  set(id ${given_id})
  if(MORTISE_IN_TREE)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR FILENAME leaf)
    cmake_path(GET CMAKE_CURRENT_SOURCE_DIR PARENT_PATH parent)
    cmake_path(GET parent FILENAME kind)
    set(target plugin_${kind}_${leaf})
    set(id org.mortise.${kind}.${leaf})
  elseif(id STREQUAL "")
    set(id org.example.${name})
  endif()
endmacro()

function(mortise_plugin_in_tree objects links)
  if(NOT MORTISE_IN_TREE)
    return()
  endif()
  target_link_libraries(${objects} PRIVATE mortise::flags)
  if("mortise::sdk_torch" IN_LIST links)
    mortise_use_pch(${objects})
  endif()
endfunction()

function(mortise_plugin_manifest target folder)
  add_custom_command(TARGET ${target} POST_BUILD VERBATIM
    COMMAND $<TARGET_FILE:mortise::describe> $<TARGET_FILE:${target}> ${folder}/plugin.toml
    COMMENT "describing ${target}")
  if(MORTISE_IN_TREE)
    add_dependencies(${target} mortise_describe)
    if(TARGET mortise_engine_facts)
      add_dependencies(${target} mortise_engine_facts)
    endif()
  endif()
endfunction()

# The one doctest main: ours in the tree, an installed source elsewhere.  Without doctest there are no tests, and it is said.
function(mortise_test_main result)
  set(${result} TRUE PARENT_SCOPE)
  if(TARGET mortise_test_main)
    return()
  endif()
  find_path(MORTISE_DOCTEST_INCLUDE doctest/doctest.h)
  if(NOT MORTISE_DOCTEST_INCLUDE)
    message(STATUS "doctest is not installed: the plugin's own tests are left out (apt-get install doctest-dev)")
    set(${result} FALSE PARENT_SCOPE)
    return()
  endif()
  add_library(mortise_test_main OBJECT ${MORTISE_SHARE_DIR}/doctest_main.cpp)
  set_target_properties(mortise_test_main PROPERTIES CXX_STANDARD 20 POSITION_INDEPENDENT_CODE ON)
  target_include_directories(mortise_test_main PRIVATE ${MORTISE_DOCTEST_INCLUDE})
endfunction()

function(mortise_plugin_tests target name id tests links)
  if(MORTISE_IN_TREE AND NOT MORTISE_TESTS)
    return()
  endif()
  mortise_test_main(has_doctest)
  if(tests AND has_doctest)
    add_executable(${target}_test ${tests} $<TARGET_OBJECTS:${target}_objects>)
    target_link_libraries(${target}_test PRIVATE ${links} mortise_test_main)
    if(TARGET mortise::flags)
      target_link_libraries(${target}_test PRIVATE mortise::flags)
      if("mortise::sdk_torch" IN_LIST links)
        mortise_use_pch(${target}_test)
      endif()
    endif()
    target_include_directories(${target}_test PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
    if(MORTISE_IN_TREE)
      target_include_directories(${target}_test PRIVATE ${PROJECT_SOURCE_DIR}) # "tests/support/…"
    endif()
    target_compile_definitions(${target}_test PRIVATE MORTISE_SOURCE_DIR="${PROJECT_SOURCE_DIR}" MORTISE_BUILD_DIR="${CMAKE_BINARY_DIR}")
    set_target_properties(${target}_test PROPERTIES CXX_STANDARD 20 RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
    add_test(NAME ${target} COMMAND ${target}_test)
    set_tests_properties(${target} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
  if(TARGET mortise::cli)
    set(example "")
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/conform.toml)
      set(example --config ${CMAKE_CURRENT_SOURCE_DIR}/conform.toml)
    endif()
    # The build's own plugins come first, so that a component finds the others it uses.
    add_test(NAME conform_${id} COMMAND mortise::cli conform $<TARGET_FILE:${target}> --plugin-path ${CMAKE_BINARY_DIR}/lib/mortise/plugins ${example})
    set_tests_properties(conform_${id} PROPERTIES LABELS conform TIMEOUT 600)
  endif()
endfunction()

function(mortise_plugin_install target folder id)
  # lib, also where a system has lib64: programs look for plugins beside themselves, at ../lib/mortise/plugins.
  install(TARGETS ${target} LIBRARY DESTINATION lib/mortise/plugins/${id} COMPONENT plugins)
  # Hashed again after installing, because strip changes the file.
  install(FILES ${folder}/plugin.toml DESTINATION lib/mortise/plugins/${id} COMPONENT plugins)
  install(CODE "execute_process(COMMAND $<TARGET_FILE:mortise::describe> --rehash
    \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/mortise/plugins/${id}\" COMMAND_ERROR_IS_FATAL ANY)"
          COMPONENT plugins)
endfunction()
