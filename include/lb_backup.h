/**
 * @file
 * lb_backup: asynchronous, verified backups of live SQLite databases.
 *
 * Generated from the Rust sources by cbindgen; do not edit. SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * ### CAVEATS, before anything else
 *
 * - **Same process.** The library has its own SQLite and may be used in a process whose own SQLite has the source open.
 *   Its threads have a descriptor table of their own, so that no lock of the host is ever dropped. Where the system cannot
 *   give that, every start is refused with LB_STATUS_UNSUPPORTED.
 * - **fork.** A child made by fork() after the parent's first job gets LB_STATUS_WRONG_PROCESS from every call.
 * - **Readers.** While a backup of a WAL database runs, its snapshot keeps the -wal file from being reset: it grows with
 *   what the host writes. lb_backup_options::wal_limit_bytes caps that. While a backup of a rollback-journal database
 *   copies, writers of that database wait, as they do for any reader.
 * - **Restoring.** An existing database is never overwritten as a file: it is changed in one write transaction of SQLite,
 *   so that open connections go on. Programs that copy over, or rename onto, a database that is open destroy it; remove
 *   nothing beside it either.
 * - **Networks.** The rules of SQLite hold: no WAL over a network file system, and no trust in its locks.
 * - **64 bits.** Linux on 64-bit processors.
 *
 * ### CONVENTIONS
 *
 * Paths and messages are UTF-8 and NUL-terminated. Relative paths are taken from the working directory at the call.
 *
 * Every function returns an lb_status; lb_status_name and lb_status_message have a name and a sentence for each. Outs are
 * written on success only, but a handle out is set to NULL first; lb_error is written on failure only and may be NULL.
 *
 * Every structure begins with its size, set by the caller. Zero means default, everywhere. A larger structure than this
 * library knows is accepted: going in, the rest must be zero; coming out, the rest becomes zero. Misaligned or NULL
 * pointers are LB_STATUS_INVALID_ARGUMENT.
 *
 * The library frees what it allocates and never keeps a pointer beyond the call, user_data and callbacks excepted.
 *
 * Every function may be called from any thread at any time, and none is async-signal-safe.
 *
 * ### EXAMPLE
 *
 * @code{.c}
 * lb_backup_options options = {0};
 * options.struct_size = sizeof options;
 * lb_error error = {0};
 * error.struct_size = sizeof error;
 * lb_job *job;
 * if (lb_backup_start("game.db", "game.db.zst", &options, &job, &error) != LB_STATUS_OK) {
 *     fprintf(stderr, "%s\n", error.message);
 *     return 1;
 * }
 * lb_progress progress = {0};
 * progress.struct_size = sizeof progress;
 * while (lb_backup_wait(job, 16) == LB_STATUS_TIMED_OUT) {
 *     lb_backup_progress(job, &progress);
 *     printf("\r%5.1f %%", progress.percent);
 * }
 * lb_result result = {0};
 * result.struct_size = sizeof result;
 * return lb_backup_join(job, &result) == LB_STATUS_OK ? 0 : 1;
 * @endcode
 */


#ifndef LB_BACKUP_H
#define LB_BACKUP_H

#include <stddef.h>
#include <stdint.h>

/**
 * The ABI version of this header: the number in the SONAME `liblb_backup.so.0`.
 */
#define LB_ABI_VERSION 0

/**
 * Bytes of every inline message, the terminating NUL included. Messages are UTF-8; a longer one loses its middle.
 */
#define LB_MESSAGE_SIZE 1024

/**
 * `lb_config::flags`: go on even if the library cannot separate its file locks from the host's (see CAVEATS, same
 * process), because the caller knows that nothing else in this process has any of the source databases open.
 */
#define LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS 1

/**
 * `lb_config::priority`: the pool's threads yield to everything else (nice 10, lowest best-effort I/O class).
 */
#define LB_PRIORITY_BACKGROUND 0

/**
 * `lb_config::priority`: the pool's threads run like the host's own.
 */
#define LB_PRIORITY_NORMAL 1

/**
 * `lb_backup_options::format`: by the destination's name; `.zst` compresses, anything else is a plain image.
 */
#define LB_FORMAT_BY_NAME 0

/**
 * `lb_backup_options::format`: a plain database file.
 */
#define LB_FORMAT_IMAGE 1

/**
 * `lb_backup_options::format`: Zstandard, one independent frame per chunk; `zstd -d` gives the plain image.
 */
#define LB_FORMAT_ZSTD 2

/**
 * `lb_backup_options::existing`: an existing destination is LB_STATUS_ALREADY_EXISTS.
 */
#define LB_EXISTING_REFUSE 0

/**
 * `lb_backup_options::existing`: an existing regular file is replaced in one step, and only by a verified one.
 */
#define LB_EXISTING_REPLACE 1

/**
 * `lb_backup_options::verify`: what was written is read back, once the disk was made to write it (sync_file_range(2)) and
 * before the last fsync, and compared, by a BLAKE3 hash of every piece, with what was to be written. Costs one sequential
 * read of the archive, most of it from the page cache.
 */
#define LB_VERIFY_QUICK 0

