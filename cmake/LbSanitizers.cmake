# The C and C++ side under a sanitizer or Valgrind, the library as released: presets asan, tsan and valgrind. See
# scripts/sanitize.sh.

set(LB_BACKUP_SANITIZER "" CACHE STRING
    "address (with undefined behaviour), thread, valgrind (C programs only), or empty: what the tests run under")
set_property(CACHE LB_BACKUP_SANITIZER PROPERTY STRINGS "" address thread valgrind)

# For both compiling and linking. -Wno-maybe-uninitialized: GCC 12 takes its own std::regex for uninitialised when it is
# sanitised (GCC bug 105562). -Wno-tsan: ThreadSanitizer does not follow the fences that Asio has beside its mutexes.
set(lb_sanitizer_address -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -g
    -Wno-maybe-uninitialized)
set(lb_sanitizer_thread -fsanitize=thread -g -Wno-tsan)
set(lb_sanitizer_valgrind -g)

if(LB_BACKUP_SANITIZER)
    if(NOT DEFINED lb_sanitizer_${LB_BACKUP_SANITIZER})
        message(FATAL_ERROR "LB_BACKUP_SANITIZER is '${LB_BACKUP_SANITIZER}', not address, thread or valgrind")
    endif()
    add_compile_options(${lb_sanitizer_${LB_BACKUP_SANITIZER}})
    add_link_options(${lb_sanitizer_${LB_BACKUP_SANITIZER}})
endif()
