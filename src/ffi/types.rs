//! The C interface's types. cbindgen turns this file into `include/lb_backup.h`; the comments are the reference.
//!
//! Rules that every type here keeps: `struct_size` comes first, zero means default, enumerations enter as plain
//! integers and are checked, and no structure holds a pointer that the library would have to free.

use std::ffi::{c_char, c_void};

use crate::error::Status;
use crate::job::{JobState, Phase};

/// The ABI version of this header: the number in the SONAME `liblb_backup.so.0`.
pub const LB_ABI_VERSION: u32 = 0;

/// Bytes of every inline message, the terminating NUL included. Messages are UTF-8; a longer one loses its middle.
pub const LB_MESSAGE_SIZE: usize = 1024;

/// `lb_config::flags`: go on even if the library cannot separate its file locks from the host's (see CAVEATS, same
/// process), because the caller knows that nothing else in this process has any of the source databases open.
pub const LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS: u32 = 1;

/// `lb_config::priority`: the pool's threads yield to everything else (nice 10, lowest best-effort I/O class).
pub const LB_PRIORITY_BACKGROUND: u32 = 0;
/// `lb_config::priority`: the pool's threads run like the host's own.
pub const LB_PRIORITY_NORMAL: u32 = 1;

/// `lb_backup_options::format`: by the destination's name; `.zst` compresses, anything else is a plain image.
pub const LB_FORMAT_BY_NAME: u32 = 0;
/// `lb_backup_options::format`: a plain database file.
pub const LB_FORMAT_IMAGE: u32 = 1;
/// `lb_backup_options::format`: Zstandard, one independent frame per chunk; `zstd -d` gives the plain image.
pub const LB_FORMAT_ZSTD: u32 = 2;

/// `lb_backup_options::existing`: an existing destination is LB_STATUS_ALREADY_EXISTS.
pub const LB_EXISTING_REFUSE: u32 = 0;
/// `lb_backup_options::existing`: an existing regular file is replaced in one step, and only by a verified one.
pub const LB_EXISTING_REPLACE: u32 = 1;

/// `lb_backup_options::verify`: what was written is read back, once the disk was made to write it (sync_file_range(2)) and
/// before the last fsync, and compared, by a BLAKE3 hash of every piece, with what was to be written. Costs one sequential
/// read of the archive, most of it from the page cache.
pub const LB_VERIFY_QUICK: u32 = 0;
/// `lb_backup_options::verify`: quick, but from the disk and not from the page cache, then SQLite's
/// `integrity_check` on the image. Costs a full scan of every table
/// and index and, for a compressed archive, as much temporary disk space beside the destination as the image takes.
pub const LB_VERIFY_FULL: u32 = 1;
/// `lb_backup_options::verify`: trust the file system.
pub const LB_VERIFY_NONE: u32 = 2;

/// `lb_backup_options::digest`: `lb_result::sha256` holds the SHA-256 of the archive file.
pub const LB_DIGEST_SHA256: u32 = 0;
/// `lb_backup_options::digest`: no digest in the result.
pub const LB_DIGEST_NONE: u32 = 1;

/// `lb_archive_info::kind`: a plain database file.
pub const LB_KIND_IMAGE: u32 = 1;
/// `lb_archive_info::kind`: an archive of this library (docs/FORMAT.md).
pub const LB_KIND_ARCHIVE: u32 = 2;
/// `lb_archive_info::kind`: another tool's Zstandard file; what it holds is not known before it is decompressed.
pub const LB_KIND_ZSTD: u32 = 3;
/// `lb_archive_info::kind`: a gzip file; what it holds is not known before it is decompressed.
pub const LB_KIND_GZIP: u32 = 4;

/// `lb_result::failed_check`: no check failed.
pub const LB_CHECK_NONE: u32 = 0;
/// `lb_result::failed_check`: the file's structure (header, manifest, seek table, length), or it is no backup at all.
pub const LB_CHECK_STRUCTURE: u32 = 1;
/// `lb_result::failed_check`: a frame does not have the hash that the manifest says, or does not decompress.
pub const LB_CHECK_FRAME: u32 = 2;
/// `lb_result::failed_check`: a frame decompresses to another content than the manifest says.
pub const LB_CHECK_CONTENT: u32 = 3;
/// `lb_result::failed_check`: SQLite's `integrity_check` of the image.
pub const LB_CHECK_INTEGRITY: u32 = 4;
/// `lb_result::failed_check`: SQLite's `foreign_key_check` of the image. A table with a foreign key to columns that are no key
/// of theirs ("foreign key mismatch"), which SQLite cannot check, passes.
pub const LB_CHECK_FOREIGN_KEYS: u32 = 5;

