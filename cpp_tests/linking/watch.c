#include "watch.h"

#include "support/host.h"

#include <stdatomic.h>

static atomic_int intrusions, own_calls;
static pid_t host_process, host_thread;

static void noticed(const char *what) {
    atomic_fetch_add(&intrusions, 1);
    dprintf(STDERR_FILENO, "somebody else's call came to the host: %s\n", what);
}

static void entered_sqlite(const char *what) {
    /* The scenario's process is a child of the one that began; its main thread is the host's. */
    const pid_t allowed = getpid() == host_process ? host_thread : getpid();
    if (thread_id() == allowed)
        atomic_fetch_add(&own_calls, 1);
    else
        noticed(what);
}

/* ---- the host's SQLite: its allocator and its default file system tell who comes in ---- */

static sqlite3_mem_methods memory;
static sqlite3_vfs files, *system_files;

static void *allocate(int size) {
    entered_sqlite("sqlite3_malloc");
    return memory.xMalloc(size);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out_flags) {
    (void)vfs;
    entered_sqlite("sqlite3_vfs::xOpen");
    return system_files->xOpen(system_files, name, file, flags, out_flags);
}

void watch_begin(void) {
    host_process = getpid();
    host_thread = thread_id();
    CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) == SQLITE_OK);
    sqlite3_mem_methods watched = memory;
    watched.xMalloc = allocate;
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &watched) == SQLITE_OK);
    CHECK((system_files = sqlite3_vfs_find(NULL)) != NULL);
    files = *system_files;
    files.zName = "watched";
    files.xOpen = open_file;
    CHECK(sqlite3_vfs_register(&files, 1) == SQLITE_OK);
}

int watch_intrusions(void) { return atomic_load(&intrusions); }

int watch_own_calls(void) { return atomic_load(&own_calls); }

/* ---- functions of other libraries that the library has inside, too: nobody in this program calls them ---- */

#define TRAP(name)               \
    size_t name(void);           \
    size_t name(void) {          \
        noticed(#name);          \
        return 0;                \
    }

TRAP(ZSTD_CCtx_reset)
TRAP(ZSTD_CCtx_setParameter)
TRAP(ZSTD_CCtx_setPledgedSrcSize)
TRAP(ZSTD_DCtx_reset)
TRAP(ZSTD_DCtx_setParameter)
TRAP(ZSTD_compress2)
TRAP(ZSTD_compressBound)
TRAP(ZSTD_compressCCtx)
TRAP(ZSTD_compressStream2)
TRAP(ZSTD_createCCtx)
TRAP(ZSTD_createDCtx)
TRAP(ZSTD_decompressDCtx)
TRAP(ZSTD_decompressStream)
TRAP(ZSTD_freeCCtx)
TRAP(ZSTD_freeDCtx)
TRAP(ZSTD_getErrorCode)
TRAP(ZSTD_getErrorName)
TRAP(ZSTD_isError)
TRAP(ZSTD_trace_compress_begin)
TRAP(ZSTD_trace_compress_end)
TRAP(ZSTD_trace_decompress_begin)
TRAP(ZSTD_trace_decompress_end)
TRAP(ZSTD_versionNumber)
TRAP(ZSTD_versionString)
TRAP(FSE_normalizeCount)
TRAP(FSE_writeNCount)
TRAP(HIST_count_wksp)
TRAP(HUF_compress1X_repeat)
TRAP(HUF_readStats)
TRAP(XXH64)
TRAP(XXH64_digest)
TRAP(XXH64_reset)
TRAP(XXH64_update)
TRAP(ZSTD_XXH64)
TRAP(blake3_compress_in_place_avx512)
TRAP(blake3_compress_in_place_sse2)
TRAP(blake3_compress_in_place_sse41)
TRAP(blake3_hash_many_avx2)
TRAP(blake3_hash_many_avx512)
TRAP(blake3_hash_many_sse2)
TRAP(blake3_hash_many_sse41)
TRAP(blake3_hasher_finalize)
TRAP(blake3_hasher_init)
TRAP(blake3_hasher_update)
TRAP(crc32)
TRAP(deflate)
TRAP(inflate)
TRAP(rust_eh_personality)
