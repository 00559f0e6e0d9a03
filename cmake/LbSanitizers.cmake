# The C and C++ side under a sanitizer, the library as released: presets asan and tsan. See scripts/sanitize.sh.

set(LB_BACKUP_SANITIZER "" CACHE STRING "address (with undefined behaviour), thread, or empty; of the C and C++ side")
set_property(CACHE LB_BACKUP_SANITIZER PROPERTY STRINGS "" address thread)

# For both compiling and linking. -Wno: GCC 12 takes its own std::regex for uninitialised when it is sanitised (GCC bug
# 105562).
set(lb_sanitizer_address -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g
    -Wno-maybe-uninitialized)
set(lb_sanitizer_thread -fsanitize=thread -g)

if(LB_BACKUP_SANITIZER)
    if(NOT DEFINED lb_sanitizer_${LB_BACKUP_SANITIZER})
        message(FATAL_ERROR "LB_BACKUP_SANITIZER is '${LB_BACKUP_SANITIZER}', not address or thread")
    endif()
    add_compile_options(${lb_sanitizer_${LB_BACKUP_SANITIZER}})
    add_link_options(${lb_sanitizer_${LB_BACKUP_SANITIZER}})
endif()