/**
 * `lb_backup_options::verify`: quick, but from the disk and not from the page cache, then SQLite's
 * `integrity_check` on the image. Costs a full scan of every table
 * and index and, for a compressed archive, as much temporary disk space beside the destination as the image takes.
 */
#define LB_VERIFY_FULL 1

/**
 * `lb_backup_options::verify`: trust the file system.
 */
#define LB_VERIFY_NONE 2

/**
 * `lb_backup_options::digest`: `lb_result::sha256` holds the SHA-256 of the archive file.
 */
#define LB_DIGEST_SHA256 0

/**
 * `lb_backup_options::digest`: no digest in the result.
 */
#define LB_DIGEST_NONE 1

/**
 * `lb_archive_info::kind`: a plain database file.
 */
#define LB_KIND_IMAGE 1

/**
 * `lb_archive_info::kind`: an archive of this library (docs/FORMAT.md).
 */
#define LB_KIND_ARCHIVE 2

/**
 * `lb_archive_info::kind`: another tool's Zstandard file; what it holds is not known before it is decompressed.
 */
#define LB_KIND_ZSTD 3

/**
 * `lb_archive_info::kind`: a gzip file; what it holds is not known before it is decompressed.
 */
#define LB_KIND_GZIP 4

/**
 * `lb_result::failed_check`: no check failed.
 */
#define LB_CHECK_NONE 0

/**
 * `lb_result::failed_check`: the file's structure (header, manifest, seek table, length), or it is no backup at all.
 */
#define LB_CHECK_STRUCTURE 1

/**
 * `lb_result::failed_check`: a frame does not have the hash that the manifest says, or does not decompress.
 */
#define LB_CHECK_FRAME 2

/**
 * `lb_result::failed_check`: a frame decompresses to another content than the manifest says.
 */
#define LB_CHECK_CONTENT 3

/**
 * `lb_result::failed_check`: SQLite's `integrity_check` of the image.
 */
#define LB_CHECK_INTEGRITY 4

/**
 * `lb_result::failed_check`: SQLite's `foreign_key_check` of the image. A table with a foreign key to columns that are no key
 * of theirs ("foreign key mismatch"), which SQLite cannot check, passes.
 */
#define LB_CHECK_FOREIGN_KEYS 5

/**
 * `lb_result::failed_chunk` where the failure is of no chunk.
 */
#define LB_NO_CHUNK 18446744073709551615ull

/**
 * `lb_log_fn`: something the operator should look at; the job went on.
 */
#define LB_LOG_WARNING 1

/**
 * `lb_log_fn`: worth a line, nothing to do.
 */
#define LB_LOG_INFO 2

/**
 * The outcome of a call or of a job. The values are frozen; new ones are added at the end.
 */
enum lb_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Done, and proven.
     */
    LB_STATUS_OK = 0,
    /**
     * An argument or an option is wrong; the message names it. Calling again with the same is useless.
     */
    LB_STATUS_INVALID_ARGUMENT = 1,
    /**
     * The handle was joined, released, or never given out.
     */
    LB_STATUS_INVALID_HANDLE = 2,
    /**
     * The source, or the destination's directory, does not exist.
     */
    LB_STATUS_NOT_FOUND = 3,
    /**
     * The destination exists and replacing it was not asked for.
     */
    LB_STATUS_ALREADY_EXISTS = 4,
    /**
     * The operating system refused access.
     */
    LB_STATUS_PERMISSION_DENIED = 5,
    /**
     * The source is not a SQLite database, or it is encrypted.
     */
    LB_STATUS_NOT_A_DATABASE = 6,
    /**
     * The source is damaged, or what was written does not read back the same.
     */
    LB_STATUS_CORRUPT = 7,
    /**
     * Somebody else holds a lock, and still did after the busy timeout. Try later.
     */
    LB_STATUS_BUSY = 8,
    /**
     * No room for the archive: a full disk, a quota, or a file-size limit.
     */
    LB_STATUS_NO_SPACE = 9,
    /**
     * The operating system failed to read or write.
     */
    LB_STATUS_IO = 10,
    /**
     * Cancelled before the archive was published.
     */
    LB_STATUS_CANCELLED = 11,
    /**
     * lb_backup_wait, lb_shutdown: not yet done.
     */
    LB_STATUS_TIMED_OUT = 12,
    /**
     * Too many jobs wait, or too many handles are open.
     */
    LB_STATUS_QUEUE_FULL = 13,
    /**
     * The source was replaced or unlinked while it was read.
     */
    LB_STATUS_SOURCE_CHANGED = 14,
    /**
     * The source's write-ahead log outgrew the caller's limit.
     */
    LB_STATUS_WAL_LIMIT = 15,
    /**
     * This system cannot do what is needed; the message says what is missing.
     */
    LB_STATUS_UNSUPPORTED = 16,
    /**
     * Memory could not be allocated.
     */
    LB_STATUS_OUT_OF_MEMORY = 17,
    /**
     * The process was forked after the library's first use; a child has no jobs. Use exec, or start after the fork.
     */
    LB_STATUS_WRONG_PROCESS = 18,
    /**
     * A callback asked to wait for an unfinished job, which could never finish.
     */
    LB_STATUS_WOULD_DEADLOCK = 19,
    /**
     * The library is shutting down.
     */
    LB_STATUS_SHUT_DOWN = 20,
    /**
     * A defect of this library. The message has the details; please report it.
     */
    LB_STATUS_INTERNAL = 21,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lb_status lb_status;
