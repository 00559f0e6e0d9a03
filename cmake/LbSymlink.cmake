# cmake -DLINK=path -DTARGET=name -P LbSymlink.cmake
#
# Programs linked from the build tree look for the library under its SONAME. A link that is right is left alone: remaking
# it would take it away, for a moment, from programs that are just being started.
if(IS_SYMLINK "${LINK}")
    file(READ_SYMLINK "${LINK}" present)
    if(present STREQUAL TARGET)
        return()
    endif()
endif()
file(CREATE_LINK "${TARGET}" "${LINK}" SYMBOLIC)
