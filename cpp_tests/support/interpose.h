/*
 * For libraries of tests that stand between liblb_backup.so and the C library: whose call it is, and where it goes on to.
 *
 * Everything in the library goes through the C library: Rust's std does, rustix is built with "use-libc" for just this
 * purpose, and the bundled SQLite's table of system calls holds addresses that the dynamic linker resolves. So a library
 * that is linked before libc (or named in LD_PRELOAD) has every call pass its door. By the return address it knows the
 * library's calls, on its own threads and on the host's thread that is just calling it; the host's own calls, its SQLite
 * and the C++ library never match.
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#ifndef LB_TEST_INTERPOSE_H
#define LB_TEST_INTERPOSE_H

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    uintptr_t code_start, code_end, base;
    char path[4096];
} library;

static inline void give_up(const char *reason) {
    dprintf(STDERR_FILENO, "between the library and libc: %s\n", reason);
    abort();
}

static inline int is_the_library(struct dl_phdr_info *info, size_t size, void *unused) {
    (void)size, (void)unused;
    if (strstr(info->dlpi_name, "liblb_backup.so") == NULL) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_X) == 0) continue;
        library.code_start = info->dlpi_addr + segment->p_vaddr;
        library.code_end = library.code_start + segment->p_memsz;
    }
    library.base = info->dlpi_addr;
    snprintf(library.path, sizeof library.path, "%s", info->dlpi_name);
    return 1;
}

/* Once, in a constructor. */
static inline void find_library(void) {
    if (dl_iterate_phdr(is_the_library, NULL) == 0) give_up("the program is not linked with liblb_backup.so");
}

static inline bool is_library(const void *caller) {
    uintptr_t address = (uintptr_t)caller;
    return address >= library.code_start && address < library.code_end;
}

/* `real`: the next definition of a function, which is the C library's. */
#define REAL(name)                                                                                                     \
    static __typeof__(&name) real;                                                                                     \
    if (real == NULL) real = __extension__(__typeof__(&name)) dlsym(RTLD_NEXT, #name);                                 \
    if (real == NULL) give_up("the C library has no " #name)

#endif