/// `lb_result::failed_chunk` where the failure is of no chunk.
pub const LB_NO_CHUNK: u64 = 0xFFFF_FFFF_FFFF_FFFF;

/// `lb_log_fn`: something the operator should look at; the job went on.
pub const LB_LOG_WARNING: u32 = 1;
/// `lb_log_fn`: worth a line, nothing to do.
pub const LB_LOG_INFO: u32 = 2;

/// A handle to one asynchronous job.
///
/// The pointer is a token: it is never dereferenced and its value is never used twice. A handle that was joined or
/// released, or that never came from this library, gives LB_STATUS_INVALID_HANDLE. Any thread may use a handle; it
/// ends with `lb_backup_join` or `lb_backup_release`, once.
#[allow(non_camel_case_types)]
pub struct lb_job(());

/// Why a call failed. The caller's own memory: nothing to free, no thread-local state behind it.
///
/// Set `struct_size` before the call. Written only when the call fails.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_error {
    /// sizeof(lb_error), set by the caller.
    pub struct_size: u32,
    /// The same value that the call returned.
    pub status: Status,
    /// SQLite's extended result code, or 0 where SQLite was not the cause.
    pub sqlite_code: i32,
    /// The operating system's errno, or 0 where it was not the cause.
    pub sys_errno: i32,
    /// UTF-8, NUL-terminated: the operation, the path, the reason.
    pub message: [c_char; LB_MESSAGE_SIZE],
}

/// One look at a running or finished job. Values never go backwards from one look to the next.
///
/// Set `struct_size` before the call.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_progress {
    /// sizeof(lb_progress), set by the caller.
    pub struct_size: u32,
    /// One of lb_job_state.
    pub state: JobState,
    /// One of lb_phase.
    pub phase: Phase,
    /// How often a transient error (a lock, an interrupted call) was waited out.
    pub retries: u32,
    /// Bytes of the image that have gone into the archive. At success equal to bytes_total.
    pub bytes_done: u64,
    /// Bytes of the image; 0 until the snapshot stands.
    pub bytes_total: u64,
    /// Bytes written to the archive file.
    pub bytes_written: u64,
    /// Backup: bytes of the archive taken over from an earlier one instead of being compressed. Restore onto an existing
    /// database: bytes of the image that it had already.
    pub bytes_reused: u64,
    /// Nanoseconds since the job was accepted; stands still once the job has ended.
    pub elapsed_ns: u64,
    /// Estimated nanoseconds to the end: 0 once the job has ended, UINT64_MAX while there is no estimate.
    pub eta_ns: u64,
    /// The whole job, verification and all, from 0 to 100. 100 only with LB_JOB_STATE_SUCCEEDED.
    pub percent: f64,
}

/// What became of a job. Set `struct_size` before the call.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_result {
    /// sizeof(lb_result), set by the caller.
    pub struct_size: u32,
    /// LB_STATUS_OK, or why there is no archive. Fields beyond the message are what was known by then.
    pub status: Status,
    /// SQLite's extended result code, or 0.
    pub sqlite_code: i32,
    /// errno, or 0.
    pub sys_errno: i32,
    /// UTF-8, NUL-terminated; empty on success.
    pub message: [c_char; LB_MESSAGE_SIZE],
    /// LB_FORMAT_IMAGE or LB_FORMAT_ZSTD.
    pub format: u32,
    /// Bytes of one database page, 512 to 65536; 0 for the archive of an empty database.
    pub page_size: u32,
    /// Pages of the image.
    pub pages: u64,
    /// Bytes of the image: pages times page_size.
    pub image_bytes: u64,
    /// Bytes of the archive file.
    pub archive_bytes: u64,
    /// As in lb_progress.
    pub bytes_reused: u64,
    /// 1 if sha256 is set, else 0.
    pub has_sha256: u32,
    /// Transient errors that were waited out.
    pub retries: u32,
    /// SHA-256 of the archive file (FIPS 180-4).
    pub sha256: [u8; 32],
    /// Wall-clock time at which the job was accepted, nanoseconds since 1970-01-01 UTC.
    pub start_unix_ns: i64,
    /// Wall-clock time at which the job ended, nanoseconds since 1970-01-01 UTC.
    pub end_unix_ns: i64,
    /// Nanoseconds in the queue, in lock waits and in the throttle.
    pub waiting_ns: u64,
    /// Nanoseconds spent reading the source.
    pub reading_ns: u64,
    /// Processor nanoseconds spent compressing, all threads added up.
    pub compressing_ns: u64,
    /// Nanoseconds spent writing the archive.
    pub writing_ns: u64,
    /// Nanoseconds spent waiting for the disk to have what was written, all threads added up.
    pub syncing_ns: u64,
    /// Nanoseconds spent reading back and verifying, all threads added up.
    pub verifying_ns: u64,
    /// Nanoseconds for which the snapshot kept writers of a rollback-journal source from committing; 0 in WAL mode,
    /// where a snapshot never does.
    pub source_lock_ns: u64,
    /// Bytes by which the source's -wal file grew while the snapshot stood; 0 for a rollback-journal source.
    pub wal_growth_bytes: u64,
    /// Which check an archive failed: one of LB_CHECK_NONE (0) to LB_CHECK_FOREIGN_KEYS.
    pub failed_check: u32,
    /// Zero.
    pub reserved: u32,
    /// Index of the chunk that failed, from 0 on; LB_NO_CHUNK if none did.
    pub failed_chunk: u64,
    /// Number of a database page that failed, from 1 on, as far as it is known; 0 if none.
    pub failed_page: u64,
}

