/*
 * Defects on purpose, one for each thing that a sanitizer or Valgrind is there to find: the proof that it really runs.
 *
 *   defect NAME
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So that nobody knows what comes of it, and nobody leaves it out. */
static volatile int one = 1, seen;

static int heap_overflow(void) {
    char *volatile bytes = malloc(16);
    if (bytes == NULL) return 2;
    memset(bytes, 0, 16);
    seen = bytes[15 + one];
    free(bytes);
    return 0;
}

static int use_after_free(void) {
    int *number = malloc(sizeof *number);
    if (number == NULL) return 2;
    *number = one;
    free(number);
    seen = *number;
    return 0;
}

static int signed_overflow(void) {
    int most = INT_MAX;
    seen = most + one;
    return 0;
}

static int leak(void) {
    volatile char *lost = malloc(40);
    if (lost == NULL) return 2;
    lost[0] = 1;
    lost = NULL;
    return lost != NULL;
}

static int shared;

static void *write_shared(void *unused) {
    (void)unused;
    shared = one;
    return NULL;
}

static int data_race(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, write_shared, NULL) != 0) return 2;
    shared = one + 1;
    pthread_join(thread, NULL);
    return 0;
}

static int none(void) {
    char *bytes = calloc(16, 1);
    if (bytes == NULL) return 2;
    int last = bytes[14 + one];
    free(bytes);
    return last;
}

int main(int argc, char **argv) {
    static const struct {
        const char *name;
        int (*run)(void);
    } table[] = {
        {"heap-overflow", heap_overflow},
        {"use-after-free", use_after_free},
        {"signed-overflow", signed_overflow},
        {"leak", leak},
        {"data-race", data_race},
        {"none", none},
    };
    for (size_t i = 0; argc == 2 && i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, argv[1]) == 0) return table[i].run();
    fputs("no such defect\n", stderr);
    return 2;
}
