# cpack: a .tar.gz of everything; or, from a build tree with Debian's layout, which is what the prefix /usr gives
# (cmake --preset package), Debian packages: liblb-backup0, liblb-backup-dev, lbbackup.
#
# Packages made twice from one build under the same SOURCE_DATE_EPOCH are the same to the byte.

set(LB_BACKUP_PACKAGE_CONTACT "The lb_backup authors <maintainers@lb-backup.example>" CACHE STRING
    "Maintainer in the Debian packages: whoever distributes them")

set(CPACK_PACKAGE_NAME lb_backup)
set(CPACK_PACKAGE_VENDOR "The lb_backup authors")
set(CPACK_PACKAGE_CONTACT "${LB_BACKUP_PACKAGE_CONTACT}")
set(CPACK_PACKAGE_FILE_NAME "lb_backup-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE-MIT")
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR TGZ)
# The target package_source; without what is built.
set(CPACK_SOURCE_GENERATOR TGZ)
set(CPACK_SOURCE_PACKAGE_FILE_NAME "lb_backup-${PROJECT_VERSION}")
set(CPACK_SOURCE_IGNORE_FILES "^${PROJECT_SOURCE_DIR}/(target|build|\\.git)(/|$)" "/__pycache__/" "^${PROJECT_BINARY_DIR}/"
    "^${LB_BACKUP_CARGO_TARGET_DIR}/")
# Whatever the packager's umask is.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
    OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/LbStage.cmake")

set(CPACK_COMPONENTS_ALL lb_backup_Runtime lb_backup_Development)
if(LB_BACKUP_BUILD_TOOL)
    list(APPEND CPACK_COMPONENTS_ALL lb_backup_Tool)
endif()

if(CMAKE_INSTALL_PREFIX STREQUAL "/usr" AND CMAKE_LIBRARY_ARCHITECTURE
   AND CMAKE_INSTALL_LIBDIR STREQUAL "lib/${CMAKE_LIBRARY_ARCHITECTURE}")
    set(CPACK_GENERATOR DEB)
    set(CPACK_PACKAGING_INSTALL_PREFIX "/usr")
    set(CPACK_DEB_COMPONENT_INSTALL ON)
    set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
    set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
    set(CPACK_DEBIAN_PACKAGE_SOURCE lb-backup)
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
    # Where the library lies that the tool needs and that no package has yet.
    set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS
        "${LB_BACKUP_CARGO_TARGET_DIR}/release" "${LB_BACKUP_CARGO_TARGET_DIR}/debug")
    set(lb_deb_version "${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
    set(lb_deb_runtime "liblb-backup${LB_BACKUP_ABI_VERSION}")
    # Each package has a synopsis of its own; CPack would put a common one before it.
    set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "")
    set(lb_deb_about "lb_backup takes backups of a SQLite database while the program that owns it
keeps writing, without harm to that program's own SQLite in the same process.
Files are published only when they are complete, durable and verified.")

    set(CPACK_DEBIAN_LB_BACKUP_RUNTIME_PACKAGE_NAME "${lb_deb_runtime}")
    set(CPACK_DEBIAN_LB_BACKUP_RUNTIME_PACKAGE_SECTION libs)
    # Programs that are packaged against it get their dependency from this.
    set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
    set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
    set(CPACK_DEBIAN_LB_BACKUP_RUNTIME_PACKAGE_CONTROL_EXTRA "${PROJECT_SOURCE_DIR}/cmake/debian/triggers")
    set(CPACK_DEBIAN_LB_BACKUP_RUNTIME_PACKAGE_CONTROL_STRICT_PERMISSION ON)
    set(CPACK_DEBIAN_LB_BACKUP_RUNTIME_DESCRIPTION "verified backups of live SQLite databases - shared library
${lb_deb_about}
.
This package holds the shared library.")

    set(CPACK_DEBIAN_LB_BACKUP_DEVELOPMENT_PACKAGE_NAME liblb-backup-dev)
    set(CPACK_DEBIAN_LB_BACKUP_DEVELOPMENT_PACKAGE_SECTION libdevel)
    set(CPACK_DEBIAN_LB_BACKUP_DEVELOPMENT_PACKAGE_DEPENDS "${lb_deb_runtime} (= ${lb_deb_version})")
    set(CPACK_DEBIAN_LB_BACKUP_DEVELOPMENT_PACKAGE_SUGGESTS "libboost-dev, pkg-config")
    set(CPACK_DEBIAN_LB_BACKUP_DEVELOPMENT_DESCRIPTION "verified backups of live SQLite databases - development files
${lb_deb_about}
.
This package holds the headers for C and C++, and the files for CMake and
pkg-config.")

    set(CPACK_DEBIAN_LB_BACKUP_TOOL_PACKAGE_NAME lbbackup)
    set(CPACK_DEBIAN_LB_BACKUP_TOOL_PACKAGE_SECTION database)
    set(CPACK_DEBIAN_LB_BACKUP_TOOL_PACKAGE_DEPENDS "${lb_deb_runtime} (>= ${PROJECT_VERSION})")
    set(CPACK_DEBIAN_LB_BACKUP_TOOL_DESCRIPTION "verified backups of live SQLite databases - command-line tool
${lb_deb_about}
.
This package holds lbbackup, which makes, verifies, lists and restores backups.")

    # From CMake 3.31 on: packages for several processors may be installed side by side.
    set(CPACK_DEBIAN_LB_BACKUP_RUNTIME_PACKAGE_MULTIARCH same)
    set(CPACK_DEBIAN_LB_BACKUP_DEVELOPMENT_PACKAGE_MULTIARCH same)
    set(CPACK_DEBIAN_LB_BACKUP_TOOL_PACKAGE_MULTIARCH foreign)
endif()

include(CPack)
