# What an installation holds (docs/explanation/plugin_boundary.md): bin/, lib/, include/, lib/cmake/mortise, share/mortise.
# The build tree gets share/mortise too, as a link, so that `mortise new-plugin` works in both.

include(CMakePackageConfigHelpers)
set(package_dir lib/cmake/mortise)
install(TARGETS mortise_sdk mortise_fmt mortise_describe EXPORT mortiseTargets COMPONENT sdk
        RUNTIME DESTINATION bin LIBRARY DESTINATION lib ARCHIVE DESTINATION lib)
install(EXPORT mortiseTargets NAMESPACE mortise:: DESTINATION ${package_dir} COMPONENT sdk)
install(TARGETS mortise_conform_plain LIBRARY DESTINATION lib/mortise/conform COMPONENT sdk)
install(DIRECTORY include/mortise DESTINATION include COMPONENT sdk PATTERN torch EXCLUDE)
install(DIRECTORY templates DESTINATION share/mortise COMPONENT sdk)
if(EXISTS ${PROJECT_SOURCE_DIR}/configs)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/configs DESTINATION share/mortise COMPONENT sdk)
endif()
install(FILES ${PROJECT_SOURCE_DIR}/tests/support/doctest_main.cpp DESTINATION share/mortise COMPONENT sdk)

if(MORTISE_TORCH)
  set_target_properties(mortise_sdk_torch PROPERTIES INSTALL_RPATH "$ORIGIN;${MORTISE_TORCH_DIR}/lib")
  install(TARGETS mortise_sdk_torch mortise_fmt_torch EXPORT mortiseTorchTargets COMPONENT sdk
          LIBRARY DESTINATION lib ARCHIVE DESTINATION lib)
  install(EXPORT mortiseTorchTargets NAMESPACE mortise:: DESTINATION ${package_dir} COMPONENT sdk)
  install(DIRECTORY include/mortise/torch DESTINATION include/mortise COMPONENT sdk)
  install(FILES ${PROJECT_BINARY_DIR}/lib/mortise/engine.toml DESTINATION lib/mortise COMPONENT sdk)
  install(FILES cmake/mortiseTorch.cmake DESTINATION ${package_dir} COMPONENT sdk)
  if(TARGET mortise_conform_torch)
    install(TARGETS mortise_conform_torch LIBRARY DESTINATION lib/mortise/conform COMPONENT sdk)
  endif()
endif()

configure_package_config_file(cmake/mortiseConfig.cmake.in ${PROJECT_BINARY_DIR}/mortiseConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/mortiseConfigVersion.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${PROJECT_BINARY_DIR}/mortiseConfig.cmake ${PROJECT_BINARY_DIR}/mortiseConfigVersion.cmake cmake/mortisePlugin.cmake cmake/plugin.map
        DESTINATION ${package_dir} COMPONENT sdk)

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/share/mortise)
file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/templates ${PROJECT_BINARY_DIR}/share/mortise/templates SYMBOLIC)
if(EXISTS ${PROJECT_SOURCE_DIR}/configs)
  file(CREATE_LINK ${PROJECT_SOURCE_DIR}/configs ${PROJECT_BINARY_DIR}/share/mortise/configs SYMBOLIC)
endif()
