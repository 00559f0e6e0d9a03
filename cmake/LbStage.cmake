# What cpack runs between installing into its own directory and packing that: what Debian's policy asks for, and times that
# do not depend on when it was done.

# The date of the packages: of the sources if the packager says so (SOURCE_DATE_EPOCH), else now.
string(TIMESTAMP lb_date "%a, %d %b %Y %H:%M:%S +0000" UTC)
string(TIMESTAMP lb_seconds "%s" UTC)

function(lb_gzip)
    execute_process(COMMAND gzip -9 -n -f ${ARGN} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

function(lb_stage_for_debian component)
    set(usr "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr")
    string(TOUPPER "${component}" upper)
    set(package "${CPACK_DEBIAN_${upper}_PACKAGE_NAME}")
    set(doc "${usr}/share/doc/${package}")

    file(READ "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/debian/copyright" copyright)
    if(EXISTS "${usr}/share/licenses/lb_backup/LICENSES-OF-OTHERS")
        file(READ "${usr}/share/licenses/lb_backup/LICENSES-OF-OTHERS" others)
        string(APPEND copyright "\n${others}")
    endif()
    file(REMOVE_RECURSE "${usr}/share/licenses")
    if(EXISTS "${usr}/share/doc/lb_backup")
        file(RENAME "${usr}/share/doc/lb_backup" "${doc}")
        file(REMOVE "${doc}/CHANGELOG.md")
    endif()
    file(WRITE "${doc}/copyright" "${copyright}")
    configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/../CHANGELOG.md" "${doc}/changelog" COPYONLY)
    configure_file("${CMAKE_CURRENT_FUNCTION_LIST_DIR}/debian/changelog.in" "${doc}/changelog.Debian" @ONLY)
    file(GLOB manuals "${usr}/share/man/man1/*.1")
    lb_gzip("${doc}/changelog" "${doc}/changelog.Debian" ${manuals})

    # A program in /usr/bin needs no help to find a library in /usr/lib.
    file(GLOB programs "${usr}/bin/*")
    foreach(program IN LISTS programs)
        file(RPATH_REMOVE FILE "${program}")
    endforeach()
endfunction()

if(CPACK_GENERATOR STREQUAL "DEB")
    foreach(lb_component IN LISTS CPACK_COMPONENTS_ALL)
        lb_stage_for_debian("${lb_component}")
    endforeach()
endif()
execute_process(
    COMMAND find "${CPACK_TEMPORARY_INSTALL_DIRECTORY}" -exec touch --no-dereference "--date=@${lb_seconds}" {} +
    COMMAND_ERROR_IS_FATAL ANY)
