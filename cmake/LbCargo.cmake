# A shared library that cargo builds, as an imported target:
#
#   lb_cargo_library(NAME CARGO_TARGET target TARGET_DIR dir [FEATURES feature...] [ALL])
#
# CARGO_TARGET is the build target that runs cargo. It runs in every build: only cargo knows whether its sources changed,
# and it takes a fraction of a second to find out.

find_program(LB_BACKUP_CARGO cargo HINTS "$ENV{CARGO_HOME}/bin" "$ENV{HOME}/.cargo/bin"
             DOC "Rust's build tool, https://rustup.rs" REQUIRED)

function(lb_cargo_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "ALL" "CARGO_TARGET;TARGET_DIR" "FEATURES")

    # Cargo calls the profile "dev" and its folder "debug".
    set(profile "$<IF:$<CONFIG:Debug>,dev,release>")
    set(folder "${arg_TARGET_DIR}/$<IF:$<CONFIG:Debug>,debug,release>")
    set(soname "liblb_backup.so.${LB_BACKUP_ABI_VERSION}")

    set(features "")
    if(arg_FEATURES)
        list(JOIN arg_FEATURES "," features)
        set(features --features "${features}")
    endif()
    set(all "")
    if(arg_ALL)
        set(all ALL)
    endif()

    # WORKING_DIRECTORY: cargo looks for .cargo/config.toml, which holds a flag of the bundled SQLite, from there.
    # CARGO_BUILD_TARGET would add a folder to the path of the library.
    # USES_TERMINAL: one cargo at a time, each of which keeps all processors busy, and its progress can be seen.
    add_custom_target(${arg_CARGO_TARGET} ${all}
        COMMAND "${CMAKE_COMMAND}" -E env --unset=CARGO_BUILD_TARGET
                "${LB_BACKUP_CARGO}" build --locked --lib --profile "${profile}" --target-dir "${arg_TARGET_DIR}" ${features}
        COMMAND "${CMAKE_COMMAND}" "-DLINK=${folder}/${soname}" -DTARGET=liblb_backup.so
                -P "${PROJECT_SOURCE_DIR}/cmake/LbSymlink.cmake"
        BYPRODUCTS "${folder}/liblb_backup.so"
        WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}"
        COMMENT "cargo build: ${name}"
        USES_TERMINAL
        VERBATIM)

    add_library(${name} SHARED IMPORTED GLOBAL)
    set_target_properties(${name} PROPERTIES
        IMPORTED_LOCATION "${arg_TARGET_DIR}/release/liblb_backup.so"
        IMPORTED_LOCATION_DEBUG "${arg_TARGET_DIR}/debug/liblb_backup.so"
        IMPORTED_SONAME "${soname}"
        INTERFACE_INCLUDE_DIRECTORIES "${PROJECT_SOURCE_DIR}/include")
    add_dependencies(${name} ${arg_CARGO_TARGET})
endfunction()