#else
typedef int32_t lb_status;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * The life of a job. The last three are final.
 */
enum lb_job_state
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * Accepted; waits for its turn.
     */
    LB_JOB_STATE_QUEUED = 0,
    /**
     * At work.
     */
    LB_JOB_STATE_RUNNING = 1,
    /**
     * The archive is published.
     */
    LB_JOB_STATE_SUCCEEDED = 2,
    /**
     * No archive; the result says why.
     */
    LB_JOB_STATE_FAILED = 3,
    /**
     * No archive, because that was asked for.
     */
    LB_JOB_STATE_CANCELLED = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lb_job_state lb_job_state;
#else
typedef uint32_t lb_job_state;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * What a running job is doing. A later phase has a greater number.
 */
enum lb_phase
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    /**
     * For its turn, or for a lock.
     */
    LB_PHASE_WAITING = 0,
    /**
     * Bytes of the source to a file.
     */
    LB_PHASE_COPYING = 1,
    /**
     * Chunks of the image to frames of the archive.
     */
    LB_PHASE_COMPRESSING = 2,
    /**
     * Waiting for the disk to confirm.
     */
    LB_PHASE_SYNCING = 3,
    /**
     * Reading back and comparing.
     */
    LB_PHASE_VERIFYING = 4,
    /**
     * The archive's content to its destination.
     */
    LB_PHASE_RESTORING = 5,
    /**
     * The job has ended.
     */
    LB_PHASE_DONE = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum lb_phase lb_phase;
#else
typedef uint32_t lb_phase;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/**
 * A handle to one asynchronous job.
 *
 * The pointer is a token: it is never dereferenced and its value is never used twice. A handle that was joined or
 * released, or that never came from this library, gives LB_STATUS_INVALID_HANDLE. Any thread may use a handle; it
 * ends with `lb_backup_join` or `lb_backup_release`, once.
 */
typedef struct lb_job lb_job;

/**
 * One look at a running or finished job. Values never go backwards from one look to the next.
 *
 * Set `struct_size` before the call.
 */
typedef struct lb_progress {
    /**
     * sizeof(lb_progress), set by the caller.
     */
    uint32_t struct_size;
    /**
     * One of lb_job_state.
     */
    lb_job_state state;
    /**
     * One of lb_phase.
     */
    lb_phase phase;
    /**
     * How often a transient error (a lock, an interrupted call) was waited out.
     */
    uint32_t retries;
    /**
     * Bytes of the image that have gone into the archive. At success equal to bytes_total.
     */
    uint64_t bytes_done;
    /**
     * Bytes of the image; 0 until the snapshot stands.
     */
    uint64_t bytes_total;
    /**
     * Bytes written to the archive file.
     */
    uint64_t bytes_written;
    /**
     * Backup: bytes of the archive taken over from an earlier one instead of being compressed. Restore onto an existing
     * database: bytes of the image that it had already.
     */
    uint64_t bytes_reused;
    /**
     * Nanoseconds since the job was accepted; stands still once the job has ended.
     */
    uint64_t elapsed_ns;
    /**
     * Estimated nanoseconds to the end: 0 once the job has ended, UINT64_MAX while there is no estimate.
     */
    uint64_t eta_ns;
    /**
     * The whole job, verification and all, from 0 to 100. 100 only with LB_JOB_STATE_SUCCEEDED.
     */
    double percent;
} lb_progress;

/**
 * Called on the library's host-side thread, at most once per interval while the job runs and once with its last
 * state, before on_complete.
 *
 * May come before the call that starts the job has returned and written its out_job: `job` is that handle.
 * Never two callbacks of one job at once. The pointers die with the call. Any function of this library may be called,
 * but lb_backup_wait, lb_backup_join and lb_shutdown never wait in here: for an unfinished job they give
 * LB_STATUS_WOULD_DEADLOCK. A slow callback delays the callbacks of all other jobs, never the jobs. It must not
 * unwind (no C++ exception, no longjmp). Every signal is blocked in it but those that a thread raises by a fault of its own;
 * a process that is started in here inherits that, unless it is given a mask (posix_spawnattr_setsigmask(3)). No
 * callback is begun any more once exit(3) has come to what was registered, or constructed, before the first job that had
 * callbacks was started, or on_log was first configured; what came later goes before (atexit(3)), and no callback may
 * need it.
 */
typedef void (*lb_progress_fn)(struct lb_job *job, const struct lb_progress *progress, void *user_data);

/**
 * What became of a job. Set `struct_size` before the call.
 */
