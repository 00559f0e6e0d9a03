# cmake --install: what a program needs to run (component lb_backup_Runtime) and to be built (lb_backup_Development). The
# tool (lb_backup_Tool) has its rules beside its sources.

include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(lb_file "liblb_backup.so.${PROJECT_VERSION}")
set(lb_soname "liblb_backup.so.${LB_BACKUP_ABI_VERSION}")
set(lb_links "${PROJECT_BINARY_DIR}/links")
set(lb_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/lb_backup")
set(lb_pkgconfig_dir "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
# Not CMAKE_INSTALL_DOCDIR, which has the name of the project that lb_backup is part of.
set(lb_doc_dir "${CMAKE_INSTALL_DATAROOTDIR}/doc/lb_backup")

# The library, and the two names under which the dynamic and the static linker look for it.
file(MAKE_DIRECTORY "${lb_links}")
file(CREATE_LINK "${lb_file}" "${lb_links}/${lb_soname}" SYMBOLIC)
file(CREATE_LINK "${lb_soname}" "${lb_links}/liblb_backup.so" SYMBOLIC)
# Executable or not, as CMake decides it for libraries that it builds itself: Debian's are not.
set(lb_kind PROGRAMS)
if(CMAKE_INSTALL_SO_NO_EXE)
    set(lb_kind FILES)
endif()
install(${lb_kind} "${LB_BACKUP_CARGO_TARGET_DIR}/$<IF:$<CONFIG:Debug>,debug,release>/liblb_backup.so"
        RENAME "${lb_file}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT lb_backup_Runtime)
# For cmake --install --strip, which knows only targets that CMake builds itself.
set(lb_installed "${CMAKE_INSTALL_LIBDIR}/${lb_file}")
if(NOT IS_ABSOLUTE "${lb_installed}")
    set(lb_installed "\${CMAKE_INSTALL_PREFIX}/${lb_installed}")
endif()
if(CMAKE_STRIP)
    install(CODE "if(CMAKE_INSTALL_DO_STRIP)
    execute_process(COMMAND \"${CMAKE_STRIP}\" --strip-unneeded \"\$ENV{DESTDIR}${lb_installed}\" COMMAND_ERROR_IS_FATAL ANY)
endif()" COMPONENT lb_backup_Runtime)
endif()
install(FILES "${lb_links}/${lb_soname}" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT lb_backup_Runtime)
install(FILES "${lb_links}/liblb_backup.so" DESTINATION "${CMAKE_INSTALL_LIBDIR}" COMPONENT lb_backup_Development)
# After cargo, which has fetched the sources then.
add_custom_command(TARGET lb_backup_cargo POST_BUILD
    COMMAND "${CMAKE_COMMAND}" "-DCARGO=${LB_BACKUP_CARGO}" "-DSOURCE_DIR=${PROJECT_SOURCE_DIR}"
            "-DOUTPUT=${PROJECT_BINARY_DIR}/LICENSES-OF-OTHERS" -P "${PROJECT_SOURCE_DIR}/cmake/LbNotices.cmake"
    VERBATIM)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE-MIT" "${PROJECT_SOURCE_DIR}/LICENSE-APACHE"
              "${PROJECT_BINARY_DIR}/LICENSES-OF-OTHERS"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/lb_backup" COMPONENT lb_backup_Runtime)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
        COMPONENT lb_backup_Development FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")

file(GLOB lb_documents CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/docs/*.md")
list(FILTER lb_documents EXCLUDE REGEX "/BENCHMARKS\\.md$")
install(FILES "${PROJECT_SOURCE_DIR}/CHANGELOG.md" ${lb_documents}
        DESTINATION "${lb_doc_dir}" COMPONENT lb_backup_Development)

# find_package(lb_backup)
configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/lb_backupConfig.cmake.in"
    "${PROJECT_BINARY_DIR}/lb_backupConfig.cmake"
    INSTALL_DESTINATION "${lb_package_dir}"
    PATH_VARS CMAKE_INSTALL_BINDIR CMAKE_INSTALL_INCLUDEDIR CMAKE_INSTALL_LIBDIR
    NO_CHECK_REQUIRED_COMPONENTS_MACRO)
# Before 1.0 a new minor version may change the ABI.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/lb_backupConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/lb_backupConfig.cmake" "${PROJECT_BINARY_DIR}/lb_backupConfigVersion.cmake"
        DESTINATION "${lb_package_dir}" COMPONENT lb_backup_Development)

# pkg-config: the directories are taken from where lb_backup.pc lies, so that the tree may be moved. A distributor's
# absolute directories stay as they are.
foreach(dir IN ITEMS INCLUDEDIR LIBDIR)
    if(IS_ABSOLUTE "${CMAKE_INSTALL_${dir}}")
        set(lb_pc_${dir} "${CMAKE_INSTALL_${dir}}")
    else()
        set(lb_pc_${dir} "\${prefix}/${CMAKE_INSTALL_${dir}}")
    endif()
endforeach()
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}")
    set(lb_pc_prefix "${CMAKE_INSTALL_PREFIX}")
else()
    file(RELATIVE_PATH lb_pc_up "/${lb_pkgconfig_dir}" "/")
    string(REGEX REPLACE "/$" "" lb_pc_up "${lb_pc_up}")
    set(lb_pc_prefix "\${pcfiledir}/${lb_pc_up}")
endif()
configure_file("${PROJECT_SOURCE_DIR}/cmake/lb_backup.pc.in" "${PROJECT_BINARY_DIR}/lb_backup.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/lb_backup.pc" DESTINATION "${lb_pkgconfig_dir}" COMPONENT lb_backup_Development)