/// Called on the library's host-side thread, at most once per interval while the job runs and once with its last
/// state, before on_complete.
///
/// May come before the call that starts the job has returned and written its out_job: `job` is that handle.
/// Never two callbacks of one job at once. The pointers die with the call. Any function of this library may be called,
/// but lb_backup_wait, lb_backup_join and lb_shutdown never wait in here: for an unfinished job they give
/// LB_STATUS_WOULD_DEADLOCK. A slow callback delays the callbacks of all other jobs, never the jobs. It must not
/// unwind (no C++ exception, no longjmp). Every signal is blocked in it but those that a thread raises by a fault of its own;
/// a process that is started in here inherits that, unless it is given a mask (posix_spawnattr_setsigmask(3)). No
/// callback is begun any more once exit(3) has come to what was registered, or constructed, before the first job that had
/// callbacks was started, or on_log was first configured; what came later goes before (atexit(3)), and no callback may
/// need it.
#[allow(non_camel_case_types)]
pub type lb_progress_fn =
    Option<unsafe extern "C" fn(job: *mut lb_job, progress: *const lb_progress, user_data: *mut c_void)>;

/// Called exactly once per job, as its last callback, under the rules of lb_progress_fn; also when the handle was
/// released, and for jobs that lb_shutdown cancelled. In here the job counts as finished: lb_backup_join works. May free
/// what user_data points to: the library hands it over for the last time here.
#[allow(non_camel_case_types)]
pub type lb_complete_fn =
    Option<unsafe extern "C" fn(job: *mut lb_job, result: *const lb_result, user_data: *mut c_void)>;

/// A line for the host's own log, under the rules of lb_progress_fn. `level` is LB_LOG_WARNING or LB_LOG_INFO.
#[allow(non_camel_case_types)]
pub type lb_log_fn = Option<unsafe extern "C" fn(level: u32, message: *const c_char, user_data: *mut c_void)>;