typedef struct lb_result {
    /**
     * sizeof(lb_result), set by the caller.
     */
    uint32_t struct_size;
    /**
     * LB_STATUS_OK, or why there is no archive. Fields beyond the message are what was known by then.
     */
    lb_status status;
    /**
     * SQLite's extended result code, or 0.
     */
    int32_t sqlite_code;
    /**
     * errno, or 0.
     */
    int32_t sys_errno;
    /**
     * UTF-8, NUL-terminated; empty on success.
     */
    char message[LB_MESSAGE_SIZE];
    /**
     * LB_FORMAT_IMAGE or LB_FORMAT_ZSTD.
     */
    uint32_t format;
    /**
     * Bytes of one database page, 512 to 65536; 0 for the archive of an empty database.
     */
    uint32_t page_size;
    /**
     * Pages of the image.
     */
    uint64_t pages;
    /**
     * Bytes of the image: pages times page_size.
     */
    uint64_t image_bytes;
    /**
     * Bytes of the archive file.
     */
    uint64_t archive_bytes;
    /**
     * As in lb_progress.
     */
    uint64_t bytes_reused;
    /**
     * 1 if sha256 is set, else 0.
     */
    uint32_t has_sha256;
    /**
     * Transient errors that were waited out.
     */
    uint32_t retries;
    /**
     * SHA-256 of the archive file (FIPS 180-4).
     */
    uint8_t sha256[32];
    /**
     * Wall-clock time at which the job was accepted, nanoseconds since 1970-01-01 UTC.
     */
    int64_t start_unix_ns;
    /**
     * Wall-clock time at which the job ended, nanoseconds since 1970-01-01 UTC.
     */
    int64_t end_unix_ns;
    /**
     * Nanoseconds in the queue, in lock waits and in the throttle.
     */
    uint64_t waiting_ns;
    /**
     * Nanoseconds spent reading the source.
     */
    uint64_t reading_ns;
    /**
     * Processor nanoseconds spent compressing, all threads added up.
     */
    uint64_t compressing_ns;
    /**
     * Nanoseconds spent writing the archive.
     */
    uint64_t writing_ns;
    /**
     * Nanoseconds spent waiting for the disk to have what was written, all threads added up.
     */
    uint64_t syncing_ns;
    /**
     * Nanoseconds spent reading back and verifying, all threads added up.
     */
    uint64_t verifying_ns;
    /**
     * Nanoseconds for which the snapshot kept writers of a rollback-journal source from committing; 0 in WAL mode,
     * where a snapshot never does.
     */
    uint64_t source_lock_ns;
    /**
     * Bytes by which the source's -wal file grew while the snapshot stood; 0 for a rollback-journal source.
     */
    uint64_t wal_growth_bytes;
    /**
     * Which check an archive failed: one of LB_CHECK_NONE (0) to LB_CHECK_FOREIGN_KEYS.
     */
    uint32_t failed_check;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * Index of the chunk that failed, from 0 on; LB_NO_CHUNK if none did.
     */
    uint64_t failed_chunk;
    /**
     * Number of a database page that failed, from 1 on, as far as it is known; 0 if none.
     */
    uint64_t failed_page;
} lb_result;

/**
 * Called exactly once per job, as its last callback, under the rules of lb_progress_fn; also when the handle was
 * released, and for jobs that lb_shutdown cancelled. In here the job counts as finished: lb_backup_join works. May free
 * what user_data points to: the library hands it over for the last time here.
 */
typedef void (*lb_complete_fn)(struct lb_job *job, const struct lb_result *result, void *user_data);

/**
 * How to take a backup. Set everything to zero, then `struct_size`: that alone asks for the defaults.
 */
typedef struct lb_backup_options {
    /**
     * sizeof(lb_backup_options), set by the caller.
     */
    uint32_t struct_size;
    /**
     * LB_FORMAT_BY_NAME (0), LB_FORMAT_IMAGE or LB_FORMAT_ZSTD.
     */
    uint32_t format;
    /**
     * Zstandard level, -7 to 19; 0 means 3. Higher is smaller and slower. Ignored for a plain image.
     */
    int32_t compression_level;
    /**
     * LB_EXISTING_REFUSE (0) or LB_EXISTING_REPLACE.
     */
    uint32_t existing;
    /**
     * LB_VERIFY_QUICK (0), LB_VERIFY_FULL or LB_VERIFY_NONE.
     */
    uint32_t verify;
    /**
     * LB_DIGEST_SHA256 (0) or LB_DIGEST_NONE.
     */
    uint32_t digest;
    /**
     * Bytes of a chunk, 65536 to 8388608, rounded down to whole pages; 0 adapts to the size of the database and the speed
     * of its disk, between 262144 and 8388608, or is that of reuse_path. Memory in use is a small multiple of this, plus
     * some 150 bytes per chunk of an archive; no archive has more than 1048576 chunks.
     */
    uint64_t chunk_size;
    /**
     * Most bytes of the image per second, 0 for no limit. See lb_backup_set_rate. It bounds what is read from the source
     * and with that what is written, and read back, of the archive. Does not slow the raw copy of a rollback-journal
     * source, as its writers wait meanwhile: for a plain image that is the whole copy.
     */
    uint64_t max_bytes_per_second;
    /**
     * Milliseconds for which a locked source is tried again, 0 means 5000, UINT32_MAX is the longest. Then
     * LB_STATUS_BUSY.
     */
    uint32_t busy_timeout_ms;
    /**
     * Least milliseconds between two on_progress calls; 0 means 100.
     */
    uint32_t progress_interval_ms;
    /**
     * Most bytes by which the source's -wal file may grow while the snapshot keeps it from being reset; 0 for no limit.
     * Then LB_STATUS_WAL_LIMIT.
     */
    uint64_t wal_limit_bytes;
    /**
     * Handed to the callbacks as it is. Must stay valid until on_complete has returned.
     */
    void *user_data;
    /**
     * May be NULL.
     */
    lb_progress_fn on_progress;
    /**
     * May be NULL.
     */
    lb_complete_fn on_complete;
    /**
     * NULL, or an earlier compressed archive of the same database, made by this library: chunks that have not changed
     * since are taken from it instead of being compressed again, each checked by its hash first, with the level that
     * they have there. May be dest_path itself. The new archive is complete without it. LB_STATUS_NOT_FOUND if it does
     * not exist; one that is damaged or of another kind costs a warning in the log and the time that it would have
     * saved. For LB_FORMAT_ZSTD only. Name only an archive that you trust as you trust your own.
     */
    const char *reuse_path;
} lb_backup_options;

