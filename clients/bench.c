/*
 * What a backup costs in C: the measure for the clients in other languages. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 *   cc -std=c11 -O2 -I include clients/bench.c -o bench && ./bench LIBRARY SOURCE DEST
 *
 * For each line of the standard input it backs up SOURCE to DEST with the default options, removes DEST, and prints the
 * nanoseconds from before the start to after the join. A client's own bench asks for one line, does the same by itself,
 * and so on in turn: whatever disturbs the machine disturbs both. The first backup also starts the library's threads.
 */
#define _POSIX_C_SOURCE 200809L

#include <lb_backup.h>

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* ISO C has no conversion from an object pointer to a function's; POSIX says that their representation is the same. */
static int look_up(void *library, const char *name, void *function) {
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, sizeof symbol);
    return symbol != NULL;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: bench LIBRARY SOURCE DEST\n");
        return 2;
    }
    lb_status (*start)(const char *, const char *, const lb_backup_options *, lb_job **, lb_error *);
    lb_status (*join)(lb_job *, lb_result *);
    void *library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || !look_up(library, "lb_backup_start", &start) || !look_up(library, "lb_backup_join", &join)) {
        fprintf(stderr, "bench: %s\n", dlerror());
        return 1;
    }
    for (int character; (character = getchar()) != EOF;) {
        if (character != '\n') continue;
        lb_error error = {0};
        error.struct_size = sizeof error;
        lb_result result = {0};
        result.struct_size = sizeof result;
        lb_job *job;
        const int64_t before = now_ns();
        if (start(argv[2], argv[3], NULL, &job, &error) != LB_STATUS_OK) {
            fprintf(stderr, "bench: %s\n", error.message);
            return 1;
        }
        if (join(job, &result) != LB_STATUS_OK) {
            fprintf(stderr, "bench: %s\n", result.message);
            return 1;
        }
        const int64_t taken = now_ns() - before;
        unlink(argv[3]);
        printf("%lld\n", (long long)taken);
        fflush(stdout);
    }
    return 0;
}