/// How to take a backup. Set everything to zero, then `struct_size`: that alone asks for the defaults.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_backup_options {
    /// sizeof(lb_backup_options), set by the caller.
    pub struct_size: u32,
    /// LB_FORMAT_BY_NAME (0), LB_FORMAT_IMAGE or LB_FORMAT_ZSTD.
    pub format: u32,
    /// Zstandard level, -7 to 19; 0 means 3. Higher is smaller and slower. Ignored for a plain image.
    pub compression_level: i32,
    /// LB_EXISTING_REFUSE (0) or LB_EXISTING_REPLACE.
    pub existing: u32,
    /// LB_VERIFY_QUICK (0), LB_VERIFY_FULL or LB_VERIFY_NONE.
    pub verify: u32,
    /// LB_DIGEST_SHA256 (0) or LB_DIGEST_NONE.
    pub digest: u32,
    /// Bytes of a chunk, 65536 to 8388608, rounded down to whole pages; 0 adapts to the size of the database and the speed
    /// of its disk, between 262144 and 8388608, or is that of reuse_path. Memory in use is a small multiple of this, plus
    /// some 150 bytes per chunk of an archive; no archive has more than 1048576 chunks.
    pub chunk_size: u64,
    /// Most bytes of the image per second, 0 for no limit. See lb_backup_set_rate. It bounds what is read from the source
    /// and with that what is written, and read back, of the archive. Does not slow the raw copy of a rollback-journal
    /// source, as its writers wait meanwhile: for a plain image that is the whole copy.
    pub max_bytes_per_second: u64,
    /// Milliseconds for which a locked source is tried again, 0 means 5000, UINT32_MAX is the longest. Then
    /// LB_STATUS_BUSY.
    pub busy_timeout_ms: u32,
    /// Least milliseconds between two on_progress calls; 0 means 100.
    pub progress_interval_ms: u32,
    /// Most bytes by which the source's -wal file may grow while the snapshot keeps it from being reset; 0 for no limit.
    /// Then LB_STATUS_WAL_LIMIT.
    pub wal_limit_bytes: u64,
    /// Handed to the callbacks as it is. Must stay valid until on_complete has returned.
    pub user_data: *mut c_void,
    /// May be NULL.
    pub on_progress: lb_progress_fn,
    /// May be NULL.
    pub on_complete: lb_complete_fn,
    /// NULL, or an earlier compressed archive of the same database, made by this library: chunks that have not changed
    /// since are taken from it instead of being compressed again, each checked by its hash first, with the level that
    /// they have there. May be dest_path itself. The new archive is complete without it. LB_STATUS_NOT_FOUND if it does
    /// not exist; one that is damaged or of another kind costs a warning in the log and the time that it would have
    /// saved. For LB_FORMAT_ZSTD only. Name only an archive that you trust as you trust your own.
    pub reuse_path: *const c_char,
}

/// How to restore. Set everything to zero, then `struct_size`: that alone asks for the defaults.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_restore_options {
    /// sizeof(lb_restore_options), set by the caller.
    pub struct_size: u32,
    /// LB_EXISTING_REFUSE (0): the destination must not exist, and neither may a -wal, -shm or -journal beside it.
    /// LB_EXISTING_REPLACE: an existing database gets the archive's content in one write transaction of SQLite, so that
    /// whoever has it open, in this process or another, sees the old content or the new one; where there is none, what
    /// a -wal, -shm or -journal without a database left is removed.
    pub existing: u32,
    /// LB_VERIFY_QUICK (0): every hash of the archive, before the destination is touched. LB_VERIFY_FULL: also SQLite's
    /// `integrity_check` and `foreign_key_check` of the image, for which it is decompressed beside the destination first.
    /// LB_VERIFY_NONE: only what has to be decompressed anyhow is compared.
    pub verify: u32,
    /// Milliseconds for which a locked destination is tried again, 0 means 5000. Then LB_STATUS_BUSY.
    pub busy_timeout_ms: u32,
    /// Most bytes of the image per second, 0 for no limit. See lb_backup_set_rate. Not while a live destination's write
    /// transaction is open: others wait for it.
    pub max_bytes_per_second: u64,
    /// Least milliseconds between two on_progress calls; 0 means 100.
    pub progress_interval_ms: u32,
    /// Zero.
    pub reserved: u32,
    /// NULL, or where a backup of the present destination goes first, compressed if the name ends in .zst. Must not exist,
    /// nor may a -wal or -journal beside one that is not compressed: LB_STATUS_ALREADY_EXISTS. Its state is exactly the one
    /// that the restore replaces. It stays also if the restore then fails or is cancelled. Ignored where there is no
    /// destination yet.
    pub keep_previous: *const c_char,
    /// Handed to the callbacks as it is. Must stay valid until on_complete has returned.
    pub user_data: *mut c_void,
    /// May be NULL.
    pub on_progress: lb_progress_fn,
    /// May be NULL.
    pub on_complete: lb_complete_fn,
}

/// How to verify. Set everything to zero, then `struct_size`: that alone asks for the defaults.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_verify_options {
    /// sizeof(lb_verify_options), set by the caller.
    pub struct_size: u32,
    /// LB_VERIFY_QUICK (0): structure, sizes and the hash of every frame, without decompressing; other tools' compressed
    /// files are decompressed. LB_VERIFY_FULL: everything is decompressed and compared, and SQLite's `integrity_check` and
    /// `foreign_key_check` judge the image, which takes as much temporary disk space beside the archive, or in TMPDIR
    /// where that cannot be written. A plain database file always has its `integrity_check`.
    pub verify: u32,
    /// Most bytes of the image per second, 0 for no limit. See lb_backup_set_rate. Slows what this library reads, not
    /// SQLite's own checks: a plain database file, which is all theirs, is not slowed.
    pub max_bytes_per_second: u64,
    /// Least milliseconds between two on_progress calls; 0 means 100.
    pub progress_interval_ms: u32,
    /// Zero.
    pub reserved: u32,
    /// Handed to the callbacks as it is. Must stay valid until on_complete has returned.
    pub user_data: *mut c_void,
    /// May be NULL.
    pub on_progress: lb_progress_fn,
    /// May be NULL.
    pub on_complete: lb_complete_fn,
}