/**
 * Why a call failed. The caller's own memory: nothing to free, no thread-local state behind it.
 *
 * Set `struct_size` before the call. Written only when the call fails.
 */
typedef struct lb_error {
    /**
     * sizeof(lb_error), set by the caller.
     */
    uint32_t struct_size;
    /**
     * The same value that the call returned.
     */
    lb_status status;
    /**
     * SQLite's extended result code, or 0 where SQLite was not the cause.
     */
    int32_t sqlite_code;
    /**
     * The operating system's errno, or 0 where it was not the cause.
     */
    int32_t sys_errno;
    /**
     * UTF-8, NUL-terminated: the operation, the path, the reason.
     */
    char message[LB_MESSAGE_SIZE];
} lb_error;

/**
 * How to restore. Set everything to zero, then `struct_size`: that alone asks for the defaults.
 */
typedef struct lb_restore_options {
    /**
     * sizeof(lb_restore_options), set by the caller.
     */
    uint32_t struct_size;
    /**
     * LB_EXISTING_REFUSE (0): the destination must not exist, and neither may a -wal, -shm or -journal beside it.
     * LB_EXISTING_REPLACE: an existing database gets the archive's content in one write transaction of SQLite, so that
     * whoever has it open, in this process or another, sees the old content or the new one; where there is none, what
     * a -wal, -shm or -journal without a database left is removed.
     */
    uint32_t existing;
    /**
     * LB_VERIFY_QUICK (0): every hash of the archive, before the destination is touched. LB_VERIFY_FULL: also SQLite's
     * `integrity_check` and `foreign_key_check` of the image, for which it is decompressed beside the destination first.
     * LB_VERIFY_NONE: only what has to be decompressed anyhow is compared.
     */
    uint32_t verify;
    /**
     * Milliseconds for which a locked destination is tried again, 0 means 5000. Then LB_STATUS_BUSY.
     */
    uint32_t busy_timeout_ms;
    /**
     * Most bytes of the image per second, 0 for no limit. See lb_backup_set_rate. Not while a live destination's write
     * transaction is open: others wait for it.
     */
    uint64_t max_bytes_per_second;
    /**
     * Least milliseconds between two on_progress calls; 0 means 100.
     */
    uint32_t progress_interval_ms;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * NULL, or where a backup of the present destination goes first, compressed if the name ends in .zst. Must not exist,
     * nor may a -wal or -journal beside one that is not compressed: LB_STATUS_ALREADY_EXISTS. Its state is exactly the one
     * that the restore replaces. It stays also if the restore then fails or is cancelled. Ignored where there is no
     * destination yet.
     */
    const char *keep_previous;
    /**
     * Handed to the callbacks as it is. Must stay valid until on_complete has returned.
     */
    void *user_data;
    /**
     * May be NULL.
     */
    lb_progress_fn on_progress;
    /**
     * May be NULL.
     */
    lb_complete_fn on_complete;
} lb_restore_options;

/**
 * How to verify. Set everything to zero, then `struct_size`: that alone asks for the defaults.
 */
typedef struct lb_verify_options {
    /**
     * sizeof(lb_verify_options), set by the caller.
     */
    uint32_t struct_size;
    /**
     * LB_VERIFY_QUICK (0): structure, sizes and the hash of every frame, without decompressing; other tools' compressed
     * files are decompressed. LB_VERIFY_FULL: everything is decompressed and compared, and SQLite's `integrity_check` and
     * `foreign_key_check` judge the image, which takes as much temporary disk space beside the archive, or in TMPDIR
     * where that cannot be written. A plain database file always has its `integrity_check`.
     */
    uint32_t verify;
    /**
     * Most bytes of the image per second, 0 for no limit. See lb_backup_set_rate. Slows what this library reads, not
     * SQLite's own checks: a plain database file, which is all theirs, is not slowed.
     */
    uint64_t max_bytes_per_second;
    /**
     * Least milliseconds between two on_progress calls; 0 means 100.
     */
    uint32_t progress_interval_ms;
    /**
     * Zero.
     */
    uint32_t reserved;
    /**
     * Handed to the callbacks as it is. Must stay valid until on_complete has returned.
     */
    void *user_data;
    /**
     * May be NULL.
     */
    lb_progress_fn on_progress;
    /**
     * May be NULL.
     */
    lb_complete_fn on_complete;
} lb_verify_options;

