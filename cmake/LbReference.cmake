# The reference: the target lb_backup_reference leaves its pages in reference/html of the build, and
# `cmake --install BUILD --component lb_backup_Reference` installs them, if they were made.

find_program(LB_BACKUP_DOXYGEN doxygen DOC "Makes the reference, https://www.doxygen.nl")

# lb_configure_reference(directory xml): a Doxyfile in `directory`, whose output goes there, too; xml is YES or NO.
function(lb_configure_reference lb_reference_dir lb_reference_xml)
    configure_file("${PROJECT_SOURCE_DIR}/docs/reference/Doxyfile.in" "${lb_reference_dir}/Doxyfile" @ONLY)
endfunction()

if(LB_BACKUP_DOXYGEN)
    lb_configure_reference("${PROJECT_BINARY_DIR}/reference" NO)
    add_custom_target(lb_backup_reference
        COMMAND "${LB_BACKUP_DOXYGEN}" "${PROJECT_BINARY_DIR}/reference/Doxyfile"
        COMMENT "doxygen: ${PROJECT_BINARY_DIR}/reference/html/index.html"
        VERBATIM)
    if(LB_BACKUP_INSTALL)
        include(GNUInstallDirs)
        install(DIRECTORY "${PROJECT_BINARY_DIR}/reference/html" DESTINATION "${CMAKE_INSTALL_DATADIR}/doc/lb_backup"
                COMPONENT lb_backup_Reference EXCLUDE_FROM_ALL OPTIONAL)
    endif()
endif()