/// What a backup file says about itself. Set `struct_size` before the call. What is not known is zero.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_archive_info {
    /// sizeof(lb_archive_info), set by the caller.
    pub struct_size: u32,
    /// LB_KIND_IMAGE, LB_KIND_ARCHIVE, LB_KIND_ZSTD or LB_KIND_GZIP.
    pub kind: u32,
    /// Version of the archive format; 0 for all but LB_KIND_ARCHIVE.
    pub format_version: u32,
    /// Bytes of a database page.
    pub page_size: u32,
    /// Pages of the image.
    pub pages: u64,
    /// Bytes of the image.
    pub image_bytes: u64,
    /// Bytes of the file.
    pub archive_bytes: u64,
    /// Bytes of every chunk but the last.
    pub chunk_size: u64,
    /// Chunks.
    pub chunks: u64,
    /// When the backup was begun, nanoseconds since 1970-01-01 UTC; of a plain file, when it was last modified.
    pub created_unix_ns: i64,
    /// `PRAGMA application_id`.
    pub application_id: u32,
    /// `PRAGMA user_version`.
    pub user_version: i32,
    /// Zstandard level.
    pub compression_level: i32,
    /// 1 if parent_id is set, else 0.
    pub has_parent: u32,
    /// Random: no other archive has it.
    pub archive_id: [u8; 16],
    /// The archive_id of the archive that was given as reuse_path.
    pub parent_id: [u8; 16],
    /// Version of the library that wrote it; NUL-terminated.
    pub library_version: [c_char; 32],
    /// Version of its SQLite; of a plain file, of the SQLite that last wrote it. NUL-terminated.
    pub sqlite_version: [c_char; 32],
    /// Version of its Zstandard; NUL-terminated.
    pub zstd_version: [c_char; 32],
}

/// What lb_backup_jobs tells of one job whose handle is open.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_job_info {
    /// sizeof(lb_job_info), set by the caller in the first element.
    pub struct_size: u32,
    /// One of lb_job_state.
    pub state: JobState,
    /// The handle, still the property of whoever started the job.
    pub job: *mut lb_job,
    /// The user_data of the job's options.
    pub user_data: *mut c_void,
    /// As in lb_progress.
    pub bytes_done: u64,
    /// As in lb_progress.
    pub bytes_total: u64,
    /// As in lb_progress.
    pub percent: f64,
    /// The file name of the destination, without its directory; UTF-8, NUL-terminated.
    pub dest_name: [c_char; 256],
}

/// Settings of the whole library. Set everything to zero, then `struct_size`: that alone asks for the defaults.
#[allow(non_camel_case_types)]
#[repr(C)]
#[derive(Clone, Copy)]
pub struct lb_config {
    /// sizeof(lb_config), set by the caller.
    pub struct_size: u32,
    /// LB_CONFIG_SOURCE_NOT_OPEN_IN_PROCESS or 0.
    pub flags: u32,
    /// Threads that compress, 1 to 64; 0 means one per processor.
    pub workers: u32,
    /// Jobs that run at the same time, 1 to 64; 0 means two more than there are processors, at least 4, at most 8. Of three
    /// or more, one is kept from sources of over 16 MiB, so that a small one is not stuck behind large ones.
    pub max_concurrent_jobs: u32,
    /// Jobs that may wait, 1 to 65536; 0 means 4096. One more is LB_STATUS_QUEUE_FULL.
    pub queue_length: u32,
    /// LB_PRIORITY_BACKGROUND (0) or LB_PRIORITY_NORMAL.
    pub priority: u32,
    /// Handed to on_log. Must stay valid until lb_shutdown has returned LB_STATUS_OK.
    pub user_data: *mut c_void,
    /// May be NULL.
    pub on_log: lb_log_fn,
}

/// An `lb_status` as it comes in from C: any number at all.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct StatusNumber(pub i32);
