/*
 * A library that bundles SQLite and Zstandard as many do: its copies are exported, and its own calls go through the
 * dynamic linker. In a host that exports functions of these names they end up in the host's. Compiled a second time with
 * hidden visibility, where they do not.
 *
 * Its copies are empty: who is called is the question.
 */
#include <pthread.h>
#include <stddef.h>

void *sqlite3_malloc(int size);
size_t ZSTD_compressStream2(void);

__attribute__((noinline)) void *sqlite3_malloc(int size) {
    (void)size;
    return NULL;
}

__attribute__((noinline)) size_t ZSTD_compressStream2(void) { return 0; }

static void *work(void *nothing) {
    /* Volatile: not to be replaced by what the compiler can see here. */
    void *(*volatile allocate)(int) = sqlite3_malloc;
    size_t (*volatile compress)(void) = ZSTD_compressStream2;
    allocate(16);
    compress();
    return nothing;
}

__attribute__((visibility("default"))) int careless_backup(void);

int careless_backup(void) {
    pthread_t thread;
    return pthread_create(&thread, NULL, work, NULL) != 0 || pthread_join(thread, NULL) != 0;
}