/**
 * What a backup file says about itself. Set `struct_size` before the call. What is not known is zero.
 */
typedef struct lb_archive_info {
    /**
     * sizeof(lb_archive_info), set by the caller.
     */
    uint32_t struct_size;
    /**
     * LB_KIND_IMAGE, LB_KIND_ARCHIVE, LB_KIND_ZSTD or LB_KIND_GZIP.
     */
    uint32_t kind;
    /**
     * Version of the archive format; 0 for all but LB_KIND_ARCHIVE.
     */
    uint32_t format_version;
    /**
     * Bytes of a database page.
     */
    uint32_t page_size;
    /**
     * Pages of the image.
     */
    uint64_t pages;
    /**
     * Bytes of the image.
     */
    uint64_t image_bytes;
    /**
     * Bytes of the file.
     */
    uint64_t archive_bytes;
    /**
     * Bytes of every chunk but the last.
     */
    uint64_t chunk_size;
    /**
     * Chunks.
     */
    uint64_t chunks;
    /**
     * When the backup was begun, nanoseconds since 1970-01-01 UTC; of a plain file, when it was last modified.
     */
    int64_t created_unix_ns;
    /**
     * `PRAGMA application_id`.
     */
    uint32_t application_id;
    /**
     * `PRAGMA user_version`.
     */
    int32_t user_version;
    /**
     * Zstandard level.
     */
    int32_t compression_level;
    /**
     * 1 if parent_id is set, else 0.
     */
    uint32_t has_parent;
    /**
     * Random: no other archive has it.
     */
    uint8_t archive_id[16];
    /**
     * The archive_id of the archive that was given as reuse_path.
     */
    uint8_t parent_id[16];
    /**
     * Version of the library that wrote it; NUL-terminated.
     */
    char library_version[32];
    /**
     * Version of its SQLite; of a plain file, of the SQLite that last wrote it. NUL-terminated.
     */
    char sqlite_version[32];
    /**
     * Version of its Zstandard; NUL-terminated.
     */
    char zstd_version[32];
} lb_archive_info;

/**
 * What lb_backup_jobs tells of one job whose handle is open.
 */
typedef struct lb_job_info {
    /**
     * sizeof(lb_job_info), set by the caller in the first element.
     */
    uint32_t struct_size;
    /**
     * One of lb_job_state.
     */
    lb_job_state state;
    /**
     * The handle, still the property of whoever started the job.
     */
    struct lb_job *job;
    /**
     * The user_data of the job's options.
     */
    void *user_data;
    /**
     * As in lb_progress.
     */
    uint64_t bytes_done;
    /**
     * As in lb_progress.
     */
    uint64_t bytes_total;
    /**
     * As in lb_progress.
     */
    double percent;
    /**
     * The file name of the destination, without its directory; UTF-8, NUL-terminated.
     */
    char dest_name[256];
} lb_job_info;

/**
 * A line for the host's own log, under the rules of lb_progress_fn. `level` is LB_LOG_WARNING or LB_LOG_INFO.
 */
typedef void (*lb_log_fn)(uint32_t level, const char *message, void *user_data);

/**
 * Settings of the whole library. Set everything to zero, then `struct_size`: that alone asks for the defaults.
 */
typedef struct lb_config {
    /**
     * sizeof(lb_config), set by the caller.
     */
    uint32_t struct_size;
    /**
     * LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS or 0.
     */
    uint32_t flags;
    /**
     * Threads that compress, 1 to 64; 0 means one per processor.
     */
    uint32_t workers;
    /**
     * Jobs that run at the same time, 1 to 64; 0 means two more than there are processors, at least 4, at most 8. Of three
     * or more, one is kept from sources of over 16 MiB, so that a small one is not stuck behind large ones.
     */
    uint32_t max_concurrent_jobs;
    /**
     * Jobs that may wait, 1 to 65536; 0 means 4096. One more is LB_STATUS_QUEUE_FULL.
     */
    uint32_t queue_length;
    /**
     * LB_PRIORITY_BACKGROUND (0) or LB_PRIORITY_NORMAL.
     */
    uint32_t priority;
    /**
     * Handed to on_log. Must stay valid until lb_shutdown has returned LB_STATUS_OK.
     */
    void *user_data;
    /**
     * May be NULL.
     */
    lb_log_fn on_log;
} lb_config;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/**
 * Starts a backup of the SQLite database at `source_path` into the new file `dest_path`.
 *
 * Returns at once; the work is done by the library's own threads. The archive appears under its name only when it is
 * complete, durable and verified. On any failure and on cancel nothing is left, and an earlier file stays as it was.
 * One exception: where the file system can neither exchange names nor give a file a second one, the new file stays when
 * its directory cannot be synced; the message says so.
 *
 * The source may be open and being written, in this process or another. In WAL mode no writer ever waits. The backup
 * holds every transaction that was committed before this call.
 *
 * @param source_path  The database; a symbolic link is followed. Its -wal or -journal must be beside it.
 * @param dest_path    Where the archive appears. Its directory must exist. A symbolic link is refused.
 * @param options      NULL for the defaults.
 * @param out_job      Receives the handle, to be ended by lb_backup_join or lb_backup_release.
 * @param out_error    NULL, or receives the reason.
 * @return LB_STATUS_OK, or INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, NOT_A_DATABASE, QUEUE_FULL,
 *         UNSUPPORTED, OUT_OF_MEMORY, WRONG_PROCESS, SHUT_DOWN, IO, INTERNAL. What is found later is the job's outcome.
 */
