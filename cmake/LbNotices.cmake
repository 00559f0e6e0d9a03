# cmake -DCARGO=cargo -DSOURCE_DIR=dir -DOUTPUT=file -P LbNotices.cmake
#
# What is inside the library that others wrote, with the texts that their licences want passed on with binaries. From the
# sources that cargo has just built it of; made anew when Cargo.lock has changed.
cmake_minimum_required(VERSION 3.20)

if(EXISTS "${OUTPUT}" AND "${OUTPUT}" IS_NEWER_THAN "${SOURCE_DIR}/Cargo.lock"
   AND "${OUTPUT}" IS_NEWER_THAN "${CMAKE_CURRENT_LIST_FILE}")
    return()
endif()

# For this platform only: cargo has not fetched what others need.
execute_process(COMMAND "${CARGO}" --version --verbose OUTPUT_VARIABLE cargo_version COMMAND_ERROR_IS_FATAL ANY)
if(NOT cargo_version MATCHES "\nhost: ([^\n]+)")
    message(FATAL_ERROR "${CARGO} does not tell its host: ${cargo_version}")
endif()
set(platform "${CMAKE_MATCH_1}")
execute_process(COMMAND "${CARGO}" tree --locked --target "${platform}" --edges normal --prefix none --format "{p}"
    WORKING_DIRECTORY "${SOURCE_DIR}" OUTPUT_VARIABLE linked COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${CARGO}" metadata --locked --filter-platform "${platform}" --format-version 1
    WORKING_DIRECTORY "${SOURCE_DIR}" OUTPUT_VARIABLE metadata COMMAND_ERROR_IS_FATAL ANY)

set(list "")
set(hashes "")
string(JSON packages GET "${metadata}" packages)
string(JSON count LENGTH "${packages}")
math(EXPR last "${count} - 1")
foreach(index RANGE ${last})
    string(JSON package GET "${packages}" ${index})
    string(JSON name GET "${package}" name)
    string(JSON version GET "${package}" version)
    string(JSON source GET "${package}" source)
    string(FIND "\n${linked}" "\n${name} v${version}" at)
    # Without a source: lb_backup itself.
    if(at EQUAL -1 OR NOT source)
        continue()
    endif()

    string(JSON licence GET "${package}" license)
    string(APPEND list "  ${name} ${version}: ${licence}\n")
    string(JSON manifest GET "${package}" manifest_path)
    get_filename_component(folder "${manifest}" DIRECTORY)
    # The second: the C sources that zstd-sys brings along.
    file(GLOB texts LIST_DIRECTORIES false "${folder}/LICEN[CS]E*" "${folder}/zstd/LICENSE" "${folder}/COPYING*"
         "${folder}/COPYRIGHT*" "${folder}/NOTICE*")
    foreach(file IN LISTS texts)
        file(READ "${file}" text)
        if(text MATCHES "^[ \n]*Apache License[ \n]+Version 2.0")
            continue()
        endif()
        string(STRIP "${text}" text)
        string(SHA256 hash "${text}")
        if(NOT hash IN_LIST hashes)
            list(APPEND hashes ${hash})
            set(text_${hash} "${text}")
        endif()
        string(APPEND users_${hash} " ${name}")
    endforeach()
endforeach()

set(notices "The library contains the work of others:

  SQLite: in the public domain
  Zstandard: BSD-3-Clause
  the standard library of Rust: MIT OR Apache-2.0
${list}
Where the Apache License, version 2.0, is one of the choices, its text is in
LICENSE-APACHE, or on Debian systems in /usr/share/common-licenses/Apache-2.0.
The other texts follow, each with the names of those that come with it.
")
foreach(hash IN LISTS hashes)
    string(APPEND notices "
--------------------------------------------------------------------------------
${users_${hash}}

${text_${hash}}
")
endforeach()
file(WRITE "${OUTPUT}" "${notices}")
