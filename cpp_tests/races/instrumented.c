/*
 * What ThreadSanitizer has to be told where the library itself is instrumented, Rust, SQLite and Zstandard: see
 * docs/RACES.md. SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <stddef.h>
#include <string.h>

void *__tsan_memcpy(void *to, const void *from, size_t size);
void *__tsan_memmove(void *to, const void *from, size_t size);
void *__tsan_memset(void *at, int value, size_t size);
const char *__tsan_default_suppressions(void);
const char *__tsan_default_options(void);

/* LLVM's names, which GCC's runtime does not have, for what it finds by itself in the functions of the C library. */
void *__tsan_memcpy(void *to, const void *from, size_t size) { return memcpy(to, from, size); }
void *__tsan_memmove(void *to, const void *from, size_t size) { return memmove(to, from, size); }
void *__tsan_memset(void *at, int value, size_t size) { return memset(at, value, size); }

/*
 * It takes a descriptor for a variable of the process, by its number. There are two tables here with the same numbers, and
 * those that fcntl(F_DUPFD) gives it does not know. What opens and closes touches no other memory.
 */
const char *__tsan_default_suppressions(void) {
    return "race:^close$\n"
           "race:interceptor_close$\n"
           "race:^open64$\n"
           "race:interceptor_open64$\n"
           "race:^openat64$\n"
           "race:interceptor_openat64$\n";
}

const char *__tsan_default_options(void) { return "second_deadlock_stack=1"; }