lb_status lb_backup_start(const char *source_path,
                          const char *dest_path,
                          const struct lb_backup_options *options,
                          struct lb_job **out_job,
                          struct lb_error *out_error);

/**
 * Starts restoring a backup: to a new file, or, when asked to, onto an existing database while it is in use.
 *
 * Reads plain databases, archives of this library, and other tools' Zstandard and gzip files of a database, told apart by
 * their content. A new file appears under its name only when it is complete, durable and verified. An existing database
 * is changed in one write transaction of SQLite, page by page, and only the pages that differ: whoever has it open sees
 * the old content or the new one, readers keep their snapshot, writers wait or get SQLITE_BUSY as for any transaction.
 * On any failure and on cancel the destination is as it was. In WAL mode the change is in the -wal file until the next
 * checkpoint, as after any commit. The destination keeps its journal mode, its permissions and its owner; counters in
 * its header go on.
 *
 * An existing database of another page size, text encoding or auto_vacuum mode is changed only where nobody else has it
 * open: otherwise the outcome is LB_STATUS_BUSY, and the message names both. In a rollback-journal mode a connection that
 * does nothing cannot be seen: it goes on with the new content, except that after a change of the text encoding it gets
 * SQLITE_ERROR until it is opened anew. Somebody who opens the database just after such a change, and stays, may keep it
 * in another journal mode than it had: the restore has succeeded, and lb_config::on_log gets a warning.
 *
 * @param archive_path  The backup. A plain database that is in use is read as lb_backup_start would.
 * @param dest_path     The database. Its directory must exist. A symbolic link is refused, and a database with a second
 *                      name (hard link) is: LB_STATUS_ALREADY_EXISTS.
 * @param options       NULL for the defaults: the destination must not exist.
 * @param out_job       Receives the handle, to be ended by lb_backup_join or lb_backup_release.
 * @param out_error     NULL, or receives the reason.
 * @return As lb_backup_start. What is found later is the job's outcome.
 */
lb_status lb_restore_start(const char *archive_path,
                           const char *dest_path,
                           const struct lb_restore_options *options,
                           struct lb_job **out_job,
                           struct lb_error *out_error);

/**
 * Starts verifying a backup file of any kind that lb_restore_start reads. Its content stays as it is: only the journal of
 * a transaction that a crash cut short, beside a plain database, is rolled back, and the index (-shm) of a log beside it
 * is made, as by any reader. A full verification of a compressed file makes a temporary file beside it, or in TMPDIR, and
 * removes there what killed jobs have left.
 *
 * A file that fails is the outcome LB_STATUS_CORRUPT (or NOT_A_DATABASE, UNSUPPORTED); lb_result says which check it
 * failed, and where.
 *
 * @param archive_path  The file; a plain database may be in use.
 * @param options       NULL for the defaults.
 * @param out_job       Receives the handle, to be ended by lb_backup_join or lb_backup_release.
 * @param out_error     NULL, or receives the reason.
 * @return As lb_backup_start. What is found later is the job's outcome.
 */
lb_status lb_verify_start(const char *archive_path,
                          const struct lb_verify_options *options,
                          struct lb_job **out_job,
                          struct lb_error *out_error);

/**
 * Tells what a backup file says about itself, from a few kilobytes of it. Verifies no more than that: lb_verify_start
 * does.
 *
 * Waits for a thread of the library, which reads; usually well under a millisecond. May be called in a callback. Starts
 * the library if it does not run.
 *
 * @param archive_path  The file; a plain database may be in use.
 * @param out_info      Receives what is known.
 * @param out_error     NULL, or receives the reason.
 * @return LB_STATUS_OK, INVALID_ARGUMENT, NOT_FOUND, PERMISSION_DENIED, NOT_A_DATABASE (no backup of any kind), CORRUPT,
 *         UNSUPPORTED (a newer format), OUT_OF_MEMORY, WRONG_PROCESS, SHUT_DOWN, IO, INTERNAL.
 */
lb_status lb_backup_inspect(const char *archive_path,
                            struct lb_archive_info *out_info,
                            struct lb_error *out_error);

/**
 * Looks at a job. Wait-free: no lock, no system call but the clock, well under a microsecond; made for a frame loop.
 *
 * @return LB_STATUS_OK, INVALID_HANDLE, INVALID_ARGUMENT or WRONG_PROCESS.
 */
lb_status lb_backup_progress(const struct lb_job *job,
                             struct lb_progress *out_progress);

/**
 * Asks a job to end as LB_STATUS_CANCELLED. Returns at once; idempotent; also for a job that waits in the queue.
 *
 * The job ends within milliseconds, leaves nothing behind, and still has to be joined or released. The disk space of what
 * it had written may come back a moment later. A job that has published its archive succeeds all the same.
 *
 * @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
 */
lb_status lb_backup_cancel(struct lb_job *job);

/**
 * Waits until a job has ended and its on_complete has returned.
 *
 * For whichever of several jobs ends first, or for a job beside other events, wait for what its on_complete signals: a
 * condition variable, an eventfd(2), an event loop.
 *
 * @param job         The job.
 * @param timeout_ms  0 only looks (in a callback, too, where it tells LB_STATUS_WOULD_DEADLOCK of an unfinished job);
 *                    UINT32_MAX waits for ever.
 * @return LB_STATUS_OK once it has ended (well or not), TIMED_OUT, INVALID_HANDLE, WOULD_DEADLOCK or WRONG_PROCESS.
 */
lb_status lb_backup_wait(struct lb_job *job,
                         uint32_t timeout_ms);

/**
 * Waits as lb_backup_wait does, without limit, then ends the handle and tells the outcome.
 *
 * Of several threads that join one job, one gets the outcome and the others LB_STATUS_INVALID_HANDLE.
 *
 * @param job         The job.
 * @param out_result  NULL, or receives the result, whatever the outcome.
 * @return The job's outcome; or, with the handle still open, INVALID_ARGUMENT, WOULD_DEADLOCK or WRONG_PROCESS; or
 *         INVALID_HANDLE.
 */
lb_status lb_backup_join(struct lb_job *job,
                         struct lb_result *out_result);

/**
 * Ends a handle without waiting. The job goes on, and its callbacks are still called.
 *
 * From then on only lb_shutdown tells that on_complete has returned, by LB_STATUS_OK. Whoever has to know that of one job
 * calls lb_backup_wait before this.
 *
 * @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
 */
lb_status lb_backup_release(struct lb_job *job);

/**
 * Changes the throttle of a queued or running job, at once. What it slows: lb_backup_options::max_bytes_per_second.
 *
 * @param job                   The job.
 * @param max_bytes_per_second  Bytes of the image per second; 0 for no limit.
 * @return LB_STATUS_OK, INVALID_HANDLE or WRONG_PROCESS.
 */
lb_status lb_backup_set_rate(struct lb_job *job,
                             uint64_t max_bytes_per_second);

/**
 * Lists the jobs whose handles are open, in no particular order.
 *
 * @param out_jobs   NULL with capacity 0, or an array whose first element has struct_size set.
 * @param capacity   Elements of the array.
 * @param out_count  Receives the number of jobs, which may be larger than capacity; only capacity elements are written.
 * @return LB_STATUS_OK, INVALID_ARGUMENT or WRONG_PROCESS.
 */
lb_status lb_backup_jobs(struct lb_job_info *out_jobs,
                         size_t capacity,
                         size_t *out_count);

/**
 * Sets up the library, until the next lb_shutdown; before its first job, or after lb_shutdown. Without it everything has
 * its default.
 *
 * @param config     NULL for the defaults.
 * @param out_error  NULL, or receives the reason.
 * @return LB_STATUS_OK, INVALID_ARGUMENT, BUSY (the library already runs, or on_log is still told of a start that failed, for
 *         which lb_shutdown waits), WRONG_PROCESS.
 */
lb_status lb_configure(const struct lb_config *config,
                       struct lb_error *out_error);

/**
 * Cancels every job, waits for their callbacks, joins every thread of the library, and forgets what lb_configure has set.
 * A later start begins afresh.
 *
 * Handles stay valid: a job that was cancelled by this can still be joined. A program need not call this before it
 * exits.
 *
 * @param timeout_ms  0 only asks and looks; UINT32_MAX waits for ever. After LB_STATUS_TIMED_OUT the shutdown goes on,
 *                    starts give LB_STATUS_SHUT_DOWN, and another call waits again.
 * @return LB_STATUS_OK (also when nothing ran), TIMED_OUT, WOULD_DEADLOCK (in a callback) or WRONG_PROCESS.
 */
lb_status lb_shutdown(uint32_t timeout_ms);

/**
 * The name of a status, such as "LB_STATUS_NO_SPACE"; "LB_STATUS_UNKNOWN" for any other number. Never NULL; static.
 */
const char *lb_status_name(lb_status status);

/**
 * What a status means, in English, such as "the operating system refused access"; "unknown status" for any other number.
 * Never NULL; static; for people, and may change. For where there is no message that tells more: the functions without an
 * lb_error. Begins with a small letter and has no full stop, so that the name of what failed can stand before it.
 */
const char *lb_status_message(lb_status status);

/**
 * The versions of this library, its SQLite and its Zstandard: "0.1.0 (sqlite 3.x.y, zstd 1.x.y)". Static.
 */
const char *lb_version(void);

/**
 * The LB_ABI_VERSION that this library was built with.
 */
uint32_t lb_abi_version(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LB_BACKUP_H */
